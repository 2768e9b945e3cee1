"""What owns the parts of a log pane, without an App: its timers and workers run when the test says so."""

from collections.abc import Callable
from typing import Any

from textual.message import Message


class Handle:
    """A timer or a worker that can be taken back."""

    def __init__(self, take_back: Callable[[], None]) -> None:
        self.stop = self.cancel = take_back


class LogHost:
    """A `tui.log.host.Host`."""

    def __init__(self) -> None:
        self.timers: list[Callable[[], None]] = []
        self.workers: dict[str, Any] = {}
        self.messages: list[Any] = []
        self.answer: Callable[[Any], object] = lambda _message: None

    def set_timer(self, _delay: float, callback: Callable[[], None]) -> Handle:
        self.timers.append(callback)
        return Handle(lambda: self.timers.remove(callback))

    def run_worker(self, work: Any, *, group: str, **_options: bool) -> Handle:
        self.workers[group] = work
        return Handle(lambda: self.workers.pop(group, None) and None)

    def post_message(self, message: Message) -> bool:
        self.messages.append(message)
        self.answer(message)
        return True

    def pass_time(self) -> None:
        """Every timer is due."""
        due, self.timers = self.timers, []
        for callback in due:
            callback()

    async def work(self, group: str) -> None:
        """The newest worker of a group does its work, if there is one."""
        if work := self.workers.pop(group, None):
            await work()
