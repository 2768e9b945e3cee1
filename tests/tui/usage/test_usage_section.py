"""What a job uses, on its detail."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from backend_client import job_use
from backend_client.errors import Unreachable
from backend_client.models import JobState
from backend_client.protocol import Feature
from backend_client.usage import Measure, UsageSource
from tests.support.scripted import ScriptedBackend, make_job
from tests.support.usages import make_history, make_usage
from tests.tui.support.deck import deck
from tui.usage import usage_section


def using(ranks: int = 1, gpus: int = 1, **more) -> ScriptedBackend:
    backend = ScriptedBackend([make_job("bert", gpus=gpus, **more)])
    backend.used["uid-bert"] = make_usage(ranks, gpus)
    backend.use_histories["uid-bert"] = make_history(ranks, gpus)
    return backend


async def test_the_detail_has_lines_and_figures_with_their_source_and_age(tmp_path: Path):
    async with deck(using(), tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until(lambda: bool(re.search(r"from Prometheus, \d+ s ago", running.shown)))
        for words in ("Use since", "util ▇▇▇", "87%", "GPU memory", "61Gi/80Gi", "power", "310W", "CPU"):
            assert words in running.shown


async def test_a_wide_screen_has_plots_beside_the_text(tmp_path: Path):
    async with deck(using(), tmp_path=tmp_path, size=(200, 50)) as running:
        await running.press("enter")
        await running.until("GPU utilisation")
        assert "┤" in running.shown
        assert "What happened" in running.shown


async def test_plots_are_painted_after_the_text_and_not_again_while_nothing_changes(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(usage_section, "EVERY", 0.05)
    drawn: list[str] = []
    plots = usage_section.usage_plots
    backend = using()
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:

        def record(*args) -> str:
            drawn.append(running.sent)
            return plots(*args)

        monkeypatch.setattr(usage_section, "usage_plots", record)
        await running.press("enter")
        await running.until("GPU utilisation")
        assert "from Prometheus" in drawn[0]
        await running.until(lambda: readings(backend) > 4)
        assert len(drawn) == 1


async def test_the_text_beside_plots_is_no_wider_than_its_part(tmp_path: Path):
    async with deck(using(2, 8), tmp_path=tmp_path, size=(200, 50)) as running:
        await running.press("enter")
        await running.until("GPU utilisation")

        def head() -> str:
            return next(line for line in running.shown.splitlines() if " now " in line)

        await running.until(lambda: " max" in head()[:100])
        await running.pilot.resize_terminal(100, 30)
        await running.until(lambda: "GPU utilisation" not in running.shown)


async def test_a_gap_stays_a_gap(tmp_path: Path):
    backend = using()
    backend.use_histories["uid-bert"] = make_history(
        values=lambda _r, _g, step: None if 40 <= step < 80 else 1.0
    )
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until(lambda: bool(re.search(r"util █+ {8,}█+", running.shown)))


async def test_many_ranks_are_summed_up_and_a_key_shows_all(tmp_path: Path):
    async with deck(using(64, 8), tmp_path=tmp_path, size=(100, 40)) as running:
        await running.press("enter")
        await running.until("more alike  (R shows all)")
        await running.press("R")
        await running.until("STEP")


async def test_a_reading_that_takes_long_holds_nothing_up(tmp_path: Path):
    backend = using()
    backend.hold_usage.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("reading ...")
        await running.until("What happened")
        await running.press("escape")
        await running.until("filter")


async def test_an_endless_reading_is_given_up(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(job_use, "PATIENCE", 0.2)
    backend = using()
    backend.hold_usage.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("use unknown since")
        assert "no answer within" in running.shown


async def test_a_reading_that_fails_says_why_and_the_last_figures_stay(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(usage_section, "EVERY", 0.1)
    backend = using()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("87%")
        backend.fail["usage_history"] = Unreachable("Prometheus is asleep.")
        await running.until("Prometheus is asleep")
        assert "87%" in running.shown
        assert "use unknown since" in running.shown
        del backend.fail["usage_history"]
        await running.until(lambda: "asleep" not in running.shown)


def readings(backend: ScriptedBackend) -> int:
    return sum(method == "usage_history" for method, _ in backend.calls)


async def test_it_is_read_while_its_screen_is_seen_and_no_longer(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(usage_section, "EVERY", 0.05)
    backend = using()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until(lambda: readings(backend) > 2)
        await running.press("y")
        await running.until("spec file")
        before = readings(backend)
        await running.quiet()
        assert readings(backend) <= before + 1
        await running.press("escape")
        await running.until(lambda: readings(backend) > before + 1)
        await running.press("escape")
        await running.until("filter")
        before = readings(backend)
        await running.quiet()
        assert readings(backend) <= before + 1


async def test_a_context_that_tells_nothing_of_use_says_so_in_a_line(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert")], lacks={Feature.METRICS: "nobody measures here"})
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("nobody measures here")
        assert not readings(backend)


async def test_a_source_that_is_missing_says_so(tmp_path: Path):
    backend = using()
    missing = UsageSource(name="metrics", gives=(Measure.CPU,), missing="the right to get pods is missing")
    backend.used["uid-bert"] = msgspec.structs.replace(make_usage(), sources=(missing,))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("CPU and memory unknown: the right to get pods is missing")


async def test_a_job_that_waits_is_not_asked_about_until_it_runs_and_one_that_ended_once(tmp_path: Path):
    backend = using(state=JobState.QUEUED)
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("What happened")
        assert not readings(backend)
        backend.change("uid-bert", state=JobState.RUNNING)
        await running.until("87%")
        ended = datetime.now(UTC) - timedelta(hours=5)
        backend.change("uid-bert", state=JobState.SUCCEEDED, finished=ended)
        await running.until(lambda: readings(backend) == 2)
        await running.until("Use from")
        _, since = [about for method, about in backend.calls if method == "usage_history"][-1]
        assert since == ended - timedelta(hours=1)


async def test_nothing_is_said_of_a_job_that_ended_and_of_which_nothing_is_known(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert", JobState.FAILED)])
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until(lambda: readings(backend) == 1)
        await running.quiet()
        assert "Use" not in running.shown
