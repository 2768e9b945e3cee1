"""Start one command as the first process of a session of its own. Standard library alone."""

import ctypes
import fcntl
import os
import signal
import termios
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


class CannotStart(Exception):
    """The command did not start; `code` is a shell's (127 not found, 126 not executable)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def adopt_orphans() -> None:
    """Make this process the parent of what its descendants leave behind."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    workdir: str,
    out: int,
    err: int,
    stdin: int | None = None,
    keep: Iterable[int] = (),
) -> int:
    """Start a command, which leads a new session and dies when this process does; return its pid.

    `out`, `err`: where it writes; `stdin`: what it reads, else nothing; a terminal is the session's own.
    `keep`: further descriptors that it inherits. Raises CannotStart.
    """
    fails, fails_in = os.pipe()
    parent, nothing = os.getpid(), os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    reads = nothing if stdin is None else stdin
    pid = os.fork()
    if pid == 0:
        _child(command, env, workdir, (reads, out, err), keep=keep, fails=fails_in, parent=parent)
    os.close(fails_in)
    os.close(nothing)
    with os.fdopen(fails, "rb") as file:
        answer = file.read()
    if answer:
        os.waitpid(pid, 0)
        number, _, where = answer.decode(errors="surrogateescape").partition(" ")
        raise _start_error(command[0], workdir, where, int(number))
    return pid


def _start_error(program: str, workdir: str, where: str, number: int) -> CannotStart:
    words = os.strerror(number)
    if where == "workdir":
        return CannotStart(126, f"cannot enter its workdir {workdir}: {words}")
    if number == 2:
        return CannotStart(127, f"command not found: {program}")
    return CannotStart(126, f"cannot run {program}: {words}")


def _child(
    command: Sequence[str],
    env: Mapping[str, str],
    workdir: str,
    streams: tuple[int, int, int],
    *,
    keep: Iterable[int],
    fails: int,
    parent: int,
) -> NoReturn:
    where = "workdir"
    try:
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        for target, fd in enumerate(streams):
            os.dup2(fd, target)
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for fd in keep:
            os.set_inheritable(fd, True)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(workdir)
        where = "exec"
        os.execvpe(command[0], list(command), env)  # noqa: S606  no shell is the point
    except OSError as error:
        os.write(fails, f"{error.errno} {where}".encode())
    finally:
        os._exit(127)
