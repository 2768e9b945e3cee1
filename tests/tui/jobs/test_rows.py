"""The order of the rows, and which of them a filter lets through."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from backend_client.job_order import Group
from backend_client.models import JobSpec, JobState, Sweep
from backend_client.protocol import Changed, Snapshot
from backend_client.text.job_cells import states_text
from tests.support.scripted import make_job
from tui.jobs.rows import Heading, Rows
from tui.jobs.store import JobStore

BORN = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_jobs_of_a_sweep_stand_together_under_their_states():
    sweep = JobSpec(sweep=Sweep("lrs"))
    states = (JobState.QUEUED, JobState.RUNNING, JobState.FAILED, JobState.RUNNING)
    jobs = [make_job(f"lrs-{n}", state, spec=sweep, created=BORN) for n, state in enumerate(states)]
    rows = Rows({job.ref.uid: job for job in (*jobs, make_job("one"))}, Group.SWEEP)
    rows.rearrange()
    heading, *_, rest, _ = rows.lines
    assert (heading.title, heading.folded, rest) == ("lrs", True, Heading((1, "in no sweep"), ["uid-one"]))
    assert states_text(rows.states(heading)) == "4 jobs: 1 failed, 2 running, 1 queued"
    rows.toggle_fold(heading.key)
    assert rows.lines[1:5] == list(heading.uids) == [f"uid-lrs-{n}" for n in (2, 1, 3, 0)]


def test_a_change_in_a_folded_group_is_counted_and_sorts_nothing():
    store = JobStore()
    sweep = JobSpec(sweep=Sweep("lrs"))
    store.queue([Snapshot(tuple(make_job(f"j{n}", spec=sweep, created=BORN) for n in range(3)))])
    rows = Rows(store.jobs, Group.SWEEP)
    rows.update(store.drain())
    (heading,) = rows.lines

    def change(name: str, state: JobState, spec: JobSpec = sweep) -> bool:
        store.queue([Changed((make_job(name, state, spec=spec, created=BORN),))])
        return rows.update(store.drain())

    assert not change("j2", JobState.FAILED)
    assert rows.lines == [heading]
    assert states_text(rows.states(heading)) == "3 jobs: 1 failed, 2 running"
    assert rows.line("uid-j2") == rows.line(heading.key) == 0
    rows.toggle_fold(heading.key)
    assert rows.lines[1:] == ["uid-j2", "uid-j0", "uid-j1"]
    assert change("j1", JobState.FAILED)
    rows.toggle_fold(heading.key)
    assert change("j0", JobState.FAILED, JobSpec())
    assert [states_text(rows.states(line)) for line in rows.lines if isinstance(line, Heading)] == [
        "2 jobs: 2 failed",
        "1 job: 1 failed",
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "b"]), st.sampled_from(JobState))))
def test_what_changes_one_by_one_ends_like_what_is_read_at_once(changes: list[tuple[int, str, JobState]]):
    store = JobStore()
    rows = Rows(store.jobs, Group.SWEEP)
    for n, sweep, state in changes:
        job = make_job(f"j{n}", state, spec=JobSpec(sweep=Sweep(sweep)), created=BORN)
        store.queue([Changed((job,))])
        rows.update(store.drain())
    anew = Rows(store.jobs, Group.SWEEP)
    anew.rearrange()

    def shown(rows: Rows) -> list[object]:
        return [
            (line.key, set(line.uids), rows.states(line)) if isinstance(line, Heading) else line
            for line in rows.lines
        ]

    assert shown(rows) == shown(anew)


def test_what_fails_stands_first_and_what_has_ended_last():
    store = JobStore()
    store.queue([Snapshot(tuple(make_job(state.value.lower(), state, created=BORN) for state in JobState))])
    rows = Rows(store.jobs)
    rows.update(store.drain())
    assert [uid.removeprefix("uid-") for uid in rows.uids] == (
        "failed unknown stopping running starting pending queued succeeded stopped".split()
    )
