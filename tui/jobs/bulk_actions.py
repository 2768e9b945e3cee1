"""Bulk actions: stop, resume or delete all marked jobs with one question."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from textual import work
from textual.worker import Worker

from backend_client.errors import BackendError
from backend_client.models import Job
from backend_client.protocol import JobBackend, Verb
from tui.jobs.job_screen import JobScreen
from tui.log.empty_reason import lost_by_stop
from tui.messages import OpenText
from tui.ui.sanitize import clean

_AT_ONCE = 8


class BulkAction(NamedTuple):
    """An action that can run on every marked job."""

    verb: Verb
    label: str
    past_tense: str
    do: Callable[[JobBackend, Job], Awaitable[object]]


class Failure(NamedTuple):
    """A job on which the action failed, and why."""

    job: Job
    error: BackendError


async def _delete(backend: JobBackend, job: Job) -> None:
    """Delete one of many jobs. None waits for what holds another: that shows in the list."""
    async for _ in backend.delete(job.ref, wait=False):
        pass


STOP = BulkAction(Verb.STOP, "Stop", "stopped", lambda backend, job: backend.stop(job.ref))
RESUME = BulkAction(Verb.RESUME, "Resume", "resumed", lambda backend, job: backend.resume(job.ref))
DELETE = BulkAction(Verb.DELETE, "Delete", "deleted", _delete)


def why_left_out(act: BulkAction, job: Job) -> str:
    """Return why a marked job is left out; "" where it takes part."""
    if job.read_only:
        return clean(job.read_only, 100)
    return "has ended already" if act is STOP and job.ended else ""


def job_names(jobs: Sequence[Job]) -> str:
    """Return the names of all jobs; namesakes with namespace and kind."""
    plain = [job.name for job in jobs]
    told = [job.name if plain.count(job.name) == 1 else f"{job.ref} ({job.ref.kind})" for job in jobs]
    return ", ".join(clean(one, 100) for one in told)


def question(
    act: BulkAction, meant: Sequence[Job], left_out: Sequence[str], lost: str
) -> tuple[str, str, str]:
    """Return question, detail and the label of yes. `lost`: what becomes of the log of a stopped job."""
    running = sum(not job.ended for job in meant)
    after = {STOP: lost or "Their logs stay.", DELETE: "Their logs go too.", RESUME: ""}[act]
    if act is DELETE and running:
        after = f"{running} of them still run: deleting stops them first. {after}"
    about = [job_names(meant), after, f"Left out: {'; '.join(left_out)}." if left_out else ""]
    count = f"these {len(meant)} jobs" if len(meant) > 1 else "this job"
    return f"{act.label} {count}?", "\n\n".join(filter(None, about)), act.label


class SelectionScreen(JobScreen):
    """A screen where the acting keys mean all marked jobs; without marks, the one under the cursor."""

    @property
    def marked(self) -> Sequence[Job]:
        """The jobs that are marked."""
        raise NotImplementedError

    def clear_marks(self) -> None:
        """Take the mark off every job."""
        raise NotImplementedError

    def action_stop(self) -> Worker[None]:
        return self._act(STOP) if self.marked else super().action_stop()

    def action_delete(self) -> Worker[None]:
        return self._act(DELETE) if self.marked else super().action_delete()

    def action_resume(self) -> None:
        self._act(RESUME) if self.marked else super().action_resume()

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def _act(self, act: BulkAction) -> None:
        backend = self.backend
        if backend is None or self.blocked(act.verb):
            return
        meant = [job for job in self.marked if not why_left_out(act, job)]
        left_out = [f"{clean(job.name, 80)} {why}" for job in self.marked if (why := why_left_out(act, job))]
        if not meant:
            self.app.notify("; ".join(left_out))
        elif await self._confirmed(act.verb, meant, *question(act, meant, left_out, lost_by_stop(backend))):
            self.clear_marks()
            self.app.run_worker(self._do_all(act, backend, meant), group="act", exit_on_error=False)

    async def _do_all(self, act: BulkAction, backend: JobBackend, jobs: Sequence[Job]) -> None:
        failures = await do_all(act, backend, jobs)
        if len(failures) == 1 or any(self.session.login_prompt.ask(one.error) for one in failures):
            job, error = failures[0]
            self._show_failure(f"{clean(job.name)} was not {act.past_tense}", error)
        elif failures:
            title = f"{len(failures)} of {len(jobs)} jobs were not {act.past_tense}"
            told = "\n\n".join(f"{clean(job.name)}: {error}" for job, error in failures)
            self.session.request(OpenText(title, told))


async def do_all(act: BulkAction, backend: JobBackend, jobs: Sequence[Job]) -> list[Failure]:
    """Run an action on each job by its uid, some at a time; a failure stops none of the others."""
    room = asyncio.Semaphore(_AT_ONCE)
    failures: list[Failure] = []

    async def one(job: Job) -> None:
        async with room:
            try:
                await act.do(backend, job)
            except BackendError as error:
                failures.append(Failure(job, error))

    await asyncio.gather(*map(one, jobs))
    return failures
