"""The history screen, over a scripted backend; and the pure parts of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend_client.errors import Unreachable
from backend_client.history import HistoryEntry, HistoryPage, HistoryQuery
from backend_client.models import JobState
from backend_client.protocol import Feature
from backend_client.text.history import cells, parse_query, parse_time
from tests.support.scripted import ScriptedBackend
from tests.tui.support.deck import deck

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def past(name: str, state: JobState = JobState.SUCCEEDED, **more: object) -> HistoryEntry:
    return HistoryEntry(
        **{"name": name, "owner": "ada", "state": state, "created": datetime.now(UTC), **more}
    )


class Remembering(ScriptedBackend):
    """Remembers 250 jobs, in pages of 100; `asked` are the queries."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[HistoryQuery, str]] = []
        self.past = [past(f"job-{number:03}") for number in range(250)]

    async def history(self, query: HistoryQuery, *, after: str = "") -> HistoryPage:
        self.asked.append((query, after))
        self._call("history")
        found = [one for one in self.past if query.text in one.name]
        start = int(after or 0)
        end = start + 100
        return HistoryPage(tuple(found[start:end]), str(end) if end < len(found) else "")


async def test_h_lists_what_was_in_pages(tmp_path: Path):
    backend = Remembering()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("h")
        await running.until("100 jobs; older ones come at the end")
        lines = running.shown.splitlines()
        assert lines[0] == " scripted  history"
        assert lines[2].split() == "NAME STATE OWNER GPUS GPU-H AGE TOOK HOW IT ENDED".split()
        assert lines[3].split()[:3] == ["job-000", "Succeeded", "ada"]
        assert "/ filter" in lines[-1]
        await running.press("end")
        await running.until("200 jobs; older ones come at the end")
        await running.press("end")
        await running.until("250 jobs")
        await running.press("end")
        await running.until("job-249")
        assert [after for _, after in backend.asked] == ["", "100", "200"]
        await running.press("escape")
        await running.until("No jobs yet")


async def test_the_filter_asks_by_text_user_state_and_time(tmp_path: Path):
    backend = Remembering()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("h")
        await running.until("100 jobs")
        await running.press("/", *"state:nope")
        await running.until("state: write one of Queued, Pending")
        await running.press("enter")
        assert len(backend.asked) == 1
        for _ in range(10):
            await running.press("backspace")
        await running.press(*"job-24 user:ada state:fail since:7d", "enter")
        await running.until("10 jobs")
        query = backend.asked[-1][0]
        assert (query.text, query.user, query.states) == ("job-24", "ada", {JobState.FAILED})
        assert abs(datetime.now(UTC) - timedelta(days=7) - query.since) < timedelta(minutes=1)
        await running.press("q")
        await running.until("No jobs yet")


async def test_a_failure_is_said_and_what_was_read_stays(tmp_path: Path):
    backend = Remembering()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("h")
        await running.until("100 jobs")
        backend.fail["history"] = Unreachable("The server does not answer.")
        await running.press("end")
        await running.until("The server does not answer.")
        del backend.fail["history"]
        await running.press("up", "end")
        await running.until("200 jobs")


async def test_where_there_is_none_the_key_is_grey_and_says_why(tmp_path: Path):
    backend = ScriptedBackend(lacks={Feature.HISTORY: "only a server remembers jobs"})
    async with deck(backend, tmp_path=tmp_path, size=(100, 60)) as running:
        await running.press("h")
        await running.until("only a server remembers jobs")
        await running.press("question_mark")
        await running.until("not here: only a server remembers jobs")


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
