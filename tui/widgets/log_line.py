"""The two lines around a log: its title, and the one to type a search or a file name in."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from tui.terminal import clean


class LogTitle(Widget):
    """Whose log it is on the left, how it stands on the right."""

    name_: reactive[str] = reactive("")
    state: reactive[str] = reactive("")

    def render(self) -> Content:
        left = Content.assemble((f" {self.name_}", "bold"), "  log" if self.name_ else "")
        room = self.size.width - left.cell_length - 3
        state = clean(self.state, room) if room > 3 else ""
        gap = max(1, self.size.width - left.cell_length - len(state) - 1)
        return Content.assemble(left, " " * gap, (state, "$text-muted"))


class LogInput(Input):
    """One line that asks: for a search, or for a file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("enter", "done", show=False),
    ]

    class Left(Message):
        """Escape."""

    class Done(Message):
        """Enter."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.display = False
        self.saving = False

    def ask(self, value: str, placeholder: str, *, saving: bool) -> None:
        """Show it and take the keys."""
        self.saving = saving
        self.placeholder = placeholder
        with self.prevent(Input.Changed):
            self.value = value
        self.cursor_position = len(value)
        self.display = True
        self.focus()

    def validate_value(self, value: str) -> str:
        return clean(value, 1000)

    def action_leave(self) -> None:
        """Never mind."""
        self.post_message(self.Left())

    def action_done(self) -> None:
        """That is it."""
        self.post_message(self.Done())
