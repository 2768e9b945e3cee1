"""The guard of a supervisor: ends what a job leaves whose supervisor was killed. Standard library alone.

It is the supervisor's parent and sleeps until that has ended, however it did. It holds the job's lock too,
so that nobody records the job as dead before nothing of it is left.
"""

import contextlib
import os
import signal
import time
from typing import NoReturn

from backend_client.local.job_processes import descendants, is_anything_left, kill_all
from backend_client.local.process import adopt_orphans

_PAUSE, _LONGEST_PAUSE = 0.02, 5.0


def fork_under_guard() -> None:
    """Fork: return in the child, which is guarded; this process stays as its guard, and never returns."""
    adopt_orphans()
    supervisor = os.fork()
    if supervisor:
        _guard(supervisor)


def _guard(supervisor: int) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # whoever sends these means the supervisor
        signal.signal(number, signal.SIG_IGN)
    close_streams()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(supervisor, 0)
    pause = _PAUSE
    while is_anything_left():
        kill_all(lambda: descendants(os.getpid()))
        _reap()
        time.sleep(pause)
        pause = min(_LONGEST_PAUSE, 2 * pause)  # it hangs in a driver
    os._exit(0)


def close_streams() -> None:
    """Let go of the client's pipes: it waits for their end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    os.close(nothing)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
