"""GPU seconds: what a job has used, each second of each rank once."""

from datetime import UTC, datetime, timedelta

from backend.jobs.gpu_seconds import GpuSecondsMeter
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ("c", "u")


def at(seconds):
    return START + timedelta(seconds=seconds)


def job(*attempts, gpus=2, finished=None):
    made = tuple(
        Attempt(number=1, rank=rank, pod=f"p{rank}-{begin}", started=at(begin), finished=end and at(end))
        for rank, (begin, end) in enumerate(attempts)
    )
    ref = JobRef("c", "ns", "job", "n", "u")
    state = JobState.RUNNING
    return Job(ref=ref, state=state, spec=JobSpec(gpus=gpus), created=START, attempts=made, finished=finished)


def test_each_second_of_each_rank_counts_once():
    meter = GpuSecondsMeter()
    assert meter.count(KEY, job((0, None), (5, None)), at(10)) == 2 * (10 + 5)
    assert meter.count(KEY, job((0, None), (5, None)), at(10)) == 0
    assert meter.count(KEY, job((0, 20), (5, 25)), at(99)) == 2 * (10 + 15)
    assert meter.count(KEY, job((0, 20), (5, 25)), at(999)) == 0


def test_a_rank_that_went_with_its_pod_counts_until_then():
    meter = GpuSecondsMeter()
    meter.count(KEY, job((0, None)), at(10))
    assert meter.count(KEY, job(), at(30)) == 2 * 20
    assert meter.count(KEY, job(), at(60)) == 0
    meter.count(KEY, job((100, None)), at(110))
    assert meter.count(KEY, job(finished=at(115)), at(120)) == 2 * 5


def test_after_a_restart_it_goes_on_where_the_row_has_got_to():
    assert GpuSecondsMeter().count(KEY, job((0, None)), at(100), since=at(60)) == 2 * 40
    assert GpuSecondsMeter().count(KEY, job((0, 50)), at(100), since=at(60)) == 0
    assert GpuSecondsMeter().count(KEY, job((0, 90)), at(100), since=at(60)) == 2 * 30
