"""What fills in the job form beside the keyboard: offers of the context, and what a dead program has left."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from textual import work
from textual.events import DescendantFocus
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from backend_client.errors import BackendError
from backend_client.models import Job, JobSpec
from backend_client.models.fields import field_text, parse_field
from backend_client.protocol import Capacity, Choice, JobBackend, Scope
from tui.form.autosave import Autosave, SavedForm
from tui.form.field import Field
from tui.form.field_list import FieldList
from tui.form.suggestions import Suggestions, free_words, load_suggestions
from tui.form.templates import Templates, joined
from tui.form.templates_screen import TemplatesScreen
from tui.settings.paths import user_file
from tui.ui.editor import edit
from tui.ui.inputs import one_line

CHOSEN = ("gpu_type", "priority", "queue", "volumes", "image_pull_secrets", "cluster")
"""Fields that stand for something the context has."""
KEEP_SECONDS = 0.3
"""How much of what was typed a crash may cost."""


class PrefillMixin(Screen[Job | None]):
    """The part of the form that writes into fields."""

    backend: JobBackend
    old: JobSpec | None
    """The job that is run again."""
    list: FieldList
    unsent: Autosave
    templates: Templates
    _suggested = ""
    _keeping: Timer | None = None

    @dataclass
    class Offered(Message):
        """What there is to offer."""

        offers: Suggestions

    @dataclass
    class Found(Message):
        """What a program that died has left."""

        left: SavedForm

    @dataclass
    class Told(Message):
        """What the context has for a field, or why it does not say."""

        field: Field
        known: Sequence[Choice]
        why: str = ""

    @dataclass
    class Counted(Message):
        """GPUs, or why they are not known."""

        capacity: Capacity

    def begin_filling(self) -> None:
        """Ask for all that can be offered."""
        for ask in (self._load_left, self._load_offers, self._load_capacity):
            self.call_after_refresh(ask)

    def review(self) -> None:
        """Look anew at what is written; the form does."""

    # What was typed, kept

    def on_field_edited(self, _event: Field.Edited) -> None:
        if self._keeping is None:
            self._keeping = self.set_timer(KEEP_SECONDS, self._keep)

    def _keep(self) -> None:
        self._keeping = None
        self._save(self.list.texts if self.list.changed else {})

    @work(group="keep", exit_on_error=False)
    async def _save(self, texts: dict[str, str]) -> None:
        await self.unsent.keep(texts)

    @work(group="left", exit_on_error=False)
    async def _load_left(self) -> None:
        left = None if self.old else await self.unsent.take()
        if left:
            self.post_message(self.Found(left))

    def on_prefill_mixin_found(self, message: Found) -> None:
        left = message.left
        if self.list.changed:
            self.unsent.let_go()
            return
        self.list.write(left.texts)
        words = f"What you had typed on {left.when:%d %b at %H:%M} is back; escape throws it away."
        missing = f" Not kept, for it may be secret: {', '.join(left.missing)}." if left.missing else ""
        self.notify(words + missing, timeout=10, markup=False)

    async def action_edit(self) -> None:
        """The command in the person's own editor. Blocks: Textual must do nothing while it is suspended."""
        await self.list.settle()
        command = self.list.fields["command"]
        before = command.whole
        edited = edit(self.app, before, "command.sh")
        if edited.text is None:
            self.notify(edited.why, severity="error", timeout=20, markup=False)
        elif edited.text != before:
            command.write(one_line(edited.text))
        self.set_focus(command.line)

    def action_template(self) -> None:
        """Choose a template, and fill in what it says."""
        if self.templates:
            self.app.push_screen(TemplatesScreen(self.templates), self._begin_with)
        else:
            self.notify(f"There are none: [templates.NAME] in {user_file()} makes one.", markup=False)

    def _begin_with(self, name: str | None) -> None:
        if name is None:
            return
        said = self.templates[name]
        self.list.write({field: self._joined(field, raw) for field, raw in said.items()})
        if refused := [field for field in said if field not in self.list.fields]:
            why = self.list.rules[refused[0]].why
            self.notify(f"Left out: {', '.join(refused)} ({why})", severity="warning", markup=False)

    def _joined(self, name: str, raw: object) -> str:
        with contextlib.suppress(ValueError, KeyError):  # what is wrong in the form now is replaced
            raw = joined(name, self.list.fields[name].raw, raw)
        return field_text(name, parse_field(name, raw))

    # What is offered

    @work(group="offers", exit_on_error=False)
    async def _load_offers(self) -> None:
        self.post_message(self.Offered(await load_suggestions(self.backend, self.old)))

    def on_prefill_mixin_offered(self, message: Offered) -> None:
        offers = message.offers
        for name in offers.kept.keys() & self.list.fields.keys():
            self.list.fields[name].offer(offers.kept[name])
        if offers.name:
            self._suggested = offers.name
            self.list.fields["name"].suggest(offers.name)
            self.review()
        if offers.command and not self.list.changed:
            self.list.fields["command"].begin(offers.command)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        field = event.widget.parent and event.widget.parent.parent
        if isinstance(field, Field) and field.field in CHOSEN:
            self._load_choices(field, *(self._word_of(name) for name in ("namespace", "cluster")))

    def _word_of(self, name: str) -> str:
        return self.list.fields[name].text.strip() if name in self.list.fields else ""

    @work(exclusive=True, group="choices", exit_on_error=False)
    async def _load_choices(self, field: Field, namespace: str, cluster: str) -> None:
        try:
            known = await self.backend.choices(field.field, namespace=namespace, cluster=cluster)
            self.post_message(self.Told(field, known))
        except BackendError as error:
            self.post_message(self.Told(field, (), error.title))

    def on_prefill_mixin_told(self, message: Told) -> None:
        message.field.choose_from(message.known, message.why)

    async def action_choose(self) -> None:
        """Take what the list offers under the cursor; without it, go to the next field."""
        await self.list.settle()
        field = next((field for field in self.list.fields.values() if field.line is self.focused), None)
        if field is None or not field.take_choice():
            self.focus_next()

    @work(group="capacity", exit_on_error=False)
    async def _load_capacity(self) -> None:
        try:
            self.post_message(self.Counted(await self.backend.capacity(Scope())))
        except BackendError as error:
            self.post_message(self.Counted(Capacity(unknown_because=error.title)))

    def on_prefill_mixin_counted(self, message: Counted) -> None:
        if "gpus" in self.list.fields:
            self.list.fields["gpus"].note(free_words(message.capacity))
