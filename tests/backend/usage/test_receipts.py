"""The receipt of one job, and the one advice that it has."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.usage.held import Held
from backend.usage.receipts import JobFacts, make_receipt
from backend.usage.samples import HourSums, Sample, of_job, percentile
from backend_client.models import JobRef, JobSpec, JobUsage

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIB = 2**30
REF = JobRef("lab", "ns", "job", "bert", "u")


def held(**more):
    known = {
        "cluster": "lab",
        "pod_uid": "p",
        "job_uid": "u",
        "number": 1,
        "rank": 0,
        "pod": "p",
        "node": "n",
        "gpus": 2,
        "gpu_type": "H100",
        "queue": "",
        "allocated": NOON,
        "started": NOON,
        "released": NOON + 2 * HOUR,
    }
    return Held(**known | more)


def receipt(*samples, seconds=7200.0, attempt=None, ended=True, **spec):
    sums = HourSums()
    for sample in samples:
        sums.add(sample, seconds / len(samples))
    spec = JobSpec(**{"gpus": 2, **spec})
    facts = JobFacts(ref=REF, spec=spec, created=NOON - HOUR, ended=ended)
    return make_receipt(facts, [(attempt or held(), sums)], NOON + 2 * HOUR)


BUSY = Sample(utilisations=(0.9, 0.8), least=0.8, memory_share=0.7)


def test_it_adds_up_what_was_held_waited_and_used():
    found = receipt(BUSY, Sample(utilisations=(0.0, 0.0), least=0.0, idle=2, all_idle=True, watts=1000.0))
    assert (found.gpu_hours, found.waited, found.gpu_types, found.final) == (4.0, 3600.0, ("H100",), True)
    assert found.utilisation == pytest.approx(0.425)
    assert found.utilisation_min == pytest.approx(0.4)
    assert found.idle_minutes == pytest.approx(60)
    assert found.energy == pytest.approx(1.0)
    assert (found.coverage, found.advice) == (1.0, None)


def test_what_was_not_measured_is_not_told():
    found = receipt(BUSY, seconds=3600.0)
    assert (found.utilisation, found.utilisation_p95, found.idle_minutes) == (None, None, None)
    assert (found.coverage, found.cpu_used, found.energy, found.memory_peak) == (0.5, None, None, None)


def test_a_job_that_goes_on_or_whose_pods_do_is_not_final():
    assert not receipt(BUSY, ended=False).final
    going = receipt(BUSY, attempt=held(released=None))
    assert (going.final, going.gpu_hours) == (False, 4.0)
    assert receipt(BUSY, attempt=held(released_lo=NOON + HOUR)).uncertain == 2.0
    assert receipt(BUSY, attempt=held(end="preempted")).preempted == 4.0


@pytest.mark.parametrize(
    ("sample", "spec", "sentence", "changes"),
    [
        (Sample(utilisations=(0.0, 0.0), least=0.0, idle=2, all_idle=True), {}, "never used", {"gpus": "0"}),
        (Sample(utilisations=(0.9, 0.0), least=0.0, idle=1), {}, "at least one of its 2", {"gpus": "1"}),
        (Sample(utilisations=(0.9, 0.0), least=0.0), {"gpus": 8}, "at least one of its 8", {}),
        (
            Sample(utilisations=(0.9, 0.9), least=0.9, memory_share=0.14, memory_total=80 * GIB),
            {},
            "it used 11.2 of 80 GiB of GPU memory at its peak: a smaller GPU would do",
            {},
        ),
        (
            Sample(utilisations=(0.9, 0.9), least=0.9, cores=1.3),
            {"cpu": "8"},
            "asked for 8 CPUs, used 1.3",
            {"cpu": "3"},
        ),
        (
            Sample(utilisations=(0.9, 0.9), least=0.9, rss=5 * GIB),
            {"memory": "64Gi"},
            "asked for 64 GiB of memory, used 5 GiB",
            {"memory": "8Gi"},
        ),
        (
            Sample(utilisations=(0.9, 0.9), least=0.9, rss=63 * GIB),
            {"memory": "64Gi"},
            "nearly full: 63 of 64 GiB",
            {"memory": "80Gi"},
        ),
    ],
)
def test_it_has_one_advice_for_the_next_time(sample, spec, sentence, changes):
    advice = receipt(sample, **spec).advice
    assert advice is not None
    assert sentence in advice.sentence
    assert advice.changes == changes


def test_a_short_run_gets_no_advice():
    idle = Sample(utilisations=(0.0, 0.0), least=0.0, idle=2, all_idle=True)
    assert receipt(idle, seconds=500.0, attempt=held(released=NOON + timedelta(seconds=500))).advice is None


def test_a_jobs_sum_is_shared_among_its_pods():
    usage = JobUsage(gpu=0.5, gpu_min=0.0, gpus_idle=2, power=800.0, cpu=4.0, memory=8 * GIB, gpu_memory=0.2)
    found = of_job(usage, 2, 4)
    assert (found.utilisations, found.watts, found.cores, found.rss) == ((0.5, 0.5), 200.0, 1.0, 2 * GIB)
    assert (found.idle, found.all_idle) == (0.5, False)
    assert (found.memory_share, found.memory_peak) == (0.2, None)
    assert of_job(JobUsage(gpu=0.0, gpus_idle=8), 2, 4).all_idle
    assert not of_job(JobUsage(gpu=0.015, gpus_idle=7), 8, 1).all_idle  # one of the eight does something
    assert not of_job(JobUsage(gpu=0.0, gpus_idle=2), 2, 4).all_idle  # of three pods nothing is told
    nothing = of_job(JobUsage(cpu=1.0), 2, 1)
    assert (nothing.utilisations, nothing.least, nothing.all_idle) == ((), None, False)


def test_memory_of_gpus_is_told_in_bytes():
    first = JobUsage(gpu=0.5, gpu_memory=0.2, gpu_memory_max=0.25, gpu_memory_total=80 * GIB)
    later = JobUsage(gpu=0.5, gpu_memory=0.1, gpu_memory_max=0.125, gpu_memory_total=80 * GIB)
    found = receipt(of_job(first, 2, 1), of_job(later, 2, 1))
    assert (found.gpu_memory_peak, found.gpu_memory_total, found.gpu_memory_share) == (
        20 * GIB, 80 * GIB, 0.25,
    )  # fmt: skip


def test_percentiles_of_a_histogram():
    histogram = [0.0] * 20
    assert percentile(histogram, 0.95) is None
    histogram[10] = 100.0
    assert percentile(histogram, 0.5) == pytest.approx(0.525)
    histogram[19] = 100.0
    assert percentile(histogram, 0.95) == pytest.approx(0.995)
