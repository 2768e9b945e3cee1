"""The line under the list that says which jobs to show, while it is typed."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from tui.ui.sanitize import clean


class FilterLine(Input):
    """Hidden while it is empty and unused. Enter keeps the filter, Escape drops it; both go back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", show=False),
        Binding("enter,down", "keep", show=False),
    ]

    class Typed(Message):
        """Other words to filter by."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The person is done here."""

    def __init__(self) -> None:
        super().__init__(
            placeholder="name, state, owner, label=value ...   enter keep   escape all", compact=True
        )
        self.cursor_blink = False
        self.display = False

    def open(self) -> None:
        """Show it and take the keys."""
        self.display = True
        self.focus()

    def validate_value(self, value: str) -> str:
        return clean(value, 200)

    def watch_value(self) -> None:
        self.post_message(self.Typed(self.value))

    def on_blur(self, _event: events.Blur) -> None:
        self.display = bool(self.value)

    def action_drop(self) -> None:
        """All jobs again."""
        self.value = ""
        self.post_message(self.Left())

    def action_keep(self) -> None:
        """Back to the list, as it is filtered now."""
        self.post_message(self.Left())
