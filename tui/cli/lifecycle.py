"""`stop`, `resume` and `delete`: each NAME by itself, so that one that fails does not spare the others."""

import argparse
from collections.abc import Awaitable, Callable

from backend_client.errors import BackendError
from backend_client.logs.source_or_copy import delete_with_copy
from backend_client.models import Job
from backend_client.protocol import JobBackend
from backend_client.text.questions import lost_by_stop
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import add_selection_flags, find_job, select_jobs
from tui.cli.output import job_fields, print_as, print_data, print_error, print_message
from tui.cli.prompt import confirm, is_interactive


def add_stop_flags(parser: Parser) -> None:
    """Add the flags of `stop`."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="the jobs")
    add_selection_flags(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def add_resume_flags(parser: Parser) -> None:
    """Add the flags of `resume`."""
    add_stop_flags(parser)


def add_delete_flags(parser: Parser) -> None:
    """Add the flags of `delete`."""
    add_stop_flags(parser)
    parser.add_argument("--no-wait", action="store_true", help="do not wait until all of it is gone")


async def stop(args: argparse.Namespace, backend: JobBackend) -> int:
    """End jobs; asks only where they are not named."""

    async def one(job: Job) -> Job:
        if job.ended:
            print_message(f"{job.name} has ended already: {job.state.value}")
            return job
        stopped = _print_state(await backend.stop(job.ref))
        if lost := lost_by_stop(backend):
            print_message(lost)
        return stopped

    return await _change_each(args, backend, one, "stop")


async def resume(args: argparse.Namespace, backend: JobBackend) -> int:
    """Resume jobs that were stopped."""

    async def one(job: Job) -> Job:
        return _print_state(await backend.resume(job.ref))

    return await _change_each(args, backend, one, "resume")


def _print_state(job: Job) -> Job:
    print_message(f"{job.name}: {job.state.value.lower()}")
    return job


async def _change_each(
    args: argparse.Namespace, backend: JobBackend, change: Callable[[Job], Awaitable[Job]], verb: str
) -> int:
    """Change the job of every NAME, then print them all as they are now."""
    changed: list[Job] = []

    async def one(job: Job) -> None:
        changed.append(await change(job))

    code = await _for_each_name(args, backend, one, verb)
    if args.output == "name":
        print_data("\n".join(job.name for job in changed))
    else:
        print_as(args.output, lambda: [job_fields(job) for job in changed])
    return code


async def delete(args: argparse.Namespace, backend: JobBackend) -> int:
    """Delete jobs; asks on a terminal, and needs --yes without one."""
    if not args.yes and not is_interactive():
        print_message("delete asks first, and there is no terminal to ask on: give --yes")
        return 2

    async def one(job: Job) -> None:
        running = "" if job.ended else ", which stops it first"
        if (
            args.names
            and not args.yes
            and not confirm(f"Delete {job.name} ({job.state.value}) and its log{running}?")
        ):
            print_message(f"{job.name} stays")
            return
        await delete_job(job, backend, wait=not args.no_wait)
        if args.output == "name":
            print_data(job.name)

    return await _for_each_name(args, backend, one, "delete")


async def delete_job(job: Job, backend: JobBackend, *, wait: bool = True) -> None:
    """Delete a job and what is kept of its log, and say how that goes."""
    hint_shown = False
    async for step in delete_with_copy(backend, job.ref, wait=wait):
        print_message(f"{job.name}: {step.message}")
        if step.slow and not hint_shown:
            hint_shown = True
            print_message(
                f"Ctrl-C, then `traindeck delete {job.name} --no-wait`, leaves the rest to the context."
            )
    print_message(f"{job.name} is deleted" if wait else f"{job.name}: not waited for")


async def _for_each_name(
    args: argparse.Namespace, backend: JobBackend, action: Callable[[Job], Awaitable[None]], verb: str
) -> int:
    """Do something to the job of every NAME, or to all that are selected, which are shown first.

    Return the exit code of the first that failed.
    """
    selected = await select_jobs(args, backend)
    if not args.names and not _confirm_selected(selected, verb, yes=args.yes):
        return 2
    by_name: dict[str, Job | None] = {job.ref.uid: job for job in selected} or dict.fromkeys(args.names)
    codes = []
    for name, job in by_name.items():
        try:
            await action(job or await find_job(backend, name, args.scope))
        except BackendError as error:
            print_error(error, job.name if job else name)
            codes.append(error.exit_code)
    if codes and len(by_name) > 1:
        print_message(f"{len(by_name) - len(codes)} of {len(by_name)} done, {len(codes)} failed")
    return codes[0] if codes else 0


def _confirm_selected(jobs: list[Job], verb: str, *, yes: bool) -> bool:
    """Show the jobs that were selected, not named, and ask for all of them at once."""
    print_message(f"{len(jobs)} selected{': ' if jobs else ''}{', '.join(job.name for job in jobs)}")
    if yes or not jobs:
        return True
    if not is_interactive():
        print_message(f"{verb} asks about jobs that are not named, and there is no terminal: give --yes")
        return False
    if not confirm(f"{verb.capitalize()} all {len(jobs)}?"):
        print_message("Nothing was changed.")
        return False
    return True


STOP = BackendHandler(stop, add_stop_flags)
RESUME = BackendHandler(resume, add_resume_flags)
DELETE = BackendHandler(delete, add_delete_flags)
