"""The filter line under a list: filters while it is typed."""

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from backend_client.text.sanitize import clean


class FilterLine(Input):
    """Hidden while it is empty and unused. Enter keeps the filter, Escape drops it; both go back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", show=False),
        Binding("enter,down", "keep", show=False),
    ]

    @dataclass(eq=False)
    class Edited(Message):
        """The words to filter by have changed."""

        text: str

    @dataclass(eq=False)
    class Closed(Message):
        """The person is done with it: the keys go back to the list."""

        kept: bool

    def __init__(self, words: str) -> None:
        """Make an empty one. `words`: what can be typed."""
        super().__init__(placeholder=f"{words} ...   enter keep   escape all", compact=True)
        self.cursor_blink = False
        self.display = False

    def open(self) -> None:
        """Show the line and take the keys."""
        self.display = True
        self.focus()

    def validate_value(self, value: str) -> str:
        return clean(value, 200)

    def watch_value(self) -> None:
        self.post_message(self.Edited(self.value))

    def on_blur(self, _event: events.Blur) -> None:
        self.display = bool(self.value)

    def action_drop(self) -> None:
        """Drop the filter: show all again."""
        self.value = ""
        self.post_message(self.Closed(kept=False))

    def action_keep(self) -> None:
        """Keep the filter, and go back to the list."""
        self.post_message(self.Closed(kept=True))
