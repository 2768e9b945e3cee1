"""The GPU time of jobs as a counter: each second once, and it never falls."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.metrics import gpu_time
from backend.metrics.gpu_time import GpuTime
from backend.metrics.job_metrics import OTHERS
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def attempt(begun, ended=None, *, rank=0, number=1, **more):
    released = at(ended) if ended is not None else None
    return Attempt(
        number=number, rank=rank, pod=f"p{number}{rank}", allocated=at(begun), released=released, **more
    )


def job(*attempts, uid="a", owner="ann", gpus=2):
    ref = JobRef("c", "ns", "job", uid, uid)
    spec = JobSpec(name=uid, gpus=gpus)
    return Job(ref=ref, state=JobState.RUNNING, spec=spec, owner=owner, created=START, attempts=attempts)


def sums(time):
    return {tuple(sample.labels.values()): sample.value for sample in time.family().samples}


def test_each_second_is_counted_once_of_all_ranks_and_attempts():
    time = GpuTime(START)
    time.count([job(attempt(10), attempt(10, rank=1))], at(40))
    assert sums(time) == {("c", "ann"): 2 * 2 * 30}
    ended = job(attempt(10, 50), attempt(10, 70, rank=1), attempt(80, number=2))
    time.count([ended], at(100))
    time.count([ended], at(100))
    assert sums(time) == {("c", "ann"): 2 * (40 + 60 + 20)}


def test_what_was_before_the_process_is_not_counted():
    time = GpuTime(START)
    time.count([job(attempt(-5000), attempt(-9000, -8000, number=2))], at(60))
    assert sums(time) == {("c", "ann"): 2 * 60}


def test_without_gpus_or_before_a_pod_is_placed_nothing_is_held():
    time = GpuTime(START)
    time.count([job(attempt(0), gpus=0), job(Attempt(number=1, pod="p"), uid="b")], at(60))
    assert sums(time) == {}


def test_where_no_allocation_is_told_the_start_of_the_process_counts():
    time = GpuTime(START)
    time.count([job(Attempt(number=1, pid=7, started=at(20), finished=at(50)))], at(60))
    assert sums(time) == {("c", "ann"): 2 * 30}


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-100, 200), st.none() | st.integers(-100, 300)), max_size=4),
        min_size=2,
        max_size=6,
    ),
    st.lists(st.integers(-20, 60), min_size=6, max_size=6),
)
def test_it_never_falls_whatever_a_cluster_corrects_and_whatever_clocks_do(seen, steps):
    """Jobs come, go, come again; ends are corrected backwards; the clock steps back."""
    time, moment, before = GpuTime(START), 0, 0.0
    for attempts, step in zip(seen, steps, strict=False):
        moment += step
        time.count([job(*(attempt(*one, number=n) for n, one in enumerate(attempts)))], at(moment))
        now = sum(sums(time).values())
        assert now >= before
        before = now


def test_owners_beyond_the_bound_are_one_and_nobody_moves_among_them(monkeypatch):
    monkeypatch.setattr(gpu_time, "MOST_VALUES", 2)
    time = GpuTime(START)
    jobs = [job(attempt(0), uid=name, owner=name) for name in ("ann", "bob", "cat", "dan")]
    time.count(jobs[:2], at(10))
    time.count(jobs, at(20))
    time.count(jobs[2:], at(30))
    assert sums(time) == {("c", "ann"): 40, ("c", "bob"): 40, ("c", OTHERS): 40 + 40 + 20 + 20}
