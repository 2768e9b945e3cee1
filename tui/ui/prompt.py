"""Prompts for one line: shown, or hidden as a password is."""

from typing import TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from backend_client.models.secret import Secret
from backend_client.text.sanitize import clean
from tui.ui.inputs import LineInput, from_line

Answer = TypeVar("Answer")


class _Prompt(ModalScreen[Answer | None]):
    CSS_PATH = "prompt.tcss"
    BINDINGS = [Binding("escape", "cancel", "cancel")]  # noqa: RUF012  Textual's own spelling
    password = False

    def __init__(self, question: str, detail: str = "", text: str = "") -> None:
        super().__init__()
        self._question, self._detail, self._text = question, detail, text

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(clean(self._question), id="question", markup=False)
            yield Static(clean(self._detail), id="detail", markup=False)
            yield LineInput(self._text, password=self.password)
            yield Static("enter: go on   escape: cancel", id="keys", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            answer = self.answer()
        except ValueError as error:
            self.query_one("#detail", Static).update(clean(f"It {error}."))
        else:
            self.dismiss(answer)

    def answer(self) -> Answer:
        """Return the answer. Raises ValueError (a sentence) where it cannot be taken."""
        raise NotImplementedError

    def action_cancel(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class AskText(_Prompt[str]):
    """Dismisses with the line, or None."""

    def answer(self) -> str:
        line = from_line(self.query_one(LineInput).value.strip())
        if not line:
            raise ValueError("must be filled in")
        return line


class AskSecret(_Prompt[Secret]):
    """Dismisses with the value as a Secret, or None. It is shown nowhere and kept nowhere."""

    password = True

    def answer(self) -> Secret:
        line = self.query_one(LineInput)
        if not line.value:
            raise ValueError("must be filled in")
        answer = Secret(from_line(line.value))
        line.value = ""
        return answer
