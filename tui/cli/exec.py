"""`exec` and `shell`: a command, or a shell, in a running job."""

import argparse
import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgspec.structs import replace

from backend_client.dev.job import is_dev
from backend_client.errors import BackendError, Invalid, Refused, Unreachable, sentence
from backend_client.exec_session import ExecEnding, ExecQuery, HasExec
from backend_client.models import Job
from backend_client.protocol import Feature, JobBackend, Use
from backend_client.text.attempts import has_ranks
from backend_client.text.sanitize import clean
from tui.cli.arguments import Parser, whole_number
from tui.cli.exit_codes import UNKNOWN
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import print_message
from tui.cli.streams import stderr, stdout

_KILLED = (128 + signal.SIGKILL, 128 + signal.SIGHUP, 128 + signal.SIGTERM)


def add_exec_flags(parser: Parser) -> None:
    """Add the flags of `exec`."""
    _add_common_flags(parser)
    parser.add_argument("-i", "--stdin", action="store_true", help="it reads what this command reads")
    parser.add_argument("-t", "--tty", action="store_true", help="it runs in a terminal, and reads your keys")
    parser.extra_word_hint = "; the command stands behind --"
    parser.epilog = (
        "The words behind -- are the command, as they stand; it ends with the command's own exit code.\n"
        "Without -t output comes byte for byte: traindeck exec NAME -- tar c /out | tar x"
    )


def add_shell_flags(parser: Parser) -> None:
    """Add the flags of `shell`."""
    _add_common_flags(parser)
    parser.epilog = "Enter, then ~. leaves it, also where nothing answers any more; ~~ is a tilde."


def _add_common_flags(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the job")
    parser.add_argument("--rank", type=whole_number, metavar="N", help="in this rank or replica (default: 0)")


async def exec(args: argparse.Namespace, backend: JobBackend) -> int:  # noqa: A001  as the verb
    """Run a command in a job; return its exit code."""
    if not args.command:
        hint = f"Put it behind --: traindeck exec {args.name} -- nvidia-smi; `traindeck shell` opens a shell."
        raise Invalid({"command": "say what to run"}, hint=hint)
    return await _run(args, backend, tuple(args.command), stdin=args.stdin, tty=args.tty)


async def shell(args: argparse.Namespace, backend: JobBackend) -> int:
    """Open a shell in a job: in a terminal where this is one, else with the commands that stdin has."""
    return await _run(args, backend, (), stdin=True, tty=None)


async def _run(
    args: argparse.Namespace, backend: JobBackend, argv: tuple[str, ...], *, stdin: bool, tty: bool | None
) -> int:
    """Run a command. `tty`: in a terminal; None where there is one."""
    from tui.cli.raw_terminal import is_terminal  # noqa: PLC0415  not on the way of a refusal

    executor = with_exec(backend)
    terminal = is_terminal() and tty is not False
    if tty and not terminal:
        print_message("There is no terminal here, so the command gets none.")
    if terminal:
        stdout.line(f"connecting to {clean(args.name, 200)} ...")
    job = await find_job(backend, args.name, args.scope)
    _say_which_rank(args, job)
    query = ExecQuery(ref=job.ref, rank=args.rank or 0, argv=argv, stdin=stdin)
    code, _ = await attach(executor, query, terminal=terminal)
    if terminal and not argv and is_dev(job.spec):
        await say_farewell(backend, job, code)
    return code


def with_exec(backend: JobBackend) -> HasExec:
    """Return a backend that runs commands in jobs. Raises Refused where it does not."""
    if not isinstance(backend, HasExec) or Feature.EXEC not in backend.features:
        why = backend.missing_features.get(Feature.EXEC, "")
        raise Refused(f"No command can be run in a job of {backend.context}.", sentence(why))
    return backend


async def attach(backend: HasExec, query: ExecQuery, *, terminal: bool) -> tuple[int, bool]:
    """Join a command, or a shell, with this process. Return its exit code, and whether that is known.

    `terminal`: it runs in a terminal, which is this one. Raises KeyboardInterrupt.
    """
    from tui.cli.attach import Attachment  # noqa: PLC0415  not on the way of a refusal
    from tui.cli.raw_terminal import terminal_size  # noqa: PLC0415  as above

    query = replace(
        query,
        stdin=query.stdin or terminal,
        terminal=terminal_size() if terminal else None,
        term=os.environ.get("TERM", ""),
    )
    with _ended_by_signals() as ended_by, suppress(asyncio.CancelledError):
        try:
            async with backend.open_exec(query) as session:
                ended = await Attachment(session, terminal=terminal, stdin=query.stdin).run()
        except Unreachable as error:
            raise Unreachable(error.title, error.hint or "What ran in the job may go on there.") from None
        return (
            (_exit_code(session.ending), session.ending.exit_code is not None) if ended else (UNKNOWN, False)
        )
    if ended_by:
        return 128 + ended_by[0], False
    raise KeyboardInterrupt


async def say_farewell(backend: JobBackend, job: Job, code: int) -> None:
    """Say to a person who leaves a dev job how to come back, and when it ends; or that it has ended.

    `code`: of the shell. One that was killed may have ended with its job, which does not show that yet.
    """
    from backend_client.text.dev import farewell  # noqa: PLC0415  few jobs are one

    with suppress(BackendError):
        job = await backend.get(job.ref)
    if job.ended:
        print_message(f"{job.name} has ended: {job.state.value}" + (f", {job.reason}" if job.reason else ""))
    elif code in _KILLED:
        print_message(f"The shell was ended from outside; `traindeck describe {job.name}` tells of the job.")
    else:
        print_message(farewell(job, keeps_files=backend.fields["volumes"].use is Use.REFUSED))


def _say_which_rank(args: argparse.Namespace, job: Job) -> None:
    if args.rank is None and has_ranks(job) and stderr.isatty():
        print_message("This is rank 0; --rank N is another.")


def _exit_code(ending: ExecEnding) -> int:
    if ending.exit_code is None:
        print_message(sentence(f"Nothing tells how it ended: {ending.message}"))
        return UNKNOWN
    if ending.message:
        print_message(ending.message)
    return ending.exit_code


@contextmanager
def _ended_by_signals() -> Iterator[list[int]]:
    """Leave the command on SIGTERM and SIGHUP as a person does: the terminal and the job are tidied up."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    came: list[int] = []

    def leave(number: int) -> None:
        came.append(number)
        if task:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, leave, number)
    try:
        yield came
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


EXEC = BackendHandler(exec, add_exec_flags)
SHELL = BackendHandler(shell, add_shell_flags)
