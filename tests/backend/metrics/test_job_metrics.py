"""Jobs as metrics: what is counted, what is not known, and how many labels there can be at most."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.metrics.job_metrics import MOST_VALUES, OTHERS, job_families
from backend_client.models import Job, JobRef, JobSpec, JobState, JobUsage, QueuePlace

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(
    state=JobState.RUNNING, *, owner="ann", queue="", cluster="c", usage=None, place=None, waits=0, **spec
):
    ref = JobRef(cluster, "td-ann", spec.get("kind", "job"), "j", "uid")
    made = NOW - timedelta(seconds=waits)
    wanted = JobSpec(name="j", queue=queue, **spec)
    return Job(
        ref=ref, state=state, spec=wanted, owner=owner, created=made, usage=usage, queue=place, queued=made
    )


def figures(jobs, clusters=("c",)):
    """Return name -> {labels as a sorted tuple of values: value}."""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in job_families(jobs, clusters, NOW)
    }


def test_a_cluster_without_jobs_has_none_in_every_state_and_tells_of_no_wait_and_no_utilisation():
    found = figures([])
    assert found["traindeck_jobs"] == {("c", state): 0 for state in JobState}
    assert found["traindeck_oldest_wait_seconds"] == {}
    assert found["traindeck_gpu_utilisation_ratio"] == {}
    assert found["traindeck_job_gpus"] == {("c", use): 0 for use in ("busy", "idle", "unknown")}


def test_jobs_of_a_cluster_that_is_this_servers_no_more_are_counted_there():
    assert figures([job(cluster="old", gpus=2)])["traindeck_jobs"]["old", "Running"] == 1


def test_the_queue_is_the_one_that_holds_the_job():
    moved = job(JobState.QUEUED, queue="asked", place=QueuePlace(queue="holds"), waits=60)
    named = job(JobState.PENDING, queue="asked", waits=30)
    found = figures([moved, named])
    assert found["traindeck_queue_jobs"] == {("c", "asked", "Pending"): 1, ("c", "holds", "Queued"): 1}
    assert found["traindeck_oldest_wait_seconds"] == {("c", "asked"): 30, ("c", "holds"): 60}


def test_one_that_a_person_holds_back_does_not_wait():
    held = job(JobState.QUEUED, place=QueuePlace(queue="q", held=True), waits=9999)
    assert figures([held, job(waits=500)])["traindeck_oldest_wait_seconds"] == {}


def test_gpus_that_nobody_measures_are_unknown_and_not_idle():
    jobs = [
        job(gpus=8, nodes=2, usage=JobUsage(gpu=0.75)),
        job(gpus=4, usage=JobUsage(gpu=0.01)),
        job(gpus=2),
        job(gpus=1, usage=JobUsage(cpu=3.0)),
        job(gpus=1, kind="deployment", replicas=3, usage=JobUsage(gpu=0.0)),
        job(JobState.STARTING, gpus=64),
    ]
    found = figures(jobs)
    assert found["traindeck_job_gpus"] == {("c", "busy"): 16, ("c", "idle"): 7, ("c", "unknown"): 3}
    assert found["traindeck_gpu_utilisation_ratio"] == {("c",): (16 * 0.75 + 4 * 0.01) / 23}


@settings(max_examples=25)  # of hundreds of jobs each
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 400), st.sampled_from(JobState)),
        min_size=MOST_VALUES,
        max_size=900,
    )
)
def test_names_that_people_choose_are_bounded_and_no_job_is_lost(drawn):
    jobs = [job(state, owner=f"u{owner}", queue=f"q{queue}") for owner, queue, state in drawn]
    found = figures(jobs)
    for name, place in (("traindeck_owner_jobs", 0), ("traindeck_queue_jobs", 1)):
        values = {labels[place] for labels in found[name]}
        assert len(values - {OTHERS}) <= MOST_VALUES
        assert sum(found[name].values()) == len(jobs)
    assert len({labels[1] for labels in found["traindeck_oldest_wait_seconds"]}) <= MOST_VALUES + 1


def test_who_has_most_jobs_keeps_a_name():
    jobs = [job(owner=f"u{number}") for number in range(MOST_VALUES + 50)] + [job(owner="u249")] * 5
    found = figures(jobs)["traindeck_owner_jobs"]
    assert found["u249", "Running"] == 6
    assert found[OTHERS, "Running"] == 50
