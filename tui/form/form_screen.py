"""The job form: fill in, see the plan, submit. A failure loses nothing that was typed."""

import asyncio
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

from backend_client.code.prepare import CodePacker
from backend_client.errors import BackendError
from backend_client.gpu_fit import start_words
from backend_client.models import Job, JobSpec
from backend_client.models.fields import parse_field
from backend_client.models.shell_words import command_notes, in_shell
from backend_client.protocol import JobBackend, Plan
from backend_client.text.form_fields import by_field, changed_words, command_words, missing, to_do
from backend_client.text.sanitize import clean, clean_block
from tui.actions import Place
from tui.bindings import bindings
from tui.form.autosave import Autosave
from tui.form.field import Field
from tui.form.field_list import FieldList
from tui.form.plan_screen import PlanScreen, plan_text
from tui.form.prefill import PrefillMixin
from tui.form.submission import Submission
from tui.form.templates import Templates
from tui.session import Guarded
from tui.ui.confirm import ConfirmScreen
from tui.ui.footer import Footer

PLAN_AFTER_SECONDS = 0.15
"""Seconds without a key before the context is asked what it would make."""


class FormScreen(PrefillMixin, Guarded):
    """A new job, or (with `spec`) one like an old job. Dismisses with the created job, or None."""

    CSS_PATH = "form_screen.tcss"
    BINDINGS = [  # noqa: RUF012  Textual's own spelling
        # Those that move the focus have priority: what is typed right behind them goes to where they lead.
        # So has what a line would take for itself.
        *(replace(binding, priority=binding.id in ("more", "edit")) for binding in bindings(Place.FORM)),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("enter", "choose", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  Textual's own spelling
    where = Place.FORM
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """As Textual's, but a step to the next field does not paint the whole screen anew."""

    @dataclass(eq=False)
    class PlanLoaded(Message):
        """The plan of the context for a spec, or why there is none."""

        spec: JobSpec
        plan: Plan | BackendError

    @dataclass(eq=False)
    class SubmitEnded(Message):
        """How a submit ended: a job, an error, or neither (somebody said no to a question)."""

        job: Job | None = None
        error: BackendError | None = None

    def __init__(
        self,
        backend: JobBackend,
        *,
        spec: JobSpec | None = None,
        before: Mapping[str, str] | None = None,
        namespace: str = "",
        templates: Templates | None = None,
    ) -> None:
        """Make a form. `namespace`: where a new job goes, if not into the context's own.

        `before`: field -> the text that an old job had there, of those that `spec` changes; they are marked.
        """
        super().__init__()
        self.backend = backend
        self.old = spec
        self.templates = templates or {}
        self._before = before or {}
        self.list = FieldList(
            backend.fields, msgspec.structs.replace(spec or JobSpec(namespace=namespace), name="")
        )
        self.submission = Submission(backend)
        self.packer = CodePacker(backend)
        self.autosave = Autosave(backend.context)
        self.spec: JobSpec | None = None
        """The spec that is filled in; None where something in it is wrong."""
        self._errors: dict[str, str] = {}
        self._plan_errors: dict[str, str] = {}
        """Field -> what the plan says is wrong; `_submit_errors`: what a failed submit said."""
        self._submit_errors: dict[str, str] = {}
        self._warnings: dict[str, str] = {}
        self._problem_text = ""
        """Why the last submit failed, where no field is to blame alone."""
        self._created: Job | None = None
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
        self.load_prefill()
        self.list.mark(self._before)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.review()
        self.call_after_refresh(self.list.reveal)

    def _show_status(self, words: str) -> None:
        self.query_one("#status", Static).update(Content(clean(words, 60)))

    def _show_problem(self, words: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(Content(clean_block(words)))
        problem.set_class(bool(words), "shown")

    def redraw(self) -> None:
        """Draw every message at its field; those that belong to none above the fields."""
        loose = [
            f"{name}: {words}".removeprefix(": ")
            for name, words in {**self._warnings, **self._plan_errors}.items()
            if name not in self.list.fields
        ]
        self._show_problem("\n".join(filter(None, dict.fromkeys((self._problem_text, *loose)))))
        self.list.set_messages(
            {**self._plan_errors, **self._submit_errors, **self._errors},
            {**self._shell_warnings(), **self._warnings},
            self._remarks(),
        )

    def _shell_warnings(self) -> dict[str, str]:
        """Return what a shell would do with the command that is not done, and the key that has one do it."""
        command = self.list.fields.get("command")
        if command is None or "command" in self._errors:
            return {}
        notes = command_notes(command.raw)
        return {"command": f"f6 puts it into sh -c: {'; '.join(notes)}"} if notes else {}

    def action_in_shell(self) -> None:
        """Have a shell run the command."""
        command = self.list.fields.get("command")
        if command is None or "command" in self._errors or not command.text:
            return
        if tuple(parse_field("command", command.raw))[:2] != ("sh", "-c"):
            command.set_text(in_shell(command.raw))

    def _remarks(self) -> dict[str, str]:
        """Return what marked fields were, whether it starts now, and the command as it runs, where its field
        does not show that.
        """
        was = {name: changed_words(text) for name, text in self._before.items()}
        starts = start_words(self.machines, self.spec) if self.machines and self.spec else ""
        gpus = "; ".join(filter(None, (was.get("gpus", ""), starts)))
        return was | ({"gpus": gpus} if gpus else {}) | self._command_remark()

    def _command_remark(self) -> dict[str, str]:
        command = self.list.fields.get("command")
        if command is None or "command" in self._errors:
            return {}
        runs = command_words(command.raw)
        seen = runs == command.text and len(runs) < command.line.size.width
        return {} if seen or not runs else {"command": f"runs: {runs}"}

    # What is typed

    def on_field_edited(self, event: Field.Edited) -> None:
        super().on_field_edited(event)
        for messages in (self._plan_errors, self._submit_errors, self._warnings):
            messages.pop(event.field.field, None)
        self.review()

    def review(self) -> None:
        """Parse all fields, and ask the context for its plan."""
        self.spec, self._errors = self.list.read()
        if self.spec and not self.spec.name and self._suggested:
            self.spec = msgspec.structs.replace(self.spec, name=self._suggested)
        self.redraw()
        empty = missing(self.spec, self.list.rules) if self.spec else {}
        if self.spec and not empty:
            self._ask_plan(self.spec)
        else:
            self.workers.cancel_group(self, "plan")
            self.query_one("#yaml", Static).update(to_do(empty))

    @work(exclusive=True, group="plan", exit_on_error=False)
    async def _ask_plan(self, spec: JobSpec) -> None:
        await asyncio.sleep(PLAN_AFTER_SECONDS)
        try:
            plan = await self.backend.plan(await self.packer.with_code(spec))
            self.post_message(self.PlanLoaded(spec, plan))
        except BackendError as error:
            self.post_message(self.PlanLoaded(spec, error))

    def on_form_screen_plan_loaded(self, message: PlanLoaded) -> None:
        if message.spec != self.spec:
            return
        plan = message.plan
        self.query_one("#yaml", Static).update(plan_text(plan))
        if isinstance(plan, Plan):
            if not self._busy:  # "submitting ..." stays
                self._show_status(plan.place)
            self._plan_errors, self._warnings = by_field(plan.errors), by_field(plan.warnings)
            self.list.fields["name"].set_placeholder(plan.name)
        else:
            self._plan_errors = dict(plan.fields)
            self._ask_login(plan)
        self.redraw()

    def _ask_login(self, error: BackendError) -> None:
        """Ask for another login where it has ended; what was typed waits below that screen."""
        self._review_again = self.session.login_prompt.ask(error)

    # Keys

    def on_key(self, event: events.Key) -> None:
        """Ignore a letter that no field takes: `q`, which leaves the app, must not throw the form away."""
        if event.is_printable and event.key != "space":
            event.stop()

    def action_more(self) -> None:
        """Show or fold the rest of the fields."""
        self.list.fold(folded=not self.list.folded)

    async def action_plan(self) -> None:
        """Open the plan and the spec file, full screen."""
        await self.list.settle()
        self.review()
        if self.spec:
            self.app.push_screen(PlanScreen(self.backend, self.spec))
        else:
            self.list.focus_first(self._errors)

    async def action_leave(self) -> None:
        """Leave without a job; asks where something was typed."""
        await self.list.settle()
        if self._busy:
            self._set_problem("Still submitting: wait for the answer.")
        elif self.list.changed:
            ask = ConfirmScreen("Throw away what you typed?", yes="Throw away", no="Keep")
            self.app.push_screen(ask, self._leave)
        else:
            self._leave(yes=True)

    def _leave(self, yes: bool | None) -> None:
        if yes:
            self.app.run_worker(self.autosave.discard(), exit_on_error=False)
            self.dismiss(None)

    async def action_submit(self) -> None:
        """Create the job. A second press while the first is under way does nothing."""
        await self.list.settle()
        if self._busy:
            return
        self.review()
        empty = missing(self.spec, self.list.rules) if self.spec else {}
        if self.spec is None or empty:
            self._mark_errors(empty or self._errors)
            return
        self._busy = True
        self._submit_errors = {}
        self._set_problem("")
        self._show_status("submitting ...")
        self._submit(self.spec)

    @work(group="submit", exit_on_error=False)
    async def _submit(self, spec: JobSpec) -> None:
        try:
            job = await self.submission.submit(self.app, await self.with_name(spec))
            if job:
                await self.autosave.discard()
            self.post_message(self.SubmitEnded(job=job))
        except BackendError as error:
            self.post_message(self.SubmitEnded(error=error))

    def on_form_screen_submit_ended(self, message: SubmitEnded) -> None:
        self._busy = False
        self._show_status("")
        self._created = message.job
        self._set_problem(str(message.error or ""))
        if message.error:
            self._mark_errors(message.error.fields)
            self._ask_login(message.error)
        self._finish()

    def _finish(self) -> None:
        """Hand the job back; not before the form is on top (help or the plan may lie over it)."""
        if self._created and self.is_active:
            self.dismiss(self._created)

    def on_screen_resume(self) -> None:
        self.call_later(self._finish)
        if self._review_again:
            self._review_again, self._problem_text = False, ""
            self.call_later(self.review)

    def _set_problem(self, trouble: str) -> None:
        self._problem_text = trouble
        self.redraw()

    def _mark_errors(self, wrong: Mapping[str, str]) -> None:
        self._submit_errors = dict(wrong)
        self.redraw()
        self.list.focus_first(wrong)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show a defect of a worker as a problem, the last resort: it must not take away what was typed."""
        if event.state == WorkerState.ERROR:
            self._busy = False
            self._set_problem(f"A defect of traindeck ({type(event.worker.error).__name__}): try again.")
