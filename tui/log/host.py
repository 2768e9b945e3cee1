"""What the parts of the log pane need of the widget that owns them. A test gives them something smaller."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from textual.message import Message

Work = Callable[[], Coroutine[None, None, None]]
"""What a worker runs."""


class Stoppable(Protocol):
    """A timer that has been set."""

    def stop(self) -> None:
        """Stop it before it is due."""


class Cancellable(Protocol):
    """A worker that has been started."""

    def cancel(self) -> None:
        """End it before it is done."""


class Host(Protocol):
    """Timers, workers and messages, as every Textual widget has them."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Stoppable:
        """Call `callback` once, after `delay` seconds."""
        ...

    # Any: against Textual's own type, a union of generics, mypy finds no narrower one to fit.
    def run_worker(self, work: Any, *, group: str, exclusive: bool, exit_on_error: bool) -> Cancellable:
        """Run `work` beside the user interface; `exclusive` ends the worker of the group before it."""
        ...

    def post_message(self, message: Message) -> bool:
        """Queue a message; a handler of the widget gets it."""
        ...


def start_worker(host: Host, group: str, work: Work) -> Cancellable:
    """Run `work` as the only worker of its group.

    Its body touches no widget: it posts messages, and the handlers of the widget act on them.
    """
    return host.run_worker(work, group=group, exclusive=True, exit_on_error=False)
