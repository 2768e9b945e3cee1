"""The actions on one job, from whichever screen shows it: confirm, run, and show what failed."""

from collections.abc import Coroutine, Sequence
from contextlib import suppress

from textual import work
from textual.screen import Screen

from backend_client.errors import BackendError, fragment
from backend_client.logs.source_or_copy import delete_with_copy
from backend_client.models import Job, JobSpec
from backend_client.protocol import AccessReview, Feature, JobBackend, Verb
from backend_client.spec_file import as_job, no_spec, spec_yaml
from backend_client.text.questions import (
    as_job_question,
    delete_question,
    leave_question,
    lost_by_stop,
    not_done,
    stop_question,
)
from backend_client.text.sanitize import clean
from tui.messages import OpenForm, OpenLog, OpenPlot, OpenPorts, OpenRanks, OpenShell, OpenText
from tui.session import Guarded
from tui.ui.confirm import ConfirmScreen


class JobScreen(Screen[None], Guarded):
    """A screen about jobs of one backend. A subclass says which job the keys act upon."""

    @property
    def backend(self) -> JobBackend | None:
        """The backend that the jobs belong to; None until their context is open."""
        raise NotImplementedError

    @property
    def job(self) -> Job | None:
        """The job that the keys act upon."""
        raise NotImplementedError

    def created(self, job: Job) -> None:
        """Take note of the job that a form opened from here has created."""

    def deleted(self) -> None:
        """Take note that the job of this screen was deleted."""

    def action_log(self) -> None:
        if self.job and self.backend:
            self.session.request(OpenLog(self.job, self.backend))

    def action_plot(self) -> None:
        if self.job and self.backend:
            self.session.request(OpenPlot(self.job, self.backend))

    def action_ranks(self) -> None:
        if self.job and self.backend and not self.blocked(Feature.RANKS):
            self.session.request(OpenRanks(self.job, self.backend))

    def action_ports(self) -> None:
        if self.job and self.backend and not self.blocked(Feature.PORTS):
            self.session.request(OpenPorts(self.job, self.backend))

    def action_shell(self) -> None:
        if self.job and not self.blocked(Verb.EXEC):
            self.session.request(OpenShell(self.job))

    def action_yaml(self) -> None:
        if self.job and not self._not_of_a_spec(self.job):
            self.session.request(OpenText(f"{self.job.name}  spec file", spec_yaml(self.job.spec)))

    def action_again(self) -> None:
        if self.job and not self._not_of_a_spec(self.job) and not self.blocked(Verb.CREATE):
            self.open_form(self.job.spec)

    def _not_of_a_spec(self, job: Job) -> bool:
        """Return True for a job that no spec of traindeck makes; say what has it instead."""
        why = no_spec(job)
        if why:
            self.app.notify(clean(why, 300), title=clean(job.name))
        return bool(why)

    def blocked(self, needs: Verb | Feature) -> bool:
        """Return True where a verb or feature cannot be used now; say why, or ask for the login it needs."""
        why = self.session.permissions.why_not(needs)
        if self.session.login_prompt.needed:
            self.session.login_prompt.show()
        elif why:
            self.app.notify(why)
            self.session.recheck_permissions()
        return bool(why) or self.session.login_prompt.needed

    def open_form(self, spec: JobSpec | None = None) -> None:
        """Open the form, empty or filled in like a job."""
        if self.backend:
            self.session.request(OpenForm(self.backend, spec, self.created))

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_stop(self) -> None:
        job, backend = self.job, self.backend
        if not job or not backend or self._not_allowed(job, Verb.STOP):
            return
        if job.ended:
            self.app.notify(f"{clean(job.name)} has ended already.")
        elif await self._confirmed(Verb.STOP, [job], *stop_question(job, lost_by_stop(backend))):
            self._run(backend.stop(job.ref), not_done(Verb.STOP, job))

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_delete(self) -> None:
        job, backend = self.job, self.backend
        if not job or not backend or self._not_allowed(job, Verb.DELETE):
            return
        wait = job.ref.uid not in self.session.slow_deletions
        if await self._confirmed(
            Verb.DELETE, [job], *(delete_question(job) if wait else leave_question(job))
        ):
            self._run(self._delete(job, backend, wait=wait), not_done(Verb.DELETE, job))

    async def _delete(self, job: Job, backend: JobBackend, *, wait: bool) -> None:
        title, slow = f"Deleting {clean(job.name)}", self.session.slow_deletions
        async for step in delete_with_copy(backend, job.ref, wait=wait):
            if step.slow and job.ref.uid not in slow:
                slow.add(job.ref.uid)
                words = f"{step.message}. To wait no longer, delete it once more."
                self.app.notify(words, title=title, timeout=15)
            else:
                self.app.notify(step.message, title=title, timeout=2)
        slow.discard(job.ref.uid)
        self.deleted()

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_as_job(self) -> None:
        job, backend = self.job, self.backend
        if not job or not backend or self._not_allowed(job, Verb.CREATE):
            return
        if job.spec.kind == "job":
            self.app.notify(f"{clean(job.name)} is a job already: it is not started again.")
            return
        if await self._confirmed(Verb.STOP, [job], *as_job_question(job)):
            if not job.ended:
                self._run(backend.stop(job.ref), not_done(Verb.STOP, job))
            self.open_form(as_job(job.spec))

    def action_resume(self) -> None:
        job, backend = self.job, self.backend
        if job and backend and not self._not_allowed(job, Verb.RESUME):
            self._run(backend.resume(job.ref), not_done(Verb.RESUME, job))

    def _run(self, act: Coroutine[object, object, object], failed: str) -> None:
        """Run an action that was agreed to, to its end, even where this screen is left meanwhile."""

        async def do() -> None:
            try:
                await act
            except BackendError as error:
                self._show_failure(failed, error)

        self.app.run_worker(do(), group="act", exit_on_error=False)

    def _not_allowed(self, job: Job, verb: Verb) -> bool:
        if job.refuses(verb):
            self.app.notify(clean(job.read_only, 300), title=clean(job.name))
        return job.refuses(verb) or self.blocked(verb)

    async def _confirmed(self, verb: Verb, jobs: Sequence[Job], *words: str) -> bool:
        """Confirm with the person, and check access meanwhile: what no job allows cannot be confirmed."""
        screen = ConfirmScreen(*words)
        reviews = [AccessReview(verb, job.ref) for job in jobs]
        checking = self.run_worker(self._refuse_forbidden(screen, reviews), group="may", exit_on_error=False)
        try:
            return await self.app.push_screen_wait(screen) is True
        finally:
            checking.cancel()

    async def _refuse_forbidden(self, screen: ConfirmScreen, reviews: Sequence[AccessReview]) -> None:
        if self.backend:
            with suppress(BackendError):
                decisions = await self.backend.check_access(reviews)
                if all(decision.allowed is False for decision in decisions):
                    screen.post_message(screen.Forbidden(decisions[0].why))

    def _show_failure(self, title: str, error: BackendError) -> None:
        if self.session.login_prompt.ask(error):
            self.app.notify(f"{title}: {fragment(error.title)}", severity="error")
        else:
            self.session.request(OpenText(title, str(error)))
