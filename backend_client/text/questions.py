"""What is asked before something is done to jobs that cannot be taken back. Pure; all is clean."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backend_client.models import Job
from backend_client.protocol import Feature, JobBackend, Verb
from backend_client.text.sanitize import clean

_LABELS = {Verb.STOP: "Stop", Verb.RESUME: "Resume", Verb.DELETE: "Delete"}
_PAST_TENSE: Mapping[Verb, str] = {Verb.STOP: "stopped", Verb.RESUME: "resumed", Verb.DELETE: "deleted"}


class Question(NamedTuple):
    """A question to a person, whose default is no."""

    question: str
    detail: str
    yes: str
    no: str = "Cancel"


def lost_by_stop(backend: JobBackend | None) -> str:
    """Return what becomes of the log when a job is stopped, as a sentence; "" where the log stays."""
    reason = clean(backend.missing_features.get(Feature.STOPPED_LOGS, ""), 300) if backend else ""
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""


def why_left_out(verb: Verb, job: Job) -> str:
    """Return why a marked job is left out; "" where it takes part."""
    if job.refuses(verb):
        return clean(job.read_only, 100)
    return "has ended already" if verb is Verb.STOP and job.ended else ""


def too_many_to_compare(count: int) -> str:
    """Say that so many jobs cannot stand over one another; "" where they can."""
    most = 8
    return f"At most {most} jobs are compared at a time; these are {count}." if count > most else ""


def job_names(jobs: Sequence[Job]) -> str:
    """Return the names of all jobs; namesakes with namespace and kind."""
    plain = [job.name for job in jobs]
    shown = [job.name if plain.count(job.name) == 1 else f"{job.ref} ({job.ref.kind})" for job in jobs]
    return ", ".join(clean(name, 100) for name in shown)


def not_done(verb: Verb, job: Job) -> str:
    """Return the title of a failure: "bert was not stopped"."""
    return f"{clean(job.name)} was not {_PAST_TENSE[verb]}"


def not_all_done(verb: Verb, failed: int, count: int) -> str:
    """Return the title of several failures: "2 of 3 jobs were not stopped"."""
    return f"{failed} of {count} jobs were not {_PAST_TENSE[verb]}"


def under_way(verb: Verb, name: str, count: int) -> str:
    """Return what a server now does to a job of this name, or to so many: "bert is being deleted."."""
    what = f"{clean(name, 80)} is" if count == 1 else f"{count} jobs are"
    return f"{what} being {_PAST_TENSE[verb]}."


def question(verb: Verb, jobs: Sequence[Job], left_out: Sequence[str], lost: str) -> Question:
    """Return the question about marked jobs. `lost`: what becomes of the log of a stopped job."""
    running = sum(not job.ended for job in jobs)
    after = {Verb.STOP: lost or "Their logs stay.", Verb.DELETE: "Their logs go too."}.get(verb, "")
    if verb is Verb.DELETE and running:
        after = f"{running} of them still run: deleting stops them first. {after}"
    about = [job_names(jobs), after, f"Left out: {'; '.join(left_out)}." if left_out else ""]
    count = f"these {len(jobs)} jobs" if len(jobs) > 1 else "this job"
    return Question(f"{_LABELS[verb]} {count}?", "\n\n".join(filter(None, about)), _LABELS[verb])


def stop_question(job: Job, lost: str) -> Question:
    """Return the question before one job is stopped. `lost`: what becomes of its log."""
    return Question(f"Stop {clean(job.name)}?", lost or "Its log stays.", "Stop")


def delete_question(job: Job) -> Question:
    """Return the question before one job is deleted."""
    stops = "" if job.ended else "It still runs: deleting stops it first. "
    return Question(f"Delete {clean(job.name)}?", f"{stops}Its log goes too.", "Delete")


def leave_question(job: Job) -> Question:
    """Return the question before a deletion that takes long is waited for no longer."""
    why = f"It {clean(job.reason)}.\n" if job.reason else ""
    detail = f"{why}What is left of it then goes by itself, as soon as nothing holds it any more."
    return Question(f"Wait no longer until {clean(job.name)} is gone?", detail, "Leave it")


def as_job_question(job: Job) -> Question:
    """Return the question before a deployment is stopped to run as a job."""
    copies = f" It runs once, not in {job.spec.replicas} replicas." if job.spec.replicas > 1 else ""
    detail = f"The form opens, filled in as a job that ends when its process does.{copies}"
    return Question(f"Stop {clean(job.name)}, and run it as a job?", detail, "Go on")


def replace_question(old: Job, new: Job) -> Question:
    """Return the question whether a job that waits is deleted, once another was made with a change."""
    name, follower = clean(old.name, 60), clean(new.name, 60)
    detail = f"{follower} was made with the change. {name} would start too, as soon as it can."
    return Question(f"Delete {name}, which waits still?", detail, "Delete", "Keep both")
