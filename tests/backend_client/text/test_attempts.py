"""The time that each state of a job took."""

import pytest

from backend_client.models import Job, JobState
from backend_client.text.attempts import state_durations
from tests.support.attempts import at, job, run


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
