"""The two lines around a log: its title, and the one to type a search or a file name in."""

from collections.abc import Callable

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from backend_client.text.sanitize import clean

Answer = Callable[[str], None]
"""Gets the text that stands in the line."""


class LogTitle(Widget):
    """Names the job of a log on the left, and says on the right how the log stands."""

    job_name: reactive[str] = reactive("")
    status: reactive[str] = reactive("")
    active: reactive[bool] = reactive(False)
    """Its log has the keys, and is one of several."""

    def render(self) -> Content:
        name = (f">{self.job_name}", "bold $primary") if self.active else (f" {self.job_name}", "bold")
        left = Content.assemble(name, "  log" if self.job_name else "")
        room = self.size.width - left.cell_length - 3
        status = clean(self.status, room) if room > 3 else ""
        gap = max(1, self.size.width - left.cell_length - len(status) - 1)
        return Content.assemble(left, " " * gap, (status, "$text-muted"))


class LogInput(Input):
    """One line that asks: for a search, or for a file. Hidden until it does."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.display = False
        self._changed: Answer | None = None
        self._submitted: Answer | None = None
        self._cancelled: Answer | None = None

    def ask(
        self, value: str, placeholder: str, *, changed: Answer, submitted: Answer, cancelled: Answer
    ) -> None:
        """Show it and take the keys.

        `changed` gets the text whenever it changes, `submitted` with enter, `cancelled` with escape.
        """
        self._changed = None
        self.placeholder, self.value, self.cursor_position = placeholder, value, len(value)
        self._changed, self._submitted, self._cancelled = changed, submitted, cancelled
        self.display = True
        self.screen.set_focus(self)

    def validate_value(self, value: str) -> str:
        return clean(value, 1000)

    def watch_value(self, value: str) -> None:
        if self._changed:
            self._changed(value)

    def on_key(self, event: events.Key) -> None:
        """Act on enter and escape at once, so that keys typed close behind them go where they belong."""
        answer = {"enter": self._submitted, "escape": self._cancelled}.get(event.key)
        if self.screen.focused is not self:
            self.app.post_message(events.Key(event.key, event.character))
        elif answer:
            answer(self.value)
        else:
            return
        event.stop()
        event.prevent_default()
