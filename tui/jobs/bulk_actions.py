"""Bulk actions: stop, resume or delete all selected jobs with one question."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from textual import work
from textual.worker import Worker

from backend_client.bulk import do_all
from backend_client.errors import fragment
from backend_client.logs.source_or_copy import delete_with_copy
from backend_client.models import Job
from backend_client.protocol import JobBackend, Verb
from backend_client.text.questions import lost_by_stop, not_all_done, not_done, question, why_left_out
from backend_client.text.sanitize import clean
from tui.jobs.job_screen import JobScreen
from tui.messages import OpenText


class BulkAction(NamedTuple):
    """An action that can run on every selected job."""

    verb: Verb
    do: Callable[[JobBackend, Job], Awaitable[object]]


async def _delete(backend: JobBackend, job: Job) -> None:
    """Delete one of many jobs. None waits for what holds another: that shows in the list."""
    async for _ in delete_with_copy(backend, job.ref, wait=False):
        pass


STOP = BulkAction(Verb.STOP, lambda backend, job: backend.stop(job.ref))
RESUME = BulkAction(Verb.RESUME, lambda backend, job: backend.resume(job.ref))
DELETE = BulkAction(Verb.DELETE, _delete)


class SelectionScreen(JobScreen):
    """A screen where the acting keys mean all selected jobs; where none is, the one under the cursor."""

    @property
    def selected(self) -> Sequence[Job]:
        """The jobs that are marked; where none is, those of the group under the cursor."""
        raise NotImplementedError

    def clear_marks(self) -> None:
        """Take the mark off every job."""
        raise NotImplementedError

    def action_stop(self) -> Worker[None]:
        return self._act(STOP) if self.selected else super().action_stop()

    def action_delete(self) -> Worker[None]:
        return self._act(DELETE) if self.selected else super().action_delete()

    def action_resume(self) -> None:
        self._act(RESUME) if self.selected else super().action_resume()

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def _act(self, action: BulkAction) -> None:
        backend = self.backend
        if backend is None or self.blocked(action.verb):
            return
        reasons = [(job, why_left_out(action.verb, job)) for job in self.selected]
        left_out = [f"{clean(job.name, 80)} {why}" for job, why in reasons if why]
        jobs = [job for job, why in reasons if not why]
        if not jobs:
            self.app.notify("; ".join(left_out))
        elif await self._confirmed(
            action.verb, jobs, *question(action.verb, jobs, left_out, lost_by_stop(backend))
        ):
            self.clear_marks()
            self.app.run_worker(self._do_all(action, backend, jobs), group="act", exit_on_error=False)

    async def _do_all(self, action: BulkAction, backend: JobBackend, jobs: Sequence[Job]) -> None:
        failures = await do_all(partial(action.do, backend), jobs)
        if len(failures) == 1 or any(self.session.login_prompt.ask(failure.error) for failure in failures):
            job, error = failures[0]
            self._show_failure(not_done(action.verb, job), error)
        elif failures:
            title = not_all_done(action.verb, len(failures), len(jobs))
            text = "\n\n".join(
                f"{clean(job.name)}: {fragment(e.title)}\n{e.hint}".rstrip() for job, e in failures
            )
            self.session.request(OpenText(title, text))
