"""The store: what a watch tells becomes the jobs that are shown, with what changed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend_client.job_order import Order
from backend_client.models import Job, JobState
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent
from tests.support.scripted import make_job
from tui.jobs.rows import Rows
from tui.jobs.store import JobStore

BORN = datetime(2026, 1, 1, tzinfo=UTC)
jobs = st.builds(
    lambda number, state, minutes, reason: make_job(
        f"job-{number}", state, created=BORN - timedelta(minutes=minutes), reason=reason
    ),
    st.integers(0, 12),
    st.sampled_from(JobState),
    st.integers(0, 5),
    st.sampled_from(["", "waits for 2 GPUs"]),
)
batches = st.one_of(
    st.lists(jobs, max_size=4).map(lambda many: [Changed(tuple(many))]),
    st.lists(jobs, max_size=4).map(lambda many: [Gone(tuple(job.ref for job in many))]),
    st.lists(jobs, max_size=6).map(
        lambda many: [Snapshot(tuple(many[:3])), Snapshot(tuple(many[3:])), Synced()]
    ),
)


def told(world: dict[str, Job], events: list[WatchEvent]) -> None:
    """The same, in the plainest way."""
    listed: set[str] = set()
    for event in events:
        if isinstance(event, Snapshot | Changed):
            world.update((job.ref.uid, job) for job in event.jobs)
            listed |= {job.ref.uid for job in event.jobs}
        elif isinstance(event, Gone):
            for ref in event.refs:
                world.pop(ref.uid, None)
        elif isinstance(event, Synced):
            for uid in set(world) - listed:
                del world[uid]


@given(
    st.lists(st.tuples(batches, st.booleans()), max_size=12),
    st.sampled_from(Order),
    st.sampled_from(["", "running", "2 gpus"]),
)
def test_store_and_rows_follow_any_watch(steps: list, order: Order, words: str):
    store, world, seen = JobStore(), {}, {}
    rows = Rows(store.jobs)
    rows.rearrange(order=order, words=tuple(words.split()))
    for events, look in steps:
        store.queue(events)
        told(world, events)
        assert store.jobs == seen  # nothing changes under a reader
        if look:
            difference = store.drain()
            assert store.jobs == world
            assert difference.added == world.keys() - seen.keys()
            assert difference.removed == seen.keys() - world.keys()
            both = world.keys() & seen.keys()
            assert {uid for uid in both if world[uid] != seen[uid]} <= difference.changed <= both
            seen = dict(world)
            rows.update(difference)
            fresh = Rows(world)
            fresh.rearrange(order=order, words=tuple(words.split()))
            assert rows.uids == fresh.uids
            assert [rows.line(uid) for uid in rows.uids] == list(range(len(rows)))


def test_a_job_that_is_the_same_is_no_change():
    store = JobStore()
    store.queue([Changed((make_job(created=BORN),))])
    store.drain()
    store.queue([Changed((make_job(created=BORN),))])
    assert not store.drain()


def test_a_link_is_told_once():
    store = JobStore()
    link = Freshness(FreshnessState.STALE, BORN, "no answer")
    store.queue([link])
    assert store.drain().freshness
    store.queue([link])
    assert not store.drain()
