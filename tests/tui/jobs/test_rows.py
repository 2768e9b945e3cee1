"""The order of the rows, and which of them a filter lets through."""

from datetime import UTC, datetime

from backend_client.job_order import Group
from backend_client.models import JobSpec, JobState, Sweep
from backend_client.protocol import Snapshot
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
    assert (heading.title, heading.size, rest) == ("lrs", 4, Heading("in no sweep", 1))
    assert states_text(rows.jobs[uid] for uid in heading.counted) == "1 failed, 2 running, 1 queued"


def test_what_fails_stands_first_and_what_has_ended_last():
    store = JobStore()
    store.queue([Snapshot(tuple(make_job(state.value.lower(), state, created=BORN) for state in JobState))])
    rows = Rows(store.jobs)
    rows.update(store.drain())
    assert [uid.removeprefix("uid-") for uid in rows.uids] == (
        "failed unknown stopping running starting pending queued succeeded stopped".split()
    )
