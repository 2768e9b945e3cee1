"""Attempts of a job that was born at nine, told in minutes since."""

from datetime import UTC, datetime, timedelta

from backend_client.models import Attempt, Job, JobState
from tests.support.scripted import attempt, make_job

BORN = datetime(2026, 1, 5, 9, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return BORN + timedelta(minutes=minutes)


def run(number: int, start: float, end: float | None, **more: object) -> Attempt:
    ends = {} if end is None else {"finished": at(end)}
    given = {"exit_code": None if end is None else 1, "node": f"gpu-{number}", "pid": 0, **more}
    return attempt(number, started=at(start), **ends, **given)


def job(*attempts: Attempt, state: JobState = JobState.RUNNING, **more: object) -> Job:
    return make_job(state=state, created=BORN, attempts=attempts, **more)
