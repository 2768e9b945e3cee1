"""Inputs of one row, by keyboard: a line of text, and a choice of a few."""

import re
from collections.abc import Callable

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input

from backend_client.models.shell_words import join_lines
from backend_client.text.sanitize import clean

NEWLINE = "\u23ce"
"""Stands for a line break inside of a line."""
REPLACEMENT = "\ufffd"
"""What `clean` puts where a character cannot be shown."""


def to_line(text: str) -> str:
    """Return any text as one line that is safe to show; `from_line` brings its line breaks back."""
    return clean(re.sub(r"\r\n?|\n", NEWLINE, text), len(text) + 1)


def from_line(line: str) -> str:
    """Return the text behind a line. Raises ValueError (a sentence) where part of it cannot be shown."""
    if REPLACEMENT in line:
        raise ValueError(f"has a character that cannot be shown ({REPLACEMENT}); take it out")
    return line.replace(NEWLINE, "\n")


class LineInput(Input):
    """One line of text. Up and down go through what was written here before, as in a shell.

    Textual's Input, with what a form over ssh needs: every value is cleaned, a paste of several lines is
    joined, and the cursor does not blink (which would send the terminal bytes for ever).
    """

    BINDINGS = [  # noqa: RUF012  Textual's own spelling
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
    ]

    def __init__(self, text: str = "", placeholder: str = "", *, password: bool = False) -> None:
        super().__init__(to_line(text), placeholder, password=password, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.browse: Callable[[int], bool] = lambda _step: False
        """Goes through a list beside the line instead, where there is one: True."""
        self._history: list[str] = []
        self._position = -1

    def set_history(self, texts: list[str]) -> None:
        """Set the history of this line, the newest first: for the arrows, and to complete what is typed."""
        self._history = [to_line(text) for text in texts]
        self.suggester = SuggestFromList(self._history)

    def action_older(self) -> None:
        """Show the value before."""
        self._go(1)

    def action_newer(self) -> None:
        """Show the newer value; behind the newest comes the empty line."""
        self._go(-1)

    def _go(self, step: int) -> None:
        if self.browse(-step):
            return
        place = self._position + step
        if self._history and -1 <= place < len(self._history):
            self._position = place
            self.value = self._history[place] if place >= 0 else ""
            self.cursor_position = len(self.value)

    def validate_value(self, value: str) -> str:
        """Clean a value, whatever way it came: nothing on this line may steer the terminal."""
        return to_line(value)

    def _on_paste(self, event: events.Paste) -> None:
        """Insert all lines of a paste, joined as a shell joins them (Textual would take the first only)."""
        event.prevent_default()
        event.stop()
        self.replace(to_line(join_lines(event.text)), *self.selection)


class Radio(Widget, can_focus=True):
    """One of a few, all of them in sight: left, right and space change it.

    Textual's RadioSet takes a row for each choice.
    """

    value: reactive[str] = reactive("", init=False)

    class Changed(Message):
        """Another one was chosen."""

    def __init__(self, choices: dict[str, str], value: str) -> None:
        super().__init__()
        self.choices = choices
        """Value -> words."""
        self.set_reactive(Radio.value, value)

    def render(self) -> Content:
        parts = [
            (
                f"({'o' if value == self.value else ' '}) {words}   ",
                "bold" if value == self.value else "$text-muted",
            )
            for value, words in self.choices.items()
        ]
        return Content.assemble(*parts)

    def watch_value(self) -> None:
        """Post that another value was chosen."""
        self.post_message(self.Changed())

    def on_key(self, event: events.Key) -> None:
        """Keys, not bindings: in a burst those go to whatever has the focus by then."""
        by = {"right": 1, "space": 1, "left": -1}.get(event.key)
        if by:
            event.stop()
            self._step(by)

    def _step(self, by: int) -> None:
        values = list(self.choices)
        self.value = values[(values.index(self.value) + by) % len(values)]

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        right = 0
        for value, words in self.choices.items():
            right += len(words) + 7
            if event.x < right:
                self.value = value
                return
