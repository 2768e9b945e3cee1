"""`wait`, and how the end of a job becomes an exit code."""

import argparse
import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from backend_client.errors import BackendError
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import Changed, Gone, JobBackend, Scope, Snapshot, Synced, WatchEvent
from tui.cli.alert_flag import AlertFired, alert_rules
from tui.cli.arguments import Parser, one_of, seconds
from tui.cli.exit_codes import ALERTED, STOPPED, TIMED_OUT, UNKNOWN
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import add_selection_flags, find_job, select_jobs
from tui.cli.output import job_fields, print_as, print_error, print_message

if TYPE_CHECKING:
    from tui.cli.alerted_wait import AlertedWait


def add_wait_flags(parser: Parser) -> None:
    """Add the flags of `wait`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="the jobs")
    add_selection_flags(parser)
    parser.add_argument(
        "--for",
        dest="goal",
        default="finished",
        type=one_of("finished", "running"),
        metavar="finished|running",
        help="what to wait for (default: finished)",
    )
    parser.add_argument("--timeout", type=seconds, default=0, metavar="TIME", help="give up after TIME: 10m")
    parser.add_argument(
        "--alert",
        type=alert_rules,
        default=None,
        metavar="RULE[=T],...",
        help="end with exit code 123 when one of these fires: gpu-idle=30m,silent",
    )


async def wait(args: argparse.Namespace, backend: JobBackend) -> int:
    """Wait for jobs, and end with the exit code of the first that is not 0."""
    selected = await select_jobs(args, backend)
    by_name: dict[str, Job | None] = {job.ref.uid: job for job in selected} or dict.fromkeys(args.names)
    if not by_name:
        print_message("No job is like that.")
    codes, ended = [], list[Job]()
    alerted = await _look_for_alerts(args, backend, by_name) if args.alert else None
    try:
        async with asyncio.timeout(args.timeout or None):
            for name, job in by_name.items():
                codes.append(await _wait_for(args, backend, job, name, ended, alerted))
    except TimeoutError:
        waited = list(by_name.items())[len(codes) :]
        print_message(f"{', '.join(job.name if job else name for name, job in waited)}: the time is over")
        codes.append(TIMED_OUT)
    except AlertFired as fired:
        print_message(f"alert {fired.alert.rule}: {fired.alert.sentence}")
        codes.append(ALERTED)
    if ended:
        print_as(
            args.output,
            lambda: [job_fields(job) for job in ended] if len(by_name) > 1 else job_fields(ended[0]),
        )
    return next((code for code in codes if code), 0)


async def _look_for_alerts(
    args: argparse.Namespace, backend: JobBackend, by_name: dict[str, Job | None]
) -> "AlertedWait":
    """Begin to look at all the jobs; one that is not found is said when it is its turn."""
    from tui.cli.alerted_wait import AlertedWait  # noqa: PLC0415  the rules: only here, and seldom

    refs = []
    for name, job in by_name.items():
        with contextlib.suppress(BackendError):
            refs.append((job or await find_job(backend, name, args.scope)).ref)
    alerted = AlertedWait(backend, args.alert, refs)
    await alerted.start()
    return alerted


async def _wait_for(  # noqa: PLR0917  one of several that are waited for
    args: argparse.Namespace,
    backend: JobBackend,
    job: Job | None,
    name: str,
    ended: list[Job],
    alerted: "AlertedWait | None" = None,
) -> int:
    """Wait for one job, add it to `ended`, and return its exit code; 125 where that cannot be told."""
    try:
        ref = (job or await find_job(backend, name, args.scope)).ref
        end = wait_until(backend, ref, _CONDITIONS[args.goal], alerted.look if alerted else None)
        now = await (alerted.run(end) if alerted else end)
    except BackendError as error:
        print_error(error)
        return UNKNOWN
    if now:
        ended.append(now)
        if args.output not in ("json", "yaml"):
            print_message(f"{now.name}: {now.state.value}" + (f", {now.reason}" if now.reason else ""))
    return 0 if now and now.state is JobState.RUNNING else exit_code(now)


_CONDITIONS: dict[str, Callable[[Job], bool]] = {
    "finished": lambda job: job.ended,
    "running": lambda job: job.ended or job.state is JobState.RUNNING,
}


def exit_code(job: Job | None) -> int:
    """Return the exit code that tells how a job ended."""
    if job is None:
        print_message("the job is gone; how it ended cannot be told")
        return UNKNOWN
    if job.state is JobState.STOPPED:
        return STOPPED
    if job.state is JobState.SUCCEEDED:
        return 0
    return UNKNOWN if job.exit_code is None else job.exit_code or 1


async def wait_until(
    backend: JobBackend,
    ref: JobRef,
    condition: Callable[[Job], bool],
    look: Callable[[Sequence[WatchEvent]], None] | None = None,
) -> Job | None:
    """Return the job as soon as `condition(job)` holds; None if it is gone. Raises a BackendError.

    `look` gets each batch of the watch, before.
    """
    seen = False
    async with aclosing(backend.watch([Scope(ref.namespace)])) as batches:  # type: ignore[type-var]
        async for batch in batches:
            if look:
                look(batch)
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


WAIT = BackendHandler(wait, add_wait_flags)
