"""What can be done to one job, as the links of its page; what cannot says why."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from msgspec import Struct

from backend.auth.caller import Caller
from backend.authorization import Action, may
from backend.jobs.access import decide
from backend.jobs.service import JobService
from backend.web.rendering import Site
from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import AccessReview, Feature, Verb
from backend_client.spec_file import no_spec
from backend_client.text.sanitize import clean

_WAITING = (JobState.QUEUED, JobState.PENDING)


class JobLink(Struct, frozen=True):
    """A link of a job's page; with `why` it cannot be followed, and says so."""

    label: str
    address: str
    key: str
    why: str = ""
    asks: bool = False
    """It leads to a question, which a script shows in a dialog."""
    is_bad: bool = False
    """What it does cannot be taken back."""


class JobLinks(Struct, frozen=True):
    """All links of a job's page."""

    look: Sequence[JobLink]
    act: Sequence[JobLink]

    @property
    def refusals(self) -> Mapping[str, str]:
        """Return reason -> what is refused for it."""
        found: dict[str, list[str]] = {}
        for link in self.act:
            if link.why:
                found.setdefault(link.why, []).append(link.label)
        return {why: ", ".join(labels) for why, labels in found.items()}


def links_of(site: Site, service: JobService, caller: Caller, job: Job) -> JobLinks:
    """Return the links of a job that is there."""
    ref = job.ref
    look = [
        JobLink("Log", site.job_url(ref, "log"), "l"),
        JobLink("Why", "#why", "w"),
        JobLink("Loss", site.job_url(ref, "loss"), "v"),
        *([JobLink("Ranks", site.job_url(ref, "ranks"), "R")] if _has_ranks(job) else []),
        JobLink("Spec file", "#spec", "y"),
    ]
    act = [JobLink("Run again", site.job_url(ref, "again"), "r", why_not_again(caller, job))]
    if job.spec.kind == "deployment":
        once = {"kind": "job", "replicas": "1"}
        act.append(JobLink("Run as a job", new_url(site, ref, once), "J", why_not_again(caller, job)))
    if job.state is JobState.STOPPED:
        why = _why_not(service, caller, job, Verb.RESUME)
        act.append(JobLink("Resume", site.job_url(ref, "resume"), "u", why, asks=True))
    if not job.ended:
        why = _why_not(service, caller, job, Verb.STOP)
        act.append(JobLink("Stop", site.job_url(ref, "stop"), "x", why, asks=True))
    if job.state in _WAITING and job.queue and _has_queues(service, job):
        why = may(caller, Action.QUEUE).why or (
            clean(job.read_only, 300) if job.refuses(Action.QUEUE) else ""
        )
        act.append(JobLink("Hold, priority, queue", site.job_url(ref, "queue"), "Q", why))
    why = _why_not(service, caller, job, Verb.DELETE)
    act.append(JobLink("Delete", site.job_url(ref, "delete"), "d", why, asks=True, is_bad=True))
    return JobLinks(look, act)


def links_of_deleted(site: Site, caller: Caller, job: Job) -> JobLinks:
    """Return the links of a job that is deleted: what made it is known."""
    again = JobLink("Run again", site.job_url(job.ref, "again"), "r", why_not_again(caller, job))
    return JobLinks([JobLink("Spec file", "#spec", "y")], [again])


def _has_ranks(job: Job) -> bool:
    return any(attempt.rank for attempt in job.attempts)


def why_not_again(caller: Caller, job: Job) -> str:
    """Return why no job can be made like this one, in words; "" where one can."""
    return clean(may(caller, Action.CREATE).why or no_spec(job), 400)


def new_url(site: Site, ref: JobRef, changes: Mapping[str, str]) -> str:
    """Return the address of the form, filled in like a job with changes: a field may become empty."""
    fields = {"from": ref.uid, **{f"f.{name}": text for name, text in changes.items()}}
    return f"{site.url('/new')}?{urlencode(fields)}"


def _why_not(service: JobService, caller: Caller, job: Job, verb: Verb) -> str:
    if job.refuses(verb):
        return clean(job.read_only, 300)
    try:
        decision = decide(service, caller, AccessReview(verb, job.ref))
    except BackendError as error:
        return clean(fragment(error.title), 300)
    return clean(decision.why, 300) if decision.allowed is False else ""


def _has_queues(service: JobService, job: Job) -> bool:
    try:
        return Feature.QUEUE in service.clusters.get(job.ref.context).backend.features
    except BackendError:
        return False
