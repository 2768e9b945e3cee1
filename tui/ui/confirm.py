"""A question before something that cannot be taken back. The answer is no unless a person says yes."""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from backend_client.errors import sentence
from backend_client.text.sanitize import clean, clean_block


class ConfirmScreen(ModalScreen[bool]):
    """Dismisses with True where the person agrees; Enter and Escape mean no at first."""

    CSS_PATH = "confirm.tcss"
    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
    ]

    @dataclass(eq=False)
    class Forbidden(Message):
        """It may not be done, and why."""

        why: str

    def __init__(self, question: str, detail: str = "", yes: str = "OK", no: str = "Cancel") -> None:
        super().__init__()
        self._question, self._detail = clean(question, 300), clean_block(detail)
        self._yes, self._no = yes, no

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content.styled(self._question, "bold"), id="question")
            with VerticalScroll(can_focus=False):
                yield Static(Content(self._detail), id="detail")
            with Horizontal():
                yield Button(Content(self._no), id="no", compact=True)
                yield Button(Content(self._yes), id="yes", compact=True)

    def on_confirm_screen_forbidden(self, message: Forbidden) -> None:
        """Disable yes, and show why."""
        self.query_one("#yes", Button).disabled = True
        self.query_one("#detail", Static).update(Content(sentence(clean(message.why, 300))))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer with the button that was pressed."""
        self.dismiss(event.button.id == "yes")

    def action_scroll(self, pages: int) -> None:
        """Show the rest of a long detail."""
        detail = self.query_one(VerticalScroll)
        detail.scroll_relative(y=pages * detail.size.height, animate=False)

    def action_answer(self, yes: bool) -> None:
        """Answer by key: yes only while it is enabled."""
        if not (yes and self.query_one("#yes", Button).disabled):
            self.dismiss(yes)
