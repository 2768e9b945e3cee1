"""What of a job's use, attempts and addresses its page shows."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.web.job.view import attempt_columns, attempt_rows, link, rank_rows, use_view
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState
from backend_client.usage import Measure, Usage, UsageHistory, UsageSeries, UsageSource
from backend_client.usage_reading import Reading
from tests.backend.support.visitor import parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = '"><img src=x onerror=alert(1)>'


def history(ranks):
    series = [
        UsageSeries(measure=Measure.UTILISATION, rank=rank, gpu=HOSTILE, values=(0.1, None, 0.9))
        for rank in range(ranks)
    ]
    sources = (UsageSource(name=HOSTILE, missing=f"it says {HOSTILE}"),)
    return UsageHistory(start=NOW, step=30.0, series=tuple(series), sources=sources)


def test_many_ranks_are_cut_and_can_all_be_shown():
    reading = Reading(usage=Usage(), history=history(9))
    view = use_view(reading, all_ranks=False)
    assert [row.title for row in view.rows] == ["rank 0 util", "rank 1 util"]
    assert view.rest == "… 7 more alike"
    assert len(use_view(reading, all_ranks=True).rows) == 9
    (chart,) = view.charts
    assert parse(chart).one("figcaption").text == "GPU utilisation: lowest, mean and highest of 9 GPUs"


def test_what_a_source_says_is_text():
    view = use_view(Reading(usage=Usage(), history=history(1)), all_ranks=False)
    assert "unknown: it says" in view.sources[0].text
    drawn = parse("".join((*view.charts, *(row.line for row in view.rows))))
    assert not drawn.all("img")
    assert "first 10%, last 90%, lowest 10%" in drawn.all("svg", class_="spark")[0]["aria-label"]


def test_attempts_come_newest_first_with_times_for_the_script():
    attempts = [
        Attempt(number=1, rank=rank, started=NOW, finished=NOW + timedelta(minutes=3), exit_code=rank)
        for rank in (0, 1)
    ]
    ref = JobRef("c", "n", "Job", "bert", "u")
    job = Job(
        ref=ref,
        state=JobState.RUNNING,
        spec=JobSpec(name="bert", command=["x"]),
        created=NOW,
        attempts=(*attempts, Attempt(number=2, started=NOW), Attempt(number=2, rank=1, started=NOW)),
    )
    rows = attempt_rows(job)
    assert [row.number for row in rows] == [2, 1]
    assert attempt_columns(rows) == ["started", "ended", "took", "end", "ranks"]
    assert 'datetime="2026-03-01T12:03:00Z"' in rows[1].cells["ended"]
    assert rows[1].cells["ranks"] == "2, failed: 1"
    assert [row[0] for row in rank_rows(job)] == ["0", "1"]


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("http://n1:8888/lab?token=a&b", True),
        ("https://x", True),
        ("javascript:alert(1)", False),
        ("http://", False),
        ("http://[", False),
        ("data:text/html,x", False),
        (f"ftp://{HOSTILE}", False),
    ],
)
def test_only_addresses_of_the_web_are_links(address, leads):
    assert link(address).startswith("<a ") is leads
    assert parse(str(link("https://x/" + HOSTILE))).one("a")["rel"] == "noopener noreferrer nofollow"
