"""The order of the rows, and which of them a filter lets through."""

from datetime import UTC, datetime

from backend_client.models import JobState
from backend_client.protocol import Snapshot
from tests.support.scripted import make_job
from tui.jobs.rows import Rows
from tui.jobs.store import JobStore

BORN = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_fails_stands_first_and_what_has_ended_last():
    store = JobStore()
    store.queue([Snapshot(tuple(make_job(state.value.lower(), state, created=BORN) for state in JobState))])
    rows = Rows(store.jobs)
    rows.update(store.drain())
    assert [uid.removeprefix("uid-") for uid in rows.uids] == (
        "failed unknown stopping running starting pending queued succeeded stopped".split()
    )
