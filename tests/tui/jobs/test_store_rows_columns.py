"""What needs no screen: the store, the rows and the columns."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from backend_client.models import Event, Job, JobState, Progress
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent
from tests.support.scripted import attempt, make_job
from tui.jobs.columns import heading, layout, progress_or_reason, row
from tui.jobs.rows import Order, Rows, matches
from tui.jobs.store import JobStore
from tui.jobs.timeline import timeline
from tui.ui.format import fit, loss_text, progress_text, short, span, time_left
from tui.ui.sanitize import UNSAFE
from tui.ui.sanitize_filter import SanitizeFilter

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
            assert [rows.index(uid) for uid in rows.uids] == list(range(len(rows)))


def test_what_fails_stands_first_and_what_has_ended_last():
    store = JobStore()
    store.queue([Snapshot(tuple(make_job(state.value.lower(), state, created=BORN) for state in JobState))])
    rows = Rows(store.jobs)
    rows.update(store.drain())
    assert [uid.removeprefix("uid-") for uid in rows.uids] == (
        "failed unknown stopping running starting pending queued succeeded stopped".split()
    )


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


def test_all_words_must_be_there():
    job = make_job("bert", owner="ada", labels={"team": "nlp"}, state=JobState.QUEUED)
    assert matches(job, ("ada", "bert", "queued", "team=nlp"))
    assert not matches(job, ("ada", "gpt"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "<1m"),
        (59, "<1m"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (47.9 * 3600, "47h"),
        (48 * 3600, "2d"),
        (-5, "<1m"),
    ],
)
def test_ages_are_coarse(seconds: float, words: str):
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3860, "1h04"),
        (47 * 3600, "47h00"),
        (72 * 3600, "3d"),
        (float("inf"), ""),
    ],
)
def test_time_left(seconds: float, words: str):
    assert time_left(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (3120, "3.1k"),
        (9960, "10k"),
        (10_000, "10k"),
        (1_200_000, "1.2M"),
        (5 * 10**9, "5G"),
    ],
)
def test_counts_are_short(number: int, words: str):
    assert short(number) == words


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (0.4121, "0.412"),
        (2.3456, "2.346"),
        (12.345, "12.35"),
        (1234.5, "1234"),
        (0.0001, "1e-04"),
        (12345.0, "1e+04"),
        (float("nan"), "nan"),
        (None, ""),
        (0.0, "0"),
    ],
)
def test_loss_has_four_digits(loss: float | None, words: str):
    assert loss_text(loss) == words


@given(st.floats())
def test_a_loss_never_needs_more_than_its_column(loss: float):
    assert len(loss_text(loss)) <= 7


@given(
    st.builds(
        Progress,
        step=st.none() | st.integers(0, 10**12),
        total=st.none() | st.integers(0, 10**12),
        seconds_left=st.none() | st.floats(),
        loss=st.none() | st.floats(),
    )
)
def test_any_progress_has_words(progress: Progress):
    assert "\n" not in progress_text(progress)


def test_the_reason_stands_where_there_is_no_progress():
    assert progress_or_reason(make_job(state=JobState.QUEUED, reason="waits")) == "waits"
    assert progress_or_reason(make_job(reason="slow", progress=Progress(step=1, total=2))) == "1/2  50%"
    assert progress_or_reason(make_job(reason="slow")) == "slow"


@given(st.text(), st.integers(1, 40))
def test_fit_fills_its_cells(text: str, width: int):
    assert cell_len(fit(UNSAFE.sub("", text), width)) == width


@given(st.text(), st.text(), st.sampled_from([20, 80, 100, 120, 160, 200, 300]))
def test_a_row_is_as_wide_as_its_heading_whatever_it_is_called(name: str, reason: str, width: int):
    job = msgspec.structs.replace(make_job(state=JobState.FAILED, reason=reason), owner=name)
    job = msgspec.structs.replace(job, ref=msgspec.structs.replace(job.ref, name=name))
    columns = layout(width)
    text = "".join(row(job, columns, width, ">"))
    assert not UNSAFE.search(text)
    if width >= 80:
        assert max(cell_len(text), cell_len(heading(columns))) <= width


@given(st.text(alphabet=st.characters(), max_size=50))
def test_the_wall_lets_no_control_through_and_keeps_the_width(text: str):
    (segment,) = SanitizeFilter().apply([Segment(text)], Color(0, 0, 0))
    assert not UNSAFE.search(segment.text)
    assert cell_len(segment.text) == cell_len(text)


def test_a_timeline_tells_each_thing_once():
    ended = BORN + timedelta(minutes=5)
    job = make_job(state=JobState.SUCCEEDED, created=BORN, finished=ended)
    told = [Event(time=BORN + timedelta(seconds=1), reason="Odd", message="Odd", count=2)]
    words = [moment.text for moment in timeline(job, told)]
    assert words == ["asked for", "Odd (2 times)", "ended: Succeeded"]
    crashed = attempt(started=BORN, finished=ended, reason="out of memory", signal=9, exit_code=137)
    words = [moment.text for moment in timeline(msgspec.structs.replace(job, attempts=(crashed,)), [])]
    assert "attempt 1 ended: out of memory" in words
