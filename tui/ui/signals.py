"""Ends the program on SIGTERM and SIGHUP, and when its terminal is gone."""

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Callable

_STUCK_AFTER = 5


def watch(leave: Callable[[int], None]) -> contextlib.ExitStack:
    """Call `leave` with the exit code on a signal or a hang-up. Closing the returned stack ends the watch.

    An end that gets stuck, on a terminal that takes nothing any more, is cut short after 5 s.
    """
    loop = asyncio.get_running_loop()
    watching = contextlib.ExitStack()

    def go(number: int) -> None:
        watching.close()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_STUCK_AFTER)
        leave(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, go, number)
    if hasattr(select, "epoll") and os.isatty(0):
        # No event is asked for, so only a terminal that hangs up is told: no timer, no waking up.
        hang_up = watching.enter_context(select.epoll())
        hang_up.register(0, 0)
        loop.add_reader(hang_up.fileno(), go, signal.SIGHUP)
        watching.callback(loop.remove_reader, hang_up.fileno())
    return watching
