"""One field of the job form: a label, an input, a hint beside it, and a message below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from backend_client.models.fields import DEFAULTS, field_text
from backend_client.protocol import Choice
from backend_client.text.form_fields import EXAMPLES, KINDS, LABELS, MULTI_WORD
from backend_client.text.sanitize import clean
from tui.form.choice_list import ChoiceList
from tui.ui.inputs import LineInput, Radio, from_line, to_line


class Field(Widget):
    """A field of JobSpec to fill in. `value` is the initial one."""

    @dataclass(eq=False)
    class Edited(Message):
        """Its text has changed."""

        field: "Field"

    def __init__(self, name: str, value: Any, description: str = "") -> None:
        super().__init__(id=f"field-{name}")
        self.field = name
        self.initial = value
        self._written = ""
        self.choices = ChoiceList()
        is_default = value == getattr(DEFAULTS, name)
        self.initial_text = to_line("" if is_default and name != "kind" else field_text(name, value))
        self.line = (
            Radio(KINDS, value)
            if name == "kind"
            else LineInput(self.initial_text, EXAMPLES.get(name, description))
        )

        if isinstance(self.line, LineInput):
            self.line.browse = self.choices.move

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(LABELS.get(self.field, self.field), classes="label", markup=False)
            yield self.line
            yield Static(classes="hint", markup=False)
        yield self.choices
        yield Static(classes="message", markup=False)

    @property
    def text(self) -> str:
        """The text, as shown."""
        return self.line.value

    @property
    def changed(self) -> bool:
        """True where the text differs from the initial one."""
        return self.text != self.initial_text

    @property
    def raw(self) -> Any:
        """What `parse_field` should read: the initial value until it is edited, then the text.

        Raises ValueError (a sentence) where the text has something that cannot be shown.
        """
        if not self.changed:
            return self.initial
        return self._written if self.text == to_line(self._written) else from_line(self.text)

    @property
    def full_text(self) -> str:
        """`raw` as a text; what cannot be shown stays as it is."""
        try:
            return self.raw if isinstance(self.raw, str) else field_text(self.field, self.raw)
        except ValueError:
            return self.text

    def set_initial(self, text: str) -> None:
        """Set the initial text; it does not count as typed."""
        self.initial_text, self.initial = to_line(text), text
        if isinstance(self.line, LineInput):
            self.line.value = self.initial_text
            self.line.cursor_position = len(self.initial_text)

    def set_text(self, text: str) -> None:
        """Replace the text, as a person would; what a line cannot show is not lost."""
        self._written = text
        if isinstance(self.line, LineInput):
            self.line.value = to_line(text)
            self.line.cursor_position = len(self.line.value)
        elif text in KINDS:
            self.line.value = text

    def set_recent(self, texts: list[str]) -> None:
        """Set the recent values of this field, the newest first."""
        if isinstance(self.line, LineInput) and texts:
            self.line.set_history(texts)
            self.line.placeholder = f"up arrow: {to_line(texts[0])}"

    def set_choices(self, choices: Sequence[Choice], why: str = "") -> None:
        """Set the choices that the context has for this field, or why they are not known."""
        self.choices.choices, self.choices.why = choices, why
        if self.screen.focused is self.line:
            self._follow()

    def _follow(self) -> None:
        self.choices.filter(self._word)
        if self.choices.display:  # below the last line of the screen nobody sees it
            self.call_after_refresh(self.scroll_visible, animate=False)

    @property
    def _word(self) -> str:
        """The word that a choice would replace: in a field of several words the last one."""
        return self.text.rpartition(" ")[2] if self.field in MULTI_WORD else self.text

    def take_choice(self) -> bool:
        """Insert the choice under the cursor; False where there is none."""
        chosen = self.choices.selected
        if chosen:
            self.set_text(self.text[: len(self.text) - len(self._word)] + chosen)
        return bool(chosen)

    def set_placeholder(self, text: str) -> None:
        """Set the text that an empty field shows: what the context would take."""
        if isinstance(self.line, LineInput):
            self.line.placeholder = clean(text)

    def set_hint(self, text: str) -> None:
        """Set the hint beside the input."""
        self.query_one(".hint", Static).update(Content(clean(text)))

    def set_message(self, *, error: str = "", warning: str = "", remark: str = "") -> None:
        """Set the message below the input: the first of these that is not empty."""
        message = self.query_one(".message", Static)
        message.set_class(bool(error), "error").set_class(bool(warning) and not error, "warning")
        message.display = bool(error or warning or remark)
        message.update(Content(clean(error or warning or remark, 400)))
        self.set_class(bool(error), "wrong")

    def on_descendant_focus(self) -> None:
        self._follow()

    def on_descendant_blur(self) -> None:
        self.choices.hide()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.screen.focused is self.line:
            self._follow()
        self.post_message(self.Edited(self))

    def on_radio_changed(self, event: Radio.Changed) -> None:
        event.stop()
        self.post_message(self.Edited(self))
