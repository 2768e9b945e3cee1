"""`logs` and `wait`, and what `submit --follow` does: both at once."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial

from backend_client.errors import BackendError
from backend_client.logs.follow import follow
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import (
    Changed,
    Gap,
    Gone,
    JobBackend,
    Lines,
    LogQuery,
    Opened,
    Scope,
    Snapshot,
    Synced,
)
from tui.cli.arguments import Parser, one_of, seconds, whole_number
from tui.cli.handlers import BackendHandler
from tui.cli.log_text import PipeWriter, TerminalWriter
from tui.cli.lookup import find_job
from tui.cli.output import job_fields, print_as, print_error, print_message
from tui.log.empty_reason import lost_by_stop

STOPPED = 143
TIMED_OUT = 124
UNKNOWN = 125


def add_logs_flags(parser: Parser) -> None:
    """Add the flags of `logs`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job ends")
    parser.add_argument("--tail", type=whole_number, metavar="N", help="only the last N lines")
    parser.add_argument("--since", type=seconds, metavar="TIME", help="only lines of the last TIME: 5m")
    parser.add_argument(
        "--attempt", type=whole_number, metavar="N", help="this attempt (default: the newest)"
    )
    parser.add_argument("--rank", type=whole_number, metavar="N", help="only this rank or replica, from 0")
    parser.add_argument("--timestamps", action="store_true", help="when each line was written, in UTC")


async def logs(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print a log: into a pipe byte for byte, on a terminal cleaned."""
    job = await find_job(backend, args.name, args.scope)
    query = LogQuery(
        ref=job.ref,
        follow=args.follow,
        tail=args.tail,
        since=datetime.now(UTC) - timedelta(seconds=args.since) if args.since else None,
        attempt=args.attempt,
        rank=args.rank,
    )
    if not await _print_log(backend, query, timestamps=args.timestamps):
        lost = lost_by_stop(backend) if job.state in (JobState.STOPPING, JobState.STOPPED) else ""
        nothing = (
            f"{job.name} has printed nothing{': ' if job.reason else ''}{job.reason} ({job.state.value})"
        )
        print_message(f"{job.name}: {job.state.value}. {lost}" if lost else nothing)
    return 0


async def follow_until_end(backend: JobBackend, ref: JobRef) -> int:
    """Print the log as it comes; return the job's own exit code, or 125 if it is unknown."""
    try:
        await _print_log(backend, LogQuery(ref=ref, follow=True))
        return _exit_code(await wait_until(backend, ref, lambda job: job.ended))
    except BackendError as error:
        print_error(error)
        return UNKNOWN
    except asyncio.CancelledError:  # ctrl+c
        print_message(f"{ref.name} goes on; `traindeck logs -f {ref.name}` follows it again.")
        raise


async def _print_log(backend: JobBackend, query: LogQuery, *, timestamps: bool = False) -> bool:
    """Print a log. Return True if there was anything to print."""
    writer = TerminalWriter(timestamps) if sys.stdout.isatty() else PipeWriter(timestamps)
    attempt, printed = 0, False
    async with aclosing(follow(backend, query)) as batches:
        async for batch in batches:
            for item in batch:
                if isinstance(item, Lines):
                    printed = True
                    writer.write(item)
                elif isinstance(item, Gap):
                    print_message(f"-- lines are missing here: {item.why}")
                elif isinstance(item, Opened):
                    if attempt not in (0, item.source.attempt):
                        print_message(f"-- attempt {item.source.attempt}")
                    attempt = item.source.attempt
            sys.stdout.flush()
    writer.end()
    return printed


def add_wait_flags(parser: Parser) -> None:
    """Add the flags of `wait`."""
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument(
        "--for",
        dest="goal",
        default="finished",
        type=one_of("finished", "running"),
        metavar="finished|running",
        help="what to wait for (default: finished)",
    )
    parser.add_argument("--timeout", type=seconds, default=0, metavar="TIME", help="give up after TIME: 10m")


async def wait(args: argparse.Namespace, backend: JobBackend) -> int:
    """Wait for a job, and end with its exit code."""
    ref = (await find_job(backend, args.name, args.scope)).ref
    try:
        async with asyncio.timeout(args.timeout or None):
            job = await wait_until(backend, ref, _CONDITIONS[args.goal])
    except TimeoutError:
        print_message(f"{ref.name}: the time is over")
        return TIMED_OUT
    except BackendError as error:
        print_error(error)
        return UNKNOWN
    if job and not print_as(args.output, partial(job_fields, job)):
        print_message(f"{job.name}: {job.state.value}" + (f", {job.reason}" if job.reason else ""))
    return 0 if job and job.state is JobState.RUNNING else _exit_code(job)


_CONDITIONS: dict[str, Callable[[Job], bool]] = {
    "finished": lambda job: job.ended,
    "running": lambda job: job.ended or job.state is JobState.RUNNING,
}


def _exit_code(job: Job | None) -> int:
    """Return the exit code that tells how a job ended."""
    if job is None:
        print_message("the job is gone; how it ended cannot be told")
        return UNKNOWN
    if job.state is JobState.STOPPED:
        return STOPPED
    if job.state is JobState.SUCCEEDED:
        return 0
    return UNKNOWN if job.exit_code is None else job.exit_code or 1


async def wait_until(backend: JobBackend, ref: JobRef, condition: Callable[[Job], bool]) -> Job | None:
    """Return the job as soon as `condition(job)` holds; None if it is gone. Raises a BackendError."""
    seen = False
    async with aclosing(backend.watch([Scope(ref.namespace)])) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for event in batch:
                if isinstance(event, Snapshot | Changed):
                    for job in event.jobs:
                        if job.ref.uid == ref.uid:
                            seen = True
                            if condition(job):
                                return job
                elif (isinstance(event, Synced) and not seen) or (
                    isinstance(event, Gone) and ref.uid in {gone.uid for gone in event.refs}
                ):
                    return None
                elif isinstance(event, Synced):
                    seen = False
    return None


LOGS = BackendHandler(logs, add_logs_flags)
WAIT = BackendHandler(wait, add_wait_flags)
