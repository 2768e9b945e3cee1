"""The form over a real backend: the first start trains something; the same again gets the next name."""

from pathlib import Path

import pytest

from backend_client.local.backend import LocalBackend
from backend_client.models import Job
from tests.tui.support.form_app import SMALL, FormApp, until


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "local" / "gpu-7", gpus=2)


async def test_from_the_first_start_to_the_second_run(backend: LocalBackend):
    made: list[Job] = []
    try:
        app = FormApp(backend)
        async with app.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: "this machine, gpu-7" in app.shown and "2 of 2 free" in app.shown)
            await pilot.press("f2")
            await until(pilot, lambda: "Run it here?" in app.shown)
            await pilot.press("y")
            await until(pilot, lambda: app.results)
            made += app.results
        again = FormApp(backend, made[0].spec)
        async with again.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: again.form.list.fields["name"].line.placeholder == "train-2")
            again.write(gpus="3")
            await until(pilot, lambda: "gpu-7 has 2 GPUs" in again.below("gpus"))
            again.write(gpus="")
            await pilot.press("f2")
            await until(pilot, lambda: again.results)
            made += again.results
        assert [job.name for job in made] == ["train", "train-2"]
        assert made[0].spec.command == made[1].spec.command
    finally:
        for job in made:
            async for _ in backend.delete(job.ref):
                pass
