"""The job form: fill in, see what would be made, submit. Nothing typed is lost by a failure."""

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import Reactive
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from backend_client.errors import BackendError
from backend_client.models import Job, JobSpec
from backend_client.models.fields import parse_field
from backend_client.protocol import JobBackend, Plan
from tui.actions import Place
from tui.bindings import bindings
from tui.form.autosave import Autosave
from tui.form.field import Field
from tui.form.field_list import FieldList
from tui.form.plan_screen import PlanScreen, plan_text
from tui.form.prefill import PrefillMixin
from tui.form.submission import Submission, by_field
from tui.form.templates import Templates
from tui.session import Guarded
from tui.ui.confirm import ConfirmScreen
from tui.ui.footer import Footer
from tui.ui.sanitize import clean, clean_block

PAUSE = 0.15
"""Seconds without a key before the context is asked what it would make."""


class FormScreen(Guarded, PrefillMixin):
    """A new job, or (with `spec`) one like an old job. Dismisses with the job made, or None."""

    CSS_PATH = "form_screen.tcss"
    BINDINGS = [  # noqa: RUF012  # Textual's own spelling
        # Those that move the focus have priority: what is typed right behind them goes to where they lead.
        # So has what a line would take for itself.
        *(replace(binding, priority=binding.id in ("more", "edit")) for binding in bindings(Place.FORM)),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("enter", "choose", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  # Textual's own spelling
    where = Place.FORM
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """As Textual's, but a step to the next field does not paint the whole screen anew."""

    @dataclass
    class Planned(Message):
        """What the context says about a spec."""

        spec: JobSpec
        plan: Plan | BackendError

    @dataclass
    class Ended(Message):
        """How a submit ended: a job, an error, or neither (somebody said no to a question)."""

        job: Job | None = None
        error: BackendError | None = None

    def __init__(
        self,
        backend: JobBackend,
        *,
        spec: JobSpec | None = None,
        namespace: str = "",
        templates: Templates | None = None,
    ) -> None:
        """`namespace`: where a new job goes, if not where the context has its own."""
        super().__init__()
        self.backend = backend
        self.old = spec
        self.templates = templates or {}
        self.list = FieldList(
            backend.fields, msgspec.structs.replace(spec or JobSpec(namespace=namespace), name="")
        )
        self.submission = Submission(backend)
        self.unsent = Autosave(backend.context)
        self.spec: JobSpec | None = None
        """What the form says now; None where something in it is wrong."""
        self._wrong: dict[str, str] = {}
        self._planned: dict[str, str] = {}
        """What the context says of the plan; `_refused`: what it said when a submit failed."""
        self._refused: dict[str, str] = {}
        self._warned: dict[str, str] = {}
        self._trouble = ""
        """Why the last submit failed, where no field is to blame alone."""
        self._made: Job | None = None
        self._busy = False
        self._review_again = False
        """The login had ended: what the context says is not known."""

    # What is on screen

    def compose(self) -> ComposeResult:
        what = f"Run {clean(self.old.name, 30)} again" if self.old else "New job"
        with Horizontal(id="title"):
            yield Static(Content(f" traindeck  {clean(self.backend.context, 20)}  {what}"), id="what")
            yield Static(id="status")
        yield Static(id="problem")
        with Horizontal(id="body"):
            yield self.list
            with VerticalScroll(id="plan"):
                yield Static(id="yaml")
        yield Footer(self.session)

    def on_mount(self) -> None:
        self.begin_filling()
        self.call_after_refresh(self.review)

    def _status(self, words: str) -> None:
        self.query_one("#status", Static).update(Content(clean(words, 60)))

    def _problem(self, words: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(Content(clean_block(words)))
        problem.set_class(bool(words), "shown")

    def _draw(self) -> None:
        """Every word at its field; what belongs to none, above them."""
        loose = [
            f"{name}: {words}".removeprefix(": ")
            for name, words in {**self._warned, **self._planned}.items()
            if name not in self.list.fields
        ]
        self._problem("\n".join(filter(None, dict.fromkeys((self._trouble, *loose)))))
        self.list.show({**self._planned, **self._refused, **self._wrong}, self._warned, self._remarks())

    def _remarks(self) -> dict[str, str]:
        """The command as it will run, where it cannot be seen in its field."""
        command = self.list.fields.get("command")
        if command is None or "command" in self._wrong:
            return {}
        runs = shlex.join(parse_field("command", command.raw))
        seen = runs == command.text and len(runs) < command.line.size.width
        return {} if seen or not runs else {"command": f"runs: {runs}"}

    # What is typed

    def on_field_edited(self, event: Field.Edited) -> None:
        super().on_field_edited(event)
        for said in (self._planned, self._refused, self._warned):
            said.pop(event.field.field, None)
        self.review()

    def review(self) -> None:
        """Read all fields, and ask the context what it makes of them."""
        self.spec, self._wrong = self.list.read()
        if self.spec and not self.spec.name and self._suggested:
            self.spec = msgspec.structs.replace(self.spec, name=self._suggested)
        self._draw()
        missing = self.list.missing(self.spec) if self.spec else {}
        if self.spec and not missing:
            self._ask_plan(self.spec)
        else:
            self.workers.cancel_group(self, "plan")
            todo = f"Fill in {', '.join(missing)}" if missing else "Put right what is marked"
            self.query_one("#yaml", Static).update(f"{todo} to see here what would be made.")

    @work(exclusive=True, group="plan", exit_on_error=False)
    async def _ask_plan(self, spec: JobSpec) -> None:
        await asyncio.sleep(PAUSE)
        try:
            self.post_message(self.Planned(spec, await self.backend.plan(spec)))
        except BackendError as error:
            self.post_message(self.Planned(spec, error))

    def on_form_screen_planned(self, message: Planned) -> None:
        if message.spec != self.spec:
            return
        plan = message.plan
        self.query_one("#yaml", Static).update(plan_text(plan))
        if isinstance(plan, Plan):
            self._status(plan.place)
            self._planned, self._warned = by_field(plan.errors), by_field(plan.warnings)
            self.list.fields["name"].suggest(plan.name)
        else:
            self._planned = dict(plan.fields)
            self._login(plan)
        self._draw()

    def _login(self, error: BackendError) -> None:
        """Where the login has ended, another one comes first; what was typed waits below it."""
        self._review_again = self.session.login_prompt.ask(error)

    # Keys

    def on_key(self, event: events.Key) -> None:
        """A letter that no field takes does nothing: the whole program's `q` must not throw the form away."""
        if event.is_printable and event.key != "space":
            event.stop()

    def action_more(self) -> None:
        """Show or fold the rest of the fields."""
        self.list.fold(folded=not self.list.folded)

    async def action_plan(self) -> None:
        """The plan and the spec file, full screen."""
        await self.list.settle()
        self.review()
        if self.spec:
            self.app.push_screen(PlanScreen(self.backend, self.spec))
        else:
            self.list.focus_first(self._wrong)

    async def action_leave(self) -> None:
        """Leave without a job; asks where something was typed."""
        await self.list.settle()
        if self._busy:
            self._say("Still submitting: wait for the answer.")
        elif self.list.changed:
            ask = ConfirmScreen("Throw away what you typed?", yes="Throw away", no="Keep")
            self.app.push_screen(ask, self._leave)
        else:
            self._leave(yes=True)

    def _leave(self, yes: bool | None) -> None:
        if yes:
            self.app.run_worker(self.unsent.discard(), exit_on_error=False)
            self.dismiss(None)

    async def action_submit(self) -> None:
        """Make the job. A second press while the first is under way does nothing."""
        await self.list.settle()
        if self._busy:
            return
        self.review()
        missing = self.list.missing(self.spec) if self.spec else {}
        if self.spec is None or missing:
            self._refuse(missing or self._wrong)
            return
        self._busy = True
        self._refused = {}
        self._say("")
        self._status("submitting ...")
        self._submit(self.spec)

    @work(group="submit", exit_on_error=False)
    async def _submit(self, spec: JobSpec) -> None:
        try:
            job = await self.submission.make(self.app, spec)
            if job:
                await self.unsent.discard()
            self.post_message(self.Ended(job=job))
        except BackendError as error:
            self.post_message(self.Ended(error=error))

    def on_form_screen_ended(self, message: Ended) -> None:
        self._busy = False
        self._status("")
        self._made = message.job
        self._say(str(message.error or ""))
        if message.error:
            self._refuse(message.error.fields)
            self._login(message.error)
        self._finish()

    def _finish(self) -> None:
        """Hand the job back; not before the form is on top (help or the plan may lie over it)."""
        if self._made and self.is_active:
            self.dismiss(self._made)

    def on_screen_resume(self) -> None:
        self.call_later(self._finish)
        if self._review_again:
            self._review_again, self._trouble = False, ""
            self.call_later(self.review)

    def _say(self, trouble: str) -> None:
        self._trouble = trouble
        self._draw()

    def _refuse(self, wrong: Mapping[str, str]) -> None:
        self._refused = dict(wrong)
        self._draw()
        self.list.focus_first(wrong)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The last resort: a defect of ours must not take away what was typed."""
        if event.state == WorkerState.ERROR:
            self._busy = False
            self._say(f"A defect of traindeck ({type(event.worker.error).__name__}): try again.")
