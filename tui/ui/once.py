"""Call back once, after a while, however late that is."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from textual.timer import Timer

T_co = TypeVar("T_co", covariant=True)


class HasTimers(Protocol[T_co]):
    """Whoever sets timers: a screen, a widget."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> T_co:
        """Call back after some seconds."""
        ...


def once(owner: HasTimers[T_co], seconds: float, callback: Callable[[], None]) -> T_co:
    """Call back once, after so many seconds, and later where the program is held up. Returns the timer.

    Textual leaves out what a timer is late for, be it all that a one-shot timer was set for: one of a
    millisecond never ticks where its task loses the processor for as long (textual/timer.py, `Timer._run`).
    """
    timer = owner.set_timer(seconds, callback)
    if isinstance(timer, Timer):
        timer._skip = False  # noqa: SLF001  `set_timer` does not take it
    return timer
