"""The time that each state of a job took."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.models import Attempt, Job, JobState
from backend_client.text.attempts import state_durations
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


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (job(state=JobState.QUEUED), {"Queued": "30m so far"}),
        (job(run(1, 4, None), queued=at(1)), {"Queued": "4m 00s", "Running": "26m so far"}),
        (
            job(run(1, 2, 5), run(2, 6, 9), state=JobState.FAILED, started=at(2), finished=at(9)),
            {"Pending": "2m 00s", "Running": "6m 00s", "In between": "1m 00s"},
        ),
        (
            job(run(7, 20, 25), state=JobState.FAILED, started=at(2), next_try=at(40)),
            {"Pending": "2m 00s", "Earlier": "18m 00s", "Running": "5m 00s", "In between": "5m so far"},
        ),
        (job(state=JobState.STOPPED, finished=at(3)), {"Pending": "3m 00s"}),
    ],
)
def test_the_time_that_each_state_took(told: Job, expected: dict[str, str]):
    assert dict(state_durations(told, at(30))) == expected
