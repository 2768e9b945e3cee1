"""What a job's page asks its cluster: all at once, each for a short time, and once for all who look.

The page does not wait for a slow cluster. What has not come is said to be missing; the question goes on, and
the next reading of the page has its answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

from msgspec import Struct

from backend.auth.caller import Caller
from backend.authorization import visible_users
from backend.jobs import job_usage, reading
from backend.jobs.rows import JobSelector
from backend.jobs.service import JobService
from backend_client.errors import BackendError, fragment
from backend_client.job_use import JobUse, measuring
from backend_client.models import Event, Job, JobState
from backend_client.protocol import Feature
from backend_client.text.sanitize import clean
from backend_client.usage_reading import Reading
from backend_client.usage_report import Receipt
from backend_client.why import Explanation

LIMIT_SECONDS = 3.0
"""So long does a page wait for its cluster."""
_WHY_SECONDS, _EVENTS_SECONDS, _USE_SECONDS = 5.0, 15.0, 15.0
"""So long is an answer shown again, while the job stays as it is."""
_RUNS = (JobState.RUNNING, JobState.STOPPING, JobState.UNKNOWN)
T = TypeVar("T")


class Answer(Struct, Generic[T], frozen=True):
    """What was answered; None with the trouble: why not."""

    value: T | None = None
    trouble: str = ""
    """A fragment; clean."""
    is_pending: bool = False
    """The question goes on."""


class Answers(Struct, frozen=True):
    """All that a page asks about one job."""

    events: Answer[Sequence[Event]] = Answer(())
    why: Answer[Explanation] = Answer(Explanation())
    use: Answer[JobUse] = Answer()
    receipt: Answer[Receipt] = Answer()
    no_use: str = ""
    """Why this cluster does not tell what jobs use; clean."""

    @property
    def is_pending(self) -> bool:
        """Whether the page is worth reading again soon."""
        return self.events.is_pending or self.why.is_pending or self.use.is_pending

    @property
    def reading(self) -> Reading | None:
        """What is known of the job's use; None where nothing was asked."""
        if self.use.value:
            return Reading(usage=self.use.value.usage, history=self.use.value.history)
        return Reading(trouble=self.use.trouble, since=datetime.now(UTC)) if self.use.trouble else None


async def answer(ask: Awaitable[T], seconds: float = 0.0) -> Answer[T]:
    """Wait for an answer for a while (0: `LIMIT_SECONDS`), or for the reason why there is none."""
    seconds = seconds or LIMIT_SECONDS
    try:
        async with asyncio.timeout(seconds):
            return Answer(await ask)
    except TimeoutError:
        return Answer(trouble=f"no answer within {seconds:g} seconds", is_pending=True)
    except BackendError as error:
        return Answer(trouble=clean(fragment(str(error).replace("\n", " ")), 400))


async def ask_all(service: JobService, caller: Caller, job: Job) -> Answers:
    """Ask all about a job that is there."""
    asked = _Questions(service, caller, job)
    events, why, use, receipt = await asyncio.gather(
        answer(asked.events()), answer(asked.why()), asked.use(), answer(asked.receipt())
    )
    return Answers(events, why, use, receipt, asked.no_use)


async def ask_use(service: JobService, caller: Caller, job: Job) -> Answers:
    """Ask for what a job uses alone."""
    asked = _Questions(service, caller, job)
    use = await asked.use()
    return Answers(use=use, no_use=asked.no_use)


async def ask_of_deleted(service: JobService, caller: Caller, job: Job) -> Answers:
    """Ask for what is remembered of a job that is deleted."""
    asked = _Questions(service, caller, job)
    return Answers(receipt=await answer(asked.receipt()))


class _Questions:
    """The questions about one job, each asked once for all who may know the same."""

    def __init__(self, service: JobService, caller: Caller, job: Job) -> None:
        self._service, self._caller, self._job = service, caller, job
        self._selector = JobSelector(job.ref.context, uid=job.ref.uid)
        self.no_use = ""

    async def _once(self, question: object, seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
        job = self._job
        cluster = self._service.clusters.get(job.ref.context)
        stands = (job.state, job.reason, job.restarts, len(job.attempts))
        return await cluster.questions.ask((question, job.ref.uid, stands), seconds, ask)

    async def events(self) -> Sequence[Event]:
        return await self._once(
            "events",
            _EVENTS_SECONDS,
            lambda: reading.events_of(self._service, self._caller, self._job.name, self._selector),
        )

    async def why(self) -> Explanation:
        return await self._once(
            ("why", visible_users(self._caller)),  # it names jobs of others to those who may see them
            _WHY_SECONDS,
            lambda: reading.explanation_of(self._service, self._caller, self._job.name, self._selector),
        )

    async def use(self) -> Answer[JobUse]:
        """Ask for the use of a job that runs or ran, where its cluster measures."""
        try:
            backend = self._service.clusters.get(self._job.ref.context).backend
        except BackendError as error:
            return Answer(trouble=clean(fragment(error.title), 300))
        if measuring(backend) is None:
            self.no_use = clean(backend.missing_features.get(Feature.METRICS, ""), 300)
            return Answer()
        if not (self._job.ended or self._job.state in _RUNS):
            return Answer()
        return await answer(
            self._once("use", _USE_SECONDS, lambda: job_usage.use_of(self._service, self._caller, self._job))
        )

    async def receipt(self) -> Receipt:
        return await reading.receipt_of(self._service, self._caller, self._job.name, self._selector)
