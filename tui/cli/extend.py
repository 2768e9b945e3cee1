"""`extend`: more time for jobs that have a limit."""

import argparse

from backend_client.errors import Invalid
from backend_client.extension import extended
from backend_client.models.fields import duration_text
from backend_client.protocol import JobBackend
from tui.cli.arguments import Parser, seconds
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import job_fields, print_as, print_data, print_message


def add_extend_flags(parser: Parser) -> None:
    """Add the flags of `extend`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument("time", metavar="TIME", type=seconds, help="how much longer it may run: 4h, 1h30m")


async def extend(args: argparse.Namespace, backend: JobBackend) -> int:
    """Add a time to the limit of a job."""
    if not args.time:
        raise Invalid({"TIME": "say how much longer it may run: 4h"})
    job = await find_job(backend, args.name, args.scope)
    job = await backend.extend(job.ref, extended(job, args.time))
    print_message(f"{job.name} may run for {duration_text(job.spec.max_runtime)}")
    if args.output == "name":
        print_data(job.name)
    else:
        print_as(args.output, lambda: job_fields(job))
    return 0


EXTEND = BackendHandler(extend, add_extend_flags)
