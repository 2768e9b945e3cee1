"""Fills in the job form beside the keyboard: suggestions, choices, templates, editor, autosaved form."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from textual import work
from textual.events import DescendantFocus
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobSpec
from backend_client.models.fields import field_text, parse_field
from backend_client.protocol import Capacity, Choice, JobBackend, Scope
from tui.form.autosave import Autosave, SavedForm
from tui.form.field import Field
from tui.form.field_list import FieldList
from tui.form.suggestions import Suggestions, capacity_text, load_suggestions
from tui.form.templates import Templates, merge
from tui.form.templates_screen import TemplatesScreen
from tui.settings.paths import user_file
from tui.ui.editor import edit
from tui.ui.inputs import one_line

FIELDS_WITH_CHOICES = ("gpu_type", "priority", "queue", "volumes", "image_pull_secrets", "cluster")
"""Fields that stand for something the context has."""
SAVE_SECONDS = 0.3
"""How much of what was typed a crash may cost."""


class PrefillMixin(Screen[Job | None]):
    """The part of the form that writes into fields; a base of the screen, which keys and messages reach."""

    backend: JobBackend
    old: JobSpec | None
    """The job that is run again."""
    list: FieldList
    autosave: Autosave
    templates: Templates
    _suggested = ""
    _save_timer: Timer | None = None

    @dataclass(eq=False)
    class SuggestionsLoaded(Message):
        """The suggestions for this form."""

        suggestions: Suggestions

    @dataclass(eq=False)
    class SavedFormFound(Message):
        """A form that a program that died had saved."""

        saved: SavedForm

    @dataclass(eq=False)
    class ChoicesLoaded(Message):
        """The choices of the context for a field, or why they are not known."""

        field: Field
        choices: Sequence[Choice]
        why: str = ""

    @dataclass(eq=False)
    class CapacityLoaded(Message):
        """The capacity of the context, or why it is not known."""

        capacity: Capacity

    def load_prefill(self) -> None:
        """Load the saved form, the suggestions and the capacity."""
        for ask in (self._load_saved_form, self._load_suggestions, self._load_capacity):
            self.call_after_refresh(ask)

    def review(self) -> None:
        """Read the fields again after a change; the form does."""

    # What was typed, kept

    def on_field_edited(self, _event: Field.Edited) -> None:
        if self._save_timer is None:
            self._save_timer = self.set_timer(SAVE_SECONDS, self._save_now)

    def _save_now(self) -> None:
        self._save_timer = None
        self._save(self.list.texts if self.list.changed else {})

    @work(group="keep", exit_on_error=False)
    async def _save(self, texts: dict[str, str]) -> None:
        await self.autosave.save(texts)

    @work(group="left", exit_on_error=False)
    async def _load_saved_form(self) -> None:
        saved = None if self.old else await self.autosave.take_over()
        if saved:
            self.post_message(self.SavedFormFound(saved))

    def on_prefill_mixin_saved_form_found(self, message: SavedFormFound) -> None:
        saved = message.saved
        if self.list.changed:
            self.autosave.release()
            return
        self.list.set_texts(saved.texts)
        text = f"What you had typed on {saved.when:%d %b at %H:%M} is back; escape throws it away."
        missing = f" Not kept, for it may be secret: {', '.join(saved.missing)}." if saved.missing else ""
        self.notify(text + missing, timeout=10, markup=False)

    async def action_edit(self) -> None:
        """Edit the command in the person's editor. Blocks: Textual must do nothing while it is suspended."""
        await self.list.settle()
        command = self.list.fields["command"]
        before = command.full_text
        edited = edit(self.app, before, "command.sh")
        if edited.text is None:
            self.notify(edited.why, severity="error", timeout=20, markup=False)
        elif edited.text != before:
            command.set_text(one_line(edited.text))
        self.set_focus(command.line)

    def action_template(self) -> None:
        """Choose a template, and fill in what it says."""
        if self.templates:
            self.app.push_screen(TemplatesScreen(self.templates), self._apply_template)
        else:
            self.notify(f"There are none: [templates.NAME] in {user_file()} makes one.", markup=False)

    def _apply_template(self, name: str | None) -> None:
        if name is None:
            return
        fields = self.templates[name]
        self.list.set_texts({field: self._merged_text(field, raw) for field, raw in fields.items()})
        if refused := [field for field in fields if field not in self.list.fields]:
            why = self.list.rules[refused[0]].why
            self.notify(f"Left out: {', '.join(refused)} ({why})", severity="warning", markup=False)

    def _merged_text(self, name: str, raw: object) -> str:
        with contextlib.suppress(ValueError, KeyError):  # what is wrong in the form now is replaced
            raw = merge(name, self.list.fields[name].raw, raw)
        return field_text(name, parse_field(name, raw))

    # What is offered

    @work(group="offers", exit_on_error=False)
    async def _load_suggestions(self) -> None:
        self.post_message(self.SuggestionsLoaded(await load_suggestions(self.backend, self.old)))

    def on_prefill_mixin_suggestions_loaded(self, message: SuggestionsLoaded) -> None:
        suggestions = message.suggestions
        for name in suggestions.recent.keys() & self.list.fields.keys():
            self.list.fields[name].set_recent(suggestions.recent[name])
        if suggestions.name:
            self._suggested = suggestions.name
            self.list.fields["name"].set_placeholder(suggestions.name)
            self.review()
        if suggestions.command and not self.list.changed:
            self.list.fields["command"].set_initial(suggestions.command)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        field = event.widget.parent and event.widget.parent.parent
        if isinstance(field, Field) and field.field in FIELDS_WITH_CHOICES:
            self._load_choices(field, *(self._text_of(name) for name in ("namespace", "cluster")))

    def _text_of(self, name: str) -> str:
        return self.list.fields[name].text.strip() if name in self.list.fields else ""

    @work(exclusive=True, group="choices", exit_on_error=False)
    async def _load_choices(self, field: Field, namespace: str, cluster: str) -> None:
        try:
            choices = await self.backend.choices(field.field, namespace=namespace, cluster=cluster)
            self.post_message(self.ChoicesLoaded(field, choices))
        except BackendError as error:
            self.post_message(self.ChoicesLoaded(field, (), fragment(error.title)))

    def on_prefill_mixin_choices_loaded(self, message: ChoicesLoaded) -> None:
        message.field.set_choices(message.choices, message.why)

    async def action_choose(self) -> None:
        """Insert the choice under the cursor; without one, go to the next field."""
        await self.list.settle()
        field = next((field for field in self.list.fields.values() if field.line is self.focused), None)
        if field is None or not field.take_choice():
            self.focus_next()

    @work(group="capacity", exit_on_error=False)
    async def _load_capacity(self) -> None:
        try:
            self.post_message(self.CapacityLoaded(await self.backend.capacity(Scope())))
        except BackendError as error:
            self.post_message(self.CapacityLoaded(Capacity(unknown_because=fragment(error.title))))

    def on_prefill_mixin_capacity_loaded(self, message: CapacityLoaded) -> None:
        if "gpus" in self.list.fields:
            self.list.fields["gpus"].set_hint(capacity_text(message.capacity))
