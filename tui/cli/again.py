"""`again`: a job as it was, under a new name."""

import argparse

from msgspec.structs import replace

from backend_client.models import Job
from backend_client.protocol import JobBackend, JobQuery
from tui.cli.commands import Parser
from tui.cli.logs import until
from tui.cli.lookup import all_jobs, find
from tui.cli.output import say
from tui.cli.submit import make, make_flags
from tui.form.spec_file import as_job
from tui.form.suggestions import next_name


def again_flags(parser: Parser) -> None:
    """What `again` takes."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument("--as-job", action="store_true", help="stop a deployment, and run it as a job")
    make_flags(parser)


async def again(args: argparse.Namespace, backend: JobBackend) -> int:
    """Run a job once more; a deployment, on request, as a job in its place."""
    old = await find(backend, args.name, args.scope)
    names = [job.name for job in await all_jobs(backend, JobQuery(namespace=old.ref.namespace))]
    spec = replace(old.spec, name=next_name(old.spec, names))
    if not args.as_job or old.spec.kind == "job":
        return await make(args, backend, spec)
    return await make(args, backend, as_job(spec), lambda: _stopped(backend, old))


async def _stopped(backend: JobBackend, old: Job) -> None:
    """Both at once would write the same files."""
    if not old.ended:
        await backend.stop(old.ref)
        say(f"{old.name}: stopping")
        await until(backend, old.ref, lambda job: job.ended)
