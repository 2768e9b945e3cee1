"""One field of the job form: its label, what is written, a note beside it, and what is wrong below it."""

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from backend_client.models.fields import DEFAULTS, field_text
from backend_client.protocol import Choice
from tui.form.choice_list import ChoiceList
from tui.ui.inputs import LineInput, Radio, from_line, to_line
from tui.ui.sanitize import clean

SEVERAL = ("volumes", "image_pull_secrets")
"""Fields in which a choice is one word of several."""
KINDS = {"job": "until it finishes", "deployment": "until you stop it"}
LABELS = {"gpus": "GPUs", "kind": "runs"}
EXAMPLES = {
    "name": "suggested from the command",
    "command": "as in a shell: torchrun train.py --lr 3e-4",
    "gpus": "0",
    "env": "NAME=VALUE NAME=VALUE",
    "labels": "KEY=VALUE KEY=VALUE",
    "annotations": "KEY=VALUE KEY=VALUE",
}
"""What a field shows while it is empty, where its description would not help."""


class Field(Widget):
    """A field of JobSpec that can be filled in. `value` is the value to begin with."""

    class Edited(Message):
        """Its text has changed."""

        def __init__(self, field: "Field") -> None:
            super().__init__()
            self.field = field

    def __init__(self, name: str, value: Any, description: str = "") -> None:
        super().__init__(id=f"field-{name}")
        self.field = name
        self.given = value
        self._written = ""
        self.choices = ChoiceList()
        is_default = value == getattr(DEFAULTS, name)
        self.first = to_line("" if is_default and name != "kind" else field_text(name, value))
        self.line = (
            Radio(KINDS, value) if name == "kind" else LineInput(self.first, EXAMPLES.get(name, description))
        )

        if isinstance(self.line, LineInput):
            self.line.browse = self.choices.move

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(LABELS.get(self.field, self.field), classes="label", markup=False)
            yield self.line
            yield Static(classes="note", markup=False)
        yield self.choices
        yield Static(classes="below", markup=False)

    @property
    def text(self) -> str:
        """What is written in it, as shown."""
        return self.line.value

    @property
    def changed(self) -> bool:
        """True where somebody wrote something else than what the form began with."""
        return self.text != self.first

    @property
    def raw(self) -> Any:
        """What `parse_field` should read: the value given, whole, until it is edited; then the text.

        Raises ValueError (a sentence) where the text has something that cannot be shown.
        """
        if not self.changed:
            return self.given
        return self._written if self.text == to_line(self._written) else from_line(self.text)

    @property
    def whole(self) -> str:
        """As `raw`, as text; what cannot be shown stands for itself."""
        try:
            return self.raw if isinstance(self.raw, str) else field_text(self.field, self.raw)
        except ValueError:
            return self.text

    def begin(self, text: str) -> None:
        """Begin with this text instead; it does not count as typed."""
        self.first, self.given = to_line(text), text
        if isinstance(self.line, LineInput):
            self.line.value = self.first
            self.line.cursor_position = len(self.first)

    def write(self, text: str) -> None:
        """Write this instead, as a person would; of what a line cannot show nothing is lost."""
        self._written = text
        if isinstance(self.line, LineInput):
            self.line.value = to_line(text)
            self.line.cursor_position = len(self.line.value)
        elif text in KINDS:
            self.line.value = text

    def offer(self, texts: list[str]) -> None:
        """What was written here before, the newest first."""
        if isinstance(self.line, LineInput) and texts:
            self.line.offer(texts)
            self.line.placeholder = f"up arrow: {to_line(texts[0])}"

    def choose_from(self, known: Sequence[Choice], why: str = "") -> None:
        """What the context has for it, or why that is not known."""
        self.choices.known, self.choices.why = known, why
        if self.screen.focused is self.line:
            self._follow()

    def _follow(self) -> None:
        self.choices.follow(self._word)
        if self.choices.display:  # below the last line of the screen nobody sees it
            self.call_after_refresh(self.scroll_visible, animate=False)

    @property
    def _word(self) -> str:
        """What a choice would replace: in a field of several words the last one."""
        return self.text.rpartition(" ")[2] if self.field in SEVERAL else self.text

    def take_choice(self) -> bool:
        """Write what the cursor is on in the list; False where it is on nothing."""
        chosen = self.choices.chosen
        if chosen:
            self.write(self.text[: len(self.text) - len(self._word)] + chosen)
        return bool(chosen)

    def suggest(self, text: str) -> None:
        """What the context takes where this stays empty."""
        if isinstance(self.line, LineInput):
            self.line.placeholder = clean(text)

    def note(self, text: str) -> None:
        """Words beside it."""
        self.query_one(".note", Static).update(Content(clean(text)))

    def say(self, *, error: str = "", warning: str = "", remark: str = "") -> None:
        """Words below it: the first of these that is there."""
        below = self.query_one(".below", Static)
        below.set_class(bool(error), "error").set_class(bool(warning) and not error, "warning")
        below.display = bool(error or warning or remark)
        below.update(Content(clean(error or warning or remark, 400)))
        self.set_class(bool(error), "wrong")

    def on_descendant_focus(self) -> None:
        self._follow()

    def on_descendant_blur(self) -> None:
        self.choices.leave()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.screen.focused is self.line:
            self._follow()
        self.post_message(self.Edited(self))

    def on_radio_changed(self, event: Radio.Changed) -> None:
        event.stop()
        self.post_message(self.Edited(self))
