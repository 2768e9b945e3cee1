"""What a person can do to one job, from whichever screen shows it: ask, do it, say what came of it."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING

from textual import work
from textual.screen import Screen

from backend_client.errors import BackendError
from backend_client.models import Job
from backend_client.protocol import Feature, JobBackend, Verb
from tui.bindings import Guarded
from tui.terminal import clean

if TYPE_CHECKING:
    from tui.app import TraindeckApp


class JobScreen(Guarded, Screen[None]):
    """A screen about jobs of one backend. A subclass says which job is meant."""

    backend: JobBackend | None = None

    if TYPE_CHECKING:
        app: "TraindeckApp"

    @property
    def job(self) -> Job | None:
        """The job that the keys act upon."""
        raise NotImplementedError

    def created(self, job: Job) -> None:
        """A form that was opened from here has made a job."""

    def deleted(self) -> None:
        """The job that was meant is no more."""

    def action_log(self) -> None:
        if self.job and self.backend:
            from tui.screens.log import LogScreen

            self.app.push_screen(LogScreen(self.job, self.backend))

    def action_yaml(self) -> None:
        if self.job:
            from tui.screens.text import TextScreen
            from tui.specfile import spec_yaml

            self.app.push_screen(TextScreen(f"{self.job.name}  spec file", spec_yaml(self.job.spec)))

    def action_again(self) -> None:
        if self.job and not self.barred(Verb.CREATE):
            self.open_form(self.job)

    def barred(self, needs: Verb | Feature) -> bool:
        """True where it cannot be done here, now; says why, or asks for the login that it needs."""
        why = self.app.rights.why_not(needs)
        if self.app.logins.needed:
            self.app.logins.open()
        elif why:
            self.app.notify(why)
            self.app.judge()
        return bool(why) or self.app.logins.needed

    def open_form(self, job: Job | None = None) -> None:
        """Open the form, empty or filled in like a job."""
        if self.backend:
            from tui.screens.form import FormScreen

            form = FormScreen(self.backend, spec=job.spec if job else None)
            self.app.push_screen(form, lambda made: self.created(made) if made else None)

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_stop(self) -> None:
        job, backend = self.job, self.backend
        if not job or not backend or self._locked(job, Verb.STOP):
            return
        if job.ended:
            self.app.notify(f"{clean(job.name)} has ended already.")
        elif await self._agreed(f"Stop {clean(job.name)}?", "Its log stays.", "Stop"):
            self._do(backend.stop(job.ref), f"{clean(job.name)} was not stopped")

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_delete(self) -> None:
        job, backend = self.job, self.backend
        if not job or not backend or self._locked(job, Verb.DELETE):
            return
        stops = "" if job.ended else "It still runs: deleting stops it first. "
        if await self._agreed(f"Delete {clean(job.name)}?", f"{stops}Its log goes too.", "Delete"):
            self._do(self._delete(job, backend), f"{clean(job.name)} was not deleted")

    async def _delete(self, job: Job, backend: JobBackend) -> None:
        async for step in backend.delete(job.ref):
            self.app.notify(step.message, title=f"Deleting {clean(job.name)}", timeout=2)
        self.deleted()

    def action_resume(self) -> None:
        job, backend = self.job, self.backend
        if job and backend and not self._locked(job, Verb.RESUME):
            self._do(backend.resume(job.ref), f"{clean(job.name)} was not resumed")

    def _do(self, act: Coroutine[object, object, object], failed: str) -> None:
        """Do what was agreed to, to its end, even where this screen is left meanwhile."""

        async def do() -> None:
            try:
                await act
            except BackendError as error:
                self._failed(failed, error)

        self.app.run_worker(do(), group="act", exit_on_error=False)

    def _locked(self, job: Job, verb: Verb) -> bool:
        if job.read_only:
            self.app.notify(job.read_only, title=clean(job.name))
        return bool(job.read_only) or self.barred(verb)

    async def _agreed(self, question: str, detail: str, yes: str) -> bool:
        from tui.screens.confirm import ConfirmScreen

        answer = await self.app.push_screen_wait(ConfirmScreen(question, detail, yes))
        return answer is True

    def _failed(self, title: str, error: BackendError) -> None:
        from tui.screens.text import TextScreen

        if self.app.logins.ask(error):
            self.app.notify(f"{title}: {error.title}", severity="error")
        else:
            self.app.push_screen(TextScreen(title, str(error)))
