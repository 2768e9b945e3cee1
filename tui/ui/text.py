"""A text to read, scroll and copy: a spec file, an error, anything in words."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from backend_client.text.sanitize import clean, clean_block

_COPY_AT_MOST = 70_000


class TextScreen(ModalScreen[None]):
    """Shows `text` under `title`; both may come from anywhere."""

    CSS_PATH = "text.tcss"
    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", show=False),
        Binding("Y", "copy", show=False),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = clean(title, 300), clean_block(text)

    def compose(self) -> ComposeResult:
        yield Static(Content.styled(f" {self._title}", "bold"), id="title")
        with VerticalScroll():
            yield Static(Content(self._text))
        yield Static(Content(" escape back   Y copy"), id="keys")

    def action_copy(self) -> None:
        """Put the text into the terminal's clipboard."""
        self.app.copy_to_clipboard(self._text[:_COPY_AT_MOST])
        cut = f"the first {_COPY_AT_MOST} characters" if len(self._text) > _COPY_AT_MOST else "the text"
        self.app.notify(f"Asked the terminal to copy {cut}.")

    def action_down(self) -> None:
        """Scroll a line on."""
        self.query_one(VerticalScroll).scroll_down(animate=False)

    def action_up(self) -> None:
        """Scroll a line back."""
        self.query_one(VerticalScroll).scroll_up(animate=False)
