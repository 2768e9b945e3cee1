"""What happened to a job, each thing once."""

from datetime import UTC, datetime, timedelta

import msgspec

from backend_client.models import Event, JobState
from backend_client.text.timeline import timeline
from tests.support.scripted import attempt, make_job

BORN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_timeline_tells_each_thing_once():
    ended = BORN + timedelta(minutes=5)
    job = make_job(state=JobState.SUCCEEDED, created=BORN, finished=ended)
    told = [Event(time=BORN + timedelta(seconds=1), reason="Odd", message="Odd", count=2)]
    words = [moment.text for moment in timeline(job, told)]
    assert words == ["asked for", "Odd (2 times)", "ended: Succeeded"]
    crashed = attempt(started=BORN, finished=ended, reason="out of memory", signal=9, exit_code=137)
    words = [moment.text for moment in timeline(msgspec.structs.replace(job, attempts=(crashed,)), [])]
    assert "attempt 1 ended: out of memory" in words
