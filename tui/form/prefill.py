"""Fills in the job form beside the keyboard: suggestions, choices, templates, editor, autosaved form."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from textual import work
from textual.events import DescendantFocus
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from backend_client.errors import BackendError, fragment
from backend_client.gpu_nodes import GpuNodes
from backend_client.models import Job, JobSpec
from backend_client.models.fields import field_text, parse_field
from backend_client.models.shell_words import join_lines
from backend_client.protocol import Choice, JobBackend, Scope
from backend_client.text.form_fields import FIELDS_WITH_CHOICES
from backend_client.text.gpus import free_words
from backend_client.text.sanitize import clean
from tui.form.autosave import Autosave, SavedForm, folder
from tui.form.field import Field
from tui.form.field_list import FieldList
from tui.form.suggestions import Suggestions, load_suggestions
from tui.form.templates import Templates, merge
from tui.form.templates_screen import TemplatesScreen
from tui.settings.paths import user_file
from tui.ui.editor import edit
from tui.ui.once import once

NODES_SECONDS = 10.0
"""Seconds between two questions for what is free, while the form is open."""
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
    _not_saved = ""
    machines: GpuNodes | None = None
    """The machines with GPUs, as they were last told."""

    @dataclass(eq=False)
    class SuggestionsLoaded(Message):
        """The suggestions for this form."""

        suggestions: Suggestions

    @dataclass(eq=False)
    class SavedFormFound(Message):
        """A form that a program that died had saved."""

        saved: SavedForm

    @dataclass(eq=False)
    class NotSaved(Message):
        """The disk does not take what is typed."""

        why: str

    @dataclass(eq=False)
    class ChoicesLoaded(Message):
        """The choices of the context for a field, or why they are not known."""

        field: Field
        choices: Sequence[Choice]
        why: str = ""

    @dataclass(eq=False)
    class NodesLoaded(Message):
        """The machines with GPUs, or why they are not known."""

        found: GpuNodes

    def load_prefill(self) -> None:
        """Load the saved form, the suggestions and the free GPUs, these again and again."""
        self._suggestions_are_there = asyncio.Event()
        for ask in (self._load_saved_form, self._load_suggestions, self._load_nodes):
            self.call_after_refresh(ask)
        self.set_interval(NODES_SECONDS, self._load_nodes)

    def review(self) -> None:
        """Read the fields again after a change; the form does."""

    def redraw(self) -> None:
        """Draw the messages at the fields anew; the form does."""

    # What was typed, kept

    def on_field_edited(self, _event: Field.Edited) -> None:
        if self._save_timer is None:
            self._save_timer = once(self, SAVE_SECONDS, self._save_now)

    def _save_now(self) -> None:
        self._save_timer = None
        self._save(self.list.texts if self.list.changed else {})

    @work(group="keep", exit_on_error=False)
    async def _save(self, texts: dict[str, str]) -> None:
        await self.autosave.save(texts)
        if self.autosave.error:
            self.post_message(self.NotSaved(self.autosave.error))

    def on_prefill_mixin_not_saved(self, message: NotSaved) -> None:
        if message.why != self._not_saved:  # once, not at every pause
            self._not_saved = message.why
            words = f"What you type is not kept beside the screen: in {folder()} {message.why}."
            self.notify(clean(words, 300), severity="warning", markup=False)

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
            command.set_text(join_lines(edited.text))
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
        self._suggestions_are_there.set()

    async def with_name(self, spec: JobSpec) -> JobSpec:
        """Return a spec with the suggested name, if it has none of its own; that may be on its way still."""
        if self.old and not spec.name:
            await self._suggestions_are_there.wait()
        return spec if spec.name else replace(spec, name=self._suggested)

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

    @work(exclusive=True, group="nodes", exit_on_error=False)
    async def _load_nodes(self) -> None:
        try:
            self.post_message(self.NodesLoaded(await self.backend.nodes(Scope())))
        except BackendError as error:
            self.post_message(self.NodesLoaded(GpuNodes(unknown_because=fragment(error.title))))

    def on_prefill_mixin_nodes_loaded(self, message: NodesLoaded) -> None:
        self.machines = message.found
        if "gpus" in self.list.fields:
            self.list.fields["gpus"].set_hint(free_words(message.found))
            self.redraw()
