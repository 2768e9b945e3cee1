"""The receipt in the detail of a job: what it cost, and the key that makes a job as it advises."""

from pathlib import Path

from backend_client.models import JobSpec, JobState
from backend_client.usage_report import Advice, Receipt
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck

GIB = 2**30
SPEC = JobSpec(name="bert-ft", gpus=2, cpu="8", command=("python", "train.py"))
ADVICE = Advice(sentence="asked for 8 CPUs, used 1.3", changes={"cpu": "3"})
JOB = make_job("bert-ft", JobState.SUCCEEDED, spec=SPEC)
RECEIPT = Receipt(
    job=JOB.ref,
    spec=SPEC,
    final=True,
    gpu_hours=12.34,
    gpu_types=("H100",),
    waited=720.0,
    preempted=3.0,
    attempts=2,
    utilisation=0.83,
    utilisation_p95=0.99,
    utilisation_min=0.71,
    idle_minutes=14.0,
    gpu_memory_share=0.76,
    cpu_asked=8.0,
    cpu_used=1.3,
    memory_asked=64 * GIB,
    memory_peak=12 * GIB,
    energy=3.2,
    coverage=1.0,
    advice=ADVICE,
)


class Counting(ScriptedBackend):
    def __init__(self, receipt):
        super().__init__([JOB])
        self.told = receipt

    async def usage_report(self, query):
        raise AssertionError("no sums are asked for")

    async def receipt(self, ref):
        self._call("receipt", ref)
        return self.told


async def test_the_detail_shows_it_and_one_key_makes_the_job_so(tmp_path: Path):
    backend = Counting(RECEIPT)
    async with deck(backend, tmp_path=tmp_path, size=(100, 50)) as running:
        await running.until("bert-ft")
        await running.press("enter")
        await running.until("cpu 8 -> 3  (1 makes a job so)")
        assert "12.3 of H100 in 2 attempts" in running.shown
        await running.press("1")
        await running.until("changed; it was 8")


async def test_without_an_advice_the_key_does_nothing(tmp_path: Path):
    backend = Counting(Receipt(job=JOB.ref, spec=SPEC, gpu_hours=1.0))
    async with deck(backend, tmp_path=tmp_path, size=(100, 50)) as running:
        await running.until("bert-ft")
        await running.press("enter")
        await running.until("What it cost so far")
        await running.press("1")
        await running.until("Nothing is advised.")
