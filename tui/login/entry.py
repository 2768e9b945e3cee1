"""An input with its label; what is typed may be hidden."""

import asyncio
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from backend_client.models.secret import Secret
from tui.ui.inputs import LineInput


class LabeledInput(Horizontal):
    """A label and `line`, the input."""

    @dataclass(eq=False)
    class Blurred(Message):
        """The entry has lost the focus."""

        entry: "LabeledInput"

    def __init__(
        self, name: str, label: str, text: str = "", placeholder: str = "", *, unseen: bool = False
    ) -> None:
        super().__init__(id=name)
        self.label = label
        self.line = LineInput(text, placeholder, password=unseen)
        self.line.select_on_focus = True  # what is typed is another name, or the password anew

    def compose(self) -> ComposeResult:
        yield Static(Content(self.label), classes="label")
        yield self.line

    @property
    def secret(self) -> Secret:
        """What is typed, as a value that never shows itself."""
        return Secret(self.line.value)

    async def settle(self) -> None:
        """Wait until every typed key has reached the line."""
        typed = asyncio.Event()
        self.line.call_later(typed.set)
        await typed.wait()

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        self.post_message(self.Blurred(self))
