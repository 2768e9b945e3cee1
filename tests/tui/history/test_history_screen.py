"""The history screen, over a scripted backend; and the pure parts of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend_client.errors import Unreachable
from backend_client.history import HistoryEntry, HistoryPage, HistoryQuery
from backend_client.models import JobState
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend
from tests.tui.support.deck import deck


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
