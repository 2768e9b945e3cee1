"""`dev`: a job that waits for a shell, and the shell in it."""

import argparse
import asyncio

from backend_client.dev.job import IDLE, MAX_RUNTIME, dev_spec, is_dev
from backend_client.errors import BackendError, NotFound, Refused, sentence
from backend_client.exec_session import ExecQuery
from backend_client.models import Job, JobState
from backend_client.models.fields import duration_text, parse_spec
from backend_client.models.names import suggest_name
from backend_client.protocol import JobBackend, JobQuery
from backend_client.text.dev import left_waiting, no_shell
from backend_client.text.sanitize import clean
from tui.cli.arguments import Parser, seconds
from tui.cli.exec import attach, say_farewell, with_exec
from tui.cli.exit_codes import UNKNOWN
from tui.cli.handlers import BackendHandler
from tui.cli.lifecycle import delete_job
from tui.cli.lookup import list_all_jobs
from tui.cli.output import print_message
from tui.cli.streams import stdout
from tui.cli.submit import add_field_flags, create_job, field_flags
from tui.cli.wait import wait_until


def add_dev_flags(parser: Parser) -> None:
    """Add the flags of `dev`."""
    parser.add_argument(
        "job", metavar="NAME", nargs="?", default="", help="its name; of one that is there: goes to it"
    )
    parser.add_argument(
        "--idle",
        type=_idle,
        default=IDLE,
        metavar="TIME|off",
        help=f"it ends by itself when it was not used for TIME (default: {duration_text(IDLE)})",
    )
    parser.add_argument(
        "--rm", action="store_true", help="delete it when the shell has ended; not when the link has broken"
    )
    parser.add_argument("--dry-run", action="store_true", help="only print the exact objects, as YAML")
    parser.epilog = (
        f"It may run for {duration_text(MAX_RUNTIME)} where --max-runtime says nothing else; "
        "`traindeck extend NAME 4h` raises that.\n"
        "Not used: less than 2 % of a core, no work on its GPUs, nothing typed or printed in its terminals."
    )
    add_field_flags(parser)


def _idle(text: str) -> int:
    return 0 if text.lower() == "off" else seconds(text)


async def dev(args: argparse.Namespace, backend: JobBackend) -> int:
    """Make a dev job, or go to one that is there; wait until it runs, and open a shell in it."""
    from tui.cli.raw_terminal import is_terminal  # noqa: PLC0415  not on the way of a refusal

    executor = with_exec(backend)
    job = await _there(args, backend) or await _made(args, backend)
    if job is None:
        return 0
    job = await _running(backend, job)
    terminal = is_terminal()
    if terminal:
        stdout.line(f"connecting to {clean(job.name, 200)} ...")
    code, known = UNKNOWN, False
    try:
        code, known = await attach(executor, ExecQuery(ref=job.ref, stdin=True), terminal=terminal)
    finally:
        if not (known and args.rm):
            await say_farewell(backend, job, code)
    if known and args.rm:
        await delete_job(job, backend)
    return code


async def _there(args: argparse.Namespace, backend: JobBackend) -> Job | None:
    """Return the dev job of that name; None where there is none. Raises Refused for one that has ended."""
    name = args.job or args.name
    if not name:
        return None
    query = JobQuery(name=name, namespace=args.scope or backend.namespace)
    for job in await list_all_jobs(backend, query):
        if not is_dev(job.spec) or job.read_only:
            continue
        if job.ended:
            raise Refused(
                f"The dev job {job.name} has ended: {job.state.value}.",
                f"`traindeck delete {job.name}` makes room for another; or choose another name.",
            )
        if any(value for field, value in field_flags(args).items() if field not in ("name", "namespace")):
            print_message(f"{job.name} is there already, and stays as it is.")
        return job
    return None


async def _made(args: argparse.Namespace, backend: JobBackend) -> Job | None:
    """Create a dev job; None for a dry run."""
    raw = field_flags(args)
    name = args.job or raw.get("name", "")
    if not name:
        there = await list_all_jobs(backend, JobQuery(namespace=args.scope or backend.namespace))
        name = suggest_name(["dev"], [job.name for job in there])
    fields = {"max_runtime": MAX_RUNTIME, "kind": "job"} | raw | {"name": name}
    return await create_job(args, backend, dev_spec(parse_spec(fields), args.idle))


async def _running(backend: JobBackend, job: Job) -> Job:
    """Return the job when it runs; say meanwhile what it waits for. Raises Refused for one that ended."""
    said = ""

    def runs(now: Job) -> bool:
        nonlocal said
        words = f"{now.name}: {now.state.value.lower()}" + (f", {now.reason}" if now.reason else "")
        if words != said and now.state is not JobState.RUNNING:
            said = words
            print_message(words)
        return now.ended or now.state is JobState.RUNNING

    try:
        now = await wait_until(backend, job.ref, runs)
    except (asyncio.CancelledError, BackendError):
        print_message(left_waiting(job))
        raise
    if now is None:
        raise NotFound(f"{job.name} is gone.")
    if now.ended:
        why = no_shell(now) or (sentence(now.reason) if now.reason else "")
        raise Refused(f"{now.name} has not started: {now.state.value}.", why)
    return now


DEV = BackendHandler(dev, add_dev_flags)
