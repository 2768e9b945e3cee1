"""`why`: why a job waits or failed, what would help, and the commands that do it."""

import argparse
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import to_builtins

from backend_client.models import Job
from backend_client.protocol import JobBackend
from backend_client.text.sanitize import clean
from backend_client.why import Explanation, Offer
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job_in_queue
from tui.cli.output import print_as, print_data, state_text
from tui.cli.streams import stdout
from tui.cli.submit import flag_words
from tui.why.why_text import View, page

_NO_LIMIT = 100_000
"""Cells of a line that no terminal breaks."""


def add_why_flags(parser: Parser) -> None:
    """Add the flags of `why`."""
    parser.add_argument("name", metavar="NAME", help="the job; -o wide adds what the objects say themselves")


async def why(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print why a job waits or failed, and what would help."""
    job = await find_job_in_queue(backend, args.name, args.scope)
    found = await backend.explain(job.ref)
    if args.output == "name":
        print_data(job.name)
    elif not print_as(args.output, lambda: to_builtins(found)):
        print_data(f"{clean(job.name)}  ", state_text(job.state))
        for line in _lines(args, job, found):
            print_data(line)
    return 0


def _lines(args: argparse.Namespace, job: Job, found: Explanation) -> Iterator[str]:
    width = stdout.width if stdout.isatty() else _NO_LIMIT
    with_raw = frozenset(at for at, cause in enumerate(found.chain) if cause.raw and args.output == "wide")
    view = View(
        unfolded=with_raw,
        below_offers=[_command(args, job, offer) for offer in found.offers],
        below_failure=clean(f"{_program(args, 'logs')} {shlex.quote(job.name)}", 4000),
    )
    rows = page(job, found, datetime.now(UTC), width, view)
    return (row.text.rstrip() for row in rows)


def _command(args: argparse.Namespace, job: Job, offer: Offer) -> str:
    """Return the command that submits the job with the change of an offer; "" where no flag says it."""
    flags = [flag_words(name, text) for name, text in offer.changes.items()]
    if not all(flags):
        return ""
    words = shlex.join([job.name, *(word for flag in flags for word in flag)])
    return clean(f"{_program(args, 'again')} {words}", 4000)


def _program(args: argparse.Namespace, verb: str) -> str:
    """Return the verb with the flags that lead to the same context and namespace."""
    flags = {"--context": args.context, "-n": args.namespace}
    return shlex.join(["traindeck", verb, *(word for pair in flags.items() if pair[1] for word in pair)])


WHY = BackendHandler(why, add_why_flags)
