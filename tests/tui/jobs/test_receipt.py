"""The receipt in the detail of a job: what it cost, and the key that makes a job as it advises."""

from pathlib import Path

from backend_client.usage_report import Receipt
from tests.support.receipts import JOB, RECEIPT, SPEC
from tests.support.scripted import ScriptedBackend
from tests.tui.support.deck import deck


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
