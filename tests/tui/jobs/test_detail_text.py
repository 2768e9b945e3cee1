"""What happened to a job, in the order of time."""

from datetime import UTC, datetime, timedelta

from backend_client.models import JobState, QueuePlace, StartRange
from backend_client.text.figures import starts_text
from tests.support.scripted import make_job
from tui.jobs.detail_text import about


def test_a_detail_says_when_a_waiting_job_is_likely_to_start():
    now = datetime.now(UTC)
    starts = StartRange(now - timedelta(hours=1), now + timedelta(days=8), 8, 10)
    job = make_job(state=JobState.QUEUED, queue=QueuePlace(queue="default", starts=starts))
    lines = about(job, width=120).plain.splitlines()
    assert f"starts        {starts_text(starts)}" in lines
    assert not [line for line in about(make_job()).plain.splitlines() if line.startswith("starts")]


def test_a_detail_says_where_a_job_is_reached_within_its_cluster():
    job = make_job(urls=("https://a.example.org/",), internal_addresses=("serve.team-a.svc:8080",))
    lines = about(job).plain.splitlines()
    assert "in cluster    serve.team-a.svc:8080" in lines
    assert "url           https://a.example.org/" in lines
