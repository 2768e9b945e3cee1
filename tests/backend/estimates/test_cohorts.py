"""Cohorts out of a snapshot: who is in which, who is estimated, and who is not."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend.estimates.cohorts import LEAST_PAST, Known, estimate_starts
from backend.estimates.durations import PastJob
from backend.estimates.past import Arrival, Past
from backend_client.queue_snapshot import AdmittedJob, FlavorQuota, PendingJob, QueueQuota, QueueSnapshot

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAST = Past(tuple(PastJob("1", 4, 3600.0) for _ in range(LEAST_PAST)))
QUEUE = QueueQuota(name="team-a", flavors={"a100": FlavorQuota(4)})
HELD = AdmittedJob(uid="held", queue="team-a", gpus={"a100": 4}, since=NOW - HOUR / 2)
WAITS = PendingJob(uid="w", namespace="ns", queue="team-a", gpus=4, flavors=("a100",), since=NOW - HOUR)
SNAPSHOT = QueueSnapshot(
    at=NOW,
    queues=(QUEUE,),
    local_queues={"ns/default": "team-a"},
    products={"a100": frozenset(("NVIDIA-A100-SXM4-80GB",))},
    waiting=(WAITS,),
    admitted=(HELD,),
)


def middle(snapshot, past=PAST, known=None, uid="w"):
    """Return the median wait in hours; None where there is no estimate."""
    found = estimate_starts(snapshot, past, known or {}).get(uid)
    return found and found[len(found) // 2] / 3600


def test_a_waiting_job_starts_when_what_runs_has_ended():
    assert middle(SNAPSHOT) == pytest.approx(0.5, rel=0.3)


@pytest.mark.parametrize(
    "snapshot",
    [
        replace(SNAPSHOT, waiting=(replace(WAITS, blocked="it is tried again later"),)),
        replace(SNAPSHOT, waiting=(replace(WAITS, gpus=0),)),
        replace(SNAPSHOT, waiting=(replace(WAITS, gpus=64),)),
        replace(SNAPSHOT, waiting=(replace(WAITS, flavors=()),)),
        replace(SNAPSHOT, queues=(replace(QUEUE, stopped=True),)),
        replace(SNAPSHOT, queues=(replace(QUEUE, preempted=3, finished=2),)),
    ],
    ids=["blocked", "no GPUs", "never fits", "no flavor", "stopped", "unruly"],
)
def test_what_does_not_start_by_itself_has_no_estimate(snapshot):
    assert estimate_starts(snapshot, PAST, {}) == {}


def test_with_too_few_ended_jobs_nothing_is_estimated():
    assert middle(SNAPSHOT, Past(PAST.ended[1:])) is None


def test_a_limit_and_a_person_are_known_by_the_server():
    assert middle(SNAPSHOT, known={"held": Known("1", 1860.0)}) <= 0.02
    quick = Past(PAST.ended + tuple(PastJob("2", 4, 1900.0) for _ in range(20)))
    assert middle(SNAPSHOT, quick, {"held": Known("2")}) < 0.1


def test_what_serves_holds_its_gpus():
    assert middle(replace(SNAPSHOT, admitted=(replace(HELD, ends=False),))) == float("inf")


def test_queues_of_one_cohort_are_played_together():
    lender = QueueQuota(name="team-b", cohort="lab", flavors={"a100": FlavorQuota(4)})
    pair = (replace(QUEUE, cohort="lab"), lender)
    assert middle(replace(SNAPSHOT, queues=pair)) == 0.0
    taken = (HELD, replace(HELD, uid="other", queue="team-b"))
    assert middle(replace(SNAPSHOT, queues=pair, admitted=taken)) > 0.0


@pytest.mark.parametrize(("gpu_type", "passes"), [("a100", True), ("", True), ("h100", False)])
def test_who_came_last_week_comes_again_if_their_kind_of_gpu_is_here(gpu_type, passes):
    small = Arrival(NOW - timedelta(days=7) + HOUR / 10, "1", "ns", "default", 1, gpu_type, 50 * 3600.0)
    held = replace(HELD, gpus={"a100": 3}, since=NOW - HOUR * 39)
    free = replace(SNAPSHOT, admitted=(held,))
    past = Past(tuple(PastJob("1", gpus, 40 * 3600.0) for gpus in (1, 4) for _ in range(20)), (small,))
    assert (middle(free, past) > 10) is passes
