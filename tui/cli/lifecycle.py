"""`stop`, `resume` and `delete`: each NAME by itself, so that one that fails does not spare the others."""

import argparse
from collections.abc import Awaitable, Callable

from backend_client.errors import BackendError
from backend_client.models import Job
from backend_client.protocol import JobBackend
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find
from tui.cli.output import complain, job_fields, put, put_as, say
from tui.cli.prompt import agreed, has_person


def add_stop_flags(parser: Parser) -> None:
    """What `stop` takes."""
    parser.add_argument("names", metavar="NAME", nargs="+", help="the jobs")


def add_resume_flags(parser: Parser) -> None:
    """What `resume` takes."""
    add_stop_flags(parser)


def add_delete_flags(parser: Parser) -> None:
    """What `delete` takes."""
    add_stop_flags(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until all of it is gone")


async def stop(args: argparse.Namespace, backend: JobBackend) -> int:
    """End jobs; never asks."""

    async def one(job: Job) -> Job:
        if job.ended:
            say(f"{job.name} has ended already: {job.state.value}")
            return job
        return _told(await backend.stop(job.ref))

    return await _changed(args, backend, one)


async def resume(args: argparse.Namespace, backend: JobBackend) -> int:
    """Go on with jobs that were stopped."""

    async def one(job: Job) -> Job:
        return _told(await backend.resume(job.ref))

    return await _changed(args, backend, one)


def _told(after: Job) -> Job:
    say(f"{after.name}: {after.state.value.lower()}")
    return after


async def _changed(
    args: argparse.Namespace, backend: JobBackend, change: Callable[[Job], Awaitable[Job]]
) -> int:
    """Change every NAME, then print them as they are now."""
    now: list[Job] = []

    async def one(job: Job) -> None:
        now.append(await change(job))

    code = await _each(args, backend, one)
    if args.output == "name":
        put("\n".join(job.name for job in now))
    else:
        put_as(args.output, lambda: [job_fields(job) for job in now])
    return code


async def delete(args: argparse.Namespace, backend: JobBackend) -> int:
    """Remove jobs; asks on a terminal, and wants --yes without one."""
    if not args.yes and not has_person():
        say("delete asks first, and there is no terminal to ask on: give --yes")
        return 2

    async def one(job: Job) -> None:
        running = "" if job.ended else ", which stops it first"
        if not args.yes and not agreed(f"Delete {job.name} ({job.state.value}) and its log{running}?"):
            say(f"{job.name} stays")
            return
        await _deleted(job, backend, wait=not args.no_wait)
        if args.output == "name":
            put(job.name)

    return await _each(args, backend, one)


async def _deleted(job: Job, backend: JobBackend, *, wait: bool) -> None:
    hinted = False
    async for step in backend.delete(job.ref, wait=wait):
        say(f"{job.name}: {step.message}")
        if step.slow and not hinted:
            hinted = True
            say(f"Ctrl-C, then `traindeck delete {job.name} --no-wait`, leaves the rest to the context.")
    say(f"{job.name} is deleted" if wait else f"{job.name}: not waited for")


async def _each(args: argparse.Namespace, backend: JobBackend, one: Callable[[Job], Awaitable[None]]) -> int:
    """Do it to every NAME. The exit code of the first that failed."""
    codes = []
    for name in dict.fromkeys(args.names):
        try:
            await one(await find(backend, name, args.scope))
        except BackendError as error:
            complain(error, name)
            codes.append(error.exit_code)
    return codes[0] if codes else 0


STOP = BackendHandler(stop, add_stop_flags)
RESUME = BackendHandler(resume, add_resume_flags)
DELETE = BackendHandler(delete, add_delete_flags)
