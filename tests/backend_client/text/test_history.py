"""Remembered jobs as text, and filter lines."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.history import HistoryEntry, HistoryQuery
from backend_client.models import JobState
from backend_client.text.history import cells, parse_query, parse_time

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def past(name: str, state: JobState = JobState.SUCCEEDED, **more: object) -> HistoryEntry:
    return HistoryEntry(
        **{"name": name, "owner": "ada", "state": state, "created": datetime.now(UTC), **more}
    )


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", HistoryQuery()),
        ("  bert  ft ", HistoryQuery(text="bert ft")),
        ("user:ada x", HistoryQuery(user="ada", text="x")),
        ("state:Failed STATE:run", HistoryQuery(states=frozenset({JobState.FAILED, JobState.RUNNING}))),
        ("state:stopped", HistoryQuery(states=frozenset({JobState.STOPPED}))),
        ("lr:0.1", HistoryQuery(text="lr:0.1")),
        ("until:2026-11-30T00:00:00+00:00", HistoryQuery(until=datetime(2026, 11, 30, tzinfo=UTC))),
    ],
)
def test_what_a_filter_line_asks(text: str, query: HistoryQuery):
    assert parse_query(text) == query


@pytest.mark.parametrize(
    "text", ["state:", "state:done", "since:", "since:7", "until:yesterday", "since:9999999d"]
)
def test_what_cannot_be_asked(text: str):
    with pytest.raises(ValueError, match="write"):
        parse_query(text)


def test_moments():
    assert parse_time("12h", NOW) == NOW - timedelta(hours=12)
    assert parse_time("2w", NOW) == NOW - timedelta(days=14)
    assert parse_time("2026-11-30").astimezone().strftime("%Y-%m-%d %H:%M") == "2026-11-30 00:00"


def test_the_cells_of_a_job():
    one = past(
        "train\x1b[2J",
        JobState.FAILED,
        created=NOW - timedelta(hours=5),
        started=NOW - timedelta(hours=4),
        finished=NOW - timedelta(hours=1),
        deleted=NOW,
        gpus=8,
        gpu_seconds=86_400.0,
        exit_code=3,
        reason="exit 3: no data",
    )
    assert cells(one, NOW) == [
        "train\ufffd[2J", "Failed", "ada", "8", "24.0", "5h", "3h00", "exit 3: no data, deleted",
    ]  # fmt: skip
    never = past("n", JobState.QUEUED, created=NOW)
    assert cells(never, NOW) == ["n", "Queued", "ada", "", "", "<1m", "", ""]
    runs = past("r", JobState.RUNNING, created=NOW, started=NOW - timedelta(minutes=5), gpu_seconds=720_000)
    assert cells(runs, NOW)[4:7] == ["200", "<1m", "5m"]
    assert cells(past("c", JobState.FAILED, created=NOW, exit_code=2), NOW)[-1] == "exit 2"
