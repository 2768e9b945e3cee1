"""One field of a person's wishes: its name, what is written, what it is, and below it what is wrong."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from backend_client.text.sanitize import clean
from tui.ui.inputs import LineInput, from_line


class WishField(Widget):
    """`text` is empty where the default holds, which it shows."""

    def __init__(self, key: str, label: str, default: str, title: str, about: str) -> None:
        super().__init__()
        self.key, self.label, self.title, self.about = key, label, title, about
        self.line = LineInput("", default)
        self.line.browse = self._go

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(Content(self.label), classes="label")
            yield self.line
            yield Static(Content(self.title), classes="hint")
        yield Static(classes="message", markup=False)

    def _go(self, step: int) -> bool:
        """Go to the field below or above: there is no history here."""
        self.screen.focus_next() if step > 0 else self.screen.focus_previous()
        return True

    def on_input_submitted(self, event: LineInput.Submitted) -> None:
        """Go on to the next field."""
        event.stop()
        self._go(1)

    @property
    def text(self) -> str:
        """What is written. Raises ValueError (a sentence) where part of it cannot be shown."""
        return from_line(self.line.value.strip())

    def set_text(self, text: str) -> None:
        """Show a text as it was kept."""
        self.line.value = text
        self.line.cursor_position = len(self.line.value)

    def set_error(self, words: str) -> None:
        """Show what is wrong with it; "" for nothing."""
        message = self.query_one(".message", Static)
        message.display = bool(words)
        message.update(Content(clean(words, 300)))
        self.set_class(bool(words), "wrong")
