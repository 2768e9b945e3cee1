"""The two lines around a log: its title, and the one to type a search or a file name in."""

from collections.abc import Callable

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from tui.ui.sanitize import clean

Answer = Callable[[str], None]


class LogTitle(Widget):
    """Whose log it is on the left, how it stands on the right."""

    whose: reactive[str] = reactive("")
    state: reactive[str] = reactive("")
    pointed: reactive[bool] = reactive(False)
    """Its log has the keys, and is one of several."""

    def render(self) -> Content:
        name = (f">{self.whose}", "bold $primary") if self.pointed else (f" {self.whose}", "bold")
        left = Content.assemble(name, "  log" if self.whose else "")
        room = self.size.width - left.cell_length - 3
        state = clean(self.state, room) if room > 3 else ""
        gap = max(1, self.size.width - left.cell_length - len(state) - 1)
        return Content.assemble(left, " " * gap, (state, "$text-muted"))


class LogInput(Input):
    """One line that asks: for a search, or for a file. Hidden until it does."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.display = False
        self._typed: Answer | None = None
        self._done: Answer | None = None
        self._left: Answer | None = None

    def ask(self, value: str, placeholder: str, *, typed: Answer, done: Answer, left: Answer) -> None:
        """Show it and take the keys: `typed` at every change, `done` with enter, `left` with escape."""
        self._typed = None
        self.placeholder, self.value, self.cursor_position = placeholder, value, len(value)
        self._typed, self._done, self._left = typed, done, left
        self.display = True
        self.screen.set_focus(self)

    def validate_value(self, value: str) -> str:
        return clean(value, 1000)

    def watch_value(self, value: str) -> None:
        if self._typed:
            self._typed(value)

    def on_key(self, event: events.Key) -> None:
        """Enter and escape act at once, so that keys typed close behind them go where they belong."""
        answer = {"enter": self._done, "escape": self._left}.get(event.key)
        if self.screen.focused is not self:
            self.app.post_message(events.Key(event.key, event.character))
        elif answer:
            answer(self.value)
        else:
            return
        event.stop()
        event.prevent_default()
