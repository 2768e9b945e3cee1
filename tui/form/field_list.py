"""All fields of the job form: the first few, the rest folded, and those that this context refuses."""

import asyncio
from collections.abc import Collection, Iterator, Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from backend_client.models import JobSpec
from backend_client.models.fields import DEFAULTS, FIELD_NAMES
from backend_client.protocol import FieldRule, Use
from backend_client.text.form_fields import FIRST, LABELS, description, fold_words, read_fields, refusals
from backend_client.text.sanitize import clean
from tui.form.field import Field


class FieldList(VerticalScroll, can_focus=False):
    """`rules`: how the context uses each field; `spec`: the initial values."""

    def __init__(self, rules: Mapping[str, FieldRule], spec: JobSpec) -> None:
        super().__init__()
        self.rules = rules
        # A refused field that the spec sets is shown all the same: its value is never dropped in silence.
        self.fields = {
            name: Field(name, getattr(spec, name), description(name))
            for name in FIELD_NAMES
            if rules[name].use != Use.REFUSED or getattr(spec, name) != getattr(DEFAULTS, name)
        }

    def compose(self) -> ComposeResult:
        for name in FIRST:
            yield self.fields[name] if name in self.fields else self._refusal(name)
        yield Static(id="fold", markup=False)
        with Vertical(id="more"):
            yield from self._rest()
            yield Vertical(*map(Static, self._refusals()), classes="refused")

    def _rest(self) -> Iterator[Field]:
        return (field for name, field in self.fields.items() if name not in FIRST)

    def _refusal(self, name: str) -> Horizontal:
        return Horizontal(
            Static(LABELS.get(name, name), classes="label", markup=False),
            Static(Content(clean(self.rules[name].why)), classes="why"),
            classes="refused",
        )

    def _refusals(self) -> list[Content]:
        """Return a line for each reason for which fields are refused."""
        return [Content(line) for line in refusals(self.rules, self.fields)]

    def on_mount(self) -> None:
        self.fold(folded=True)

    @property
    def changed(self) -> bool:
        """True where anything was typed."""
        return any(field.changed for field in self.fields.values())

    @property
    def texts(self) -> dict[str, str]:
        """Field -> its full text, of all that are filled in."""
        return {name: field.full_text for name, field in self.fields.items() if field.text}

    def set_texts(self, texts: Mapping[str, str]) -> None:
        """Fill in fields (name -> text), as a person would."""
        for name in texts.keys() & self.fields.keys():
            self.fields[name].set_text(texts[name])
        self.fold(folded=self.folded)

    async def settle(self) -> None:
        """Wait until every typed key has reached its field."""
        for field in self.fields.values():
            typed = asyncio.Event()
            field.line.call_later(typed.set)
            await typed.wait()

    @property
    def folded(self) -> bool:
        """True where the rest of the fields is hidden."""
        return not self.query_one("#more").display

    def fold(self, *, folded: bool) -> None:
        """Hide the rest of the fields (saying which of them are set), or show it."""
        rest, opens = list(self._rest()), self.folded and not folded
        filled = [field.field for field in rest if field.text]
        words = fold_words(len(rest), filled)
        self.query_one("#more").display = not folded
        self.query_one("#fold", Static).update(Content(f"{'+' if folded else '-'} f4  {words}"))
        if rest and opens:
            self.screen.set_focus(rest[0].line)
            self.call_after_refresh(self.reveal)

    def reveal(self) -> None:
        """Scroll to the field that has the focus: when it got it, what was just unfolded had no place yet."""
        if (focused := self.screen.focused) and self in focused.ancestors:
            field = next((node for node in focused.ancestors if isinstance(node, Field)), focused)
            field.scroll_visible(animate=False)

    def read(self) -> tuple[JobSpec | None, dict[str, str]]:
        """Parse the fields: the spec (None where anything is wrong), and field -> what is wrong."""
        raw, wrong = {}, {}
        for name, field in self.fields.items():
            try:
                raw[name] = field.raw
            except ValueError as error:
                wrong[name] = str(error)
        spec, errors = read_fields(raw, self.rules)
        wrong = errors | wrong
        return (None if wrong else spec), wrong

    def set_messages(
        self, errors: Mapping[str, str], warnings: Mapping[str, str], remarks: Mapping[str, str]
    ) -> None:
        """Set the message of every field (name -> sentence); one without any shows none."""
        for name, field in self.fields.items():
            field.set_message(
                error=errors.get(name, ""), warning=warnings.get(name, ""), remark=remarks.get(name, "")
            )

    def mark(self, names: Collection[str]) -> None:
        """Mark fields as changed by an offer, and focus the first; unfold the rest where it is there."""
        for name in self.fields.keys() & names:
            self.fields[name].add_class("marked")
        self.focus_first(names)

    def focus_first(self, names: Collection[str]) -> None:
        """Focus the first of these fields; unfold the rest where it is there."""
        name = next((name for name in (*FIRST, *self.fields) if name in names and name in self.fields), None)
        if name:
            if name not in FIRST and self.folded:
                self.fold(folded=False)
            self.screen.set_focus(self.fields[name].line)
