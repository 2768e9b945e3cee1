"""What 1,000 jobs of 8 GPUs use, out of a real Prometheus over exporters with dcgm's names.

Needs the programs `prometheus` and `promtool`. An hour of one job is written into its store beforehand.
"""

import asyncio
import contextlib
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState
from backend_client.prometheus.by_url import UrlAsk
from backend_client.prometheus.client import Answer, PrometheusClient
from backend_client.prometheus.pod_spans import running_spans
from backend_client.prometheus.usage_samples import sum_of
from backend_client.prometheus.usage_source import PrometheusUsage
from benchmarks import usage
from tests.support import prometheus

JOBS = 1000
GPUS = 8
NAMESPACES = 20
SCRAPE_SECONDS = 15.0
TICKS = 9
BLOCK_SECONDS = 7200
_EXPORTERS = 8
_OWN = {"pod": "dcgm-exporter", "namespace": "gpu-operator"}

Row = tuple[str, str, str]


def namespace_of(job: int) -> str:
    """Name the namespace of a job."""
    return f"team-{job % NAMESPACES}"


def jobs() -> list[Job]:
    """Return the jobs, each in one pod."""
    now = datetime.now(UTC)
    return [
        Job(
            ref=JobRef("lab", namespace_of(n), "job", f"job-{n}", f"uid-{n}"),
            state=JobState.RUNNING,
            spec=JobSpec(gpus=GPUS),
            created=now - timedelta(hours=9),
            attempts=(Attempt(number=1, pod=f"job-{n}-0", started=now - timedelta(hours=9)),),
        )
        for n in range(JOBS)
    ]


def exported(of: range) -> str:
    """Write what exporter and kubelet say of some jobs."""
    parts = []
    for n in of:
        names = {"pod": f"job-{n}-0", "namespace": namespace_of(n)}
        parts += [prometheus.dcgm(gpu, node=f"gpu-{n}", util=(n + gpu) % 101, **names) for gpu in range(GPUS)]
        for name, value in (("memory_working_set_bytes", 5e9 + n), ("cpu_usage_seconds_total", 1000 + n)):
            parts.append(prometheus.line(f"container_{name}", value, container="main", **names))
    return "".join(parts)


def written_end() -> float:
    """Return when the hour ends that is written beforehand: Prometheus takes no scrape of a block's time."""
    return time.time() // BLOCK_SECONDS * BLOCK_SECONDS - 60


def write_hour(folder: Path, end: float) -> None:
    """Write an hour of job 0 into the store of a Prometheus."""
    one = exported(range(1)).splitlines()
    lines = [f"{text} {end - back:.3f}" for text in one for back in range(3600, -1, -30)]
    (folder / "hour").write_text("\n".join([*lines, "# EOF", ""]))
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "hour", folder / "data"]
    subprocess.run(made, check=True, capture_output=True)


class Counted:
    """Counts requests, and the bytes that come, decompressed."""

    def __init__(self, ask: UrlAsk) -> None:
        self._ask = ask
        self.requests = self.size = 0

    async def __call__(self, method: str, path: str, params: Mapping[str, str], seconds: float) -> Answer:
        """Pass a request on."""
        answer = await self._ask(method, path, params, seconds)
        self.requests += 1
        self.size += len(answer.body)
        return answer


class Cost:
    """What one kind of question has cost, each time."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.own: list[float] = []
        self.theirs: list[float] = []

    async def of(self, pid: int, ask: Callable[[], Awaitable[object]]) -> None:
        """Ask once, and note it."""
        theirs, own, wall = usage.cpu(pid), time.process_time(), time.perf_counter()
        await ask()
        self.wall.append(time.perf_counter() - wall)
        self.own.append(time.process_time() - own)
        self.theirs.append(usage.cpu(pid) - theirs)


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        exporters = [prometheus.Exporter() for _ in range(_EXPORTERS)]
        for at, exporter in enumerate(exporters):
            stack.callback(exporter.close)
            exporter.text = exported(range(at, JOBS, _EXPORTERS))
        end = written_end()
        write_hour(Path(folder), end)
        targets = [prometheus.scrape("all", *(one.port for one in exporters), honor=True, labels=_OWN)]
        running = stack.enter_context(prometheus.running(Path(folder), targets, seconds=SCRAPE_SECONDS))
        running.until("DCGM_FI_DEV_XID_ERRORS", lambda count: count == JOBS * GPUS)
        running.until("rate(container_cpu_usage_seconds_total[2m])", lambda count: count == JOBS)
        return asyncio.run(_measured(running, end))


async def _measured(running: prometheus.Prometheus, end: float) -> list[Row]:
    ask, all_jobs, until = UrlAsk(running.url), jobs(), datetime.fromtimestamp(end, UTC)
    counted, first, tick, detail, hour = Counted(ask), Cost(), Cost(), Cost(), Cost()

    async def read() -> None:
        uses = await source.sums()
        found = [sum_of(running_spans(job), uses, "Prometheus") for job in all_jobs]
        assert all(found)
        assert found[5]
        assert found[5].gpu_min == 0.05

    async def look() -> None:
        spans = running_spans(all_jobs[0])
        assert len((await source.gpus(spans))[spans[0].key]) == GPUS
        await source.containers(spans)

    async def past() -> None:
        fresh = PrometheusUsage(PrometheusClient(counted))
        fresh._discovery, fresh._discovered_at = source._discovery, source._discovered_at
        found = await fresh.history(running_spans(all_jobs[0]), until - timedelta(hours=1), until)
        assert sum(value is not None for value in found.series[0].values) > 60

    try:
        source = PrometheusUsage(PrometheusClient(counted))
        await first.of(running.pid, source.discovery)
        asked, size = counted.requests, counted.size
        for _ in range(TICKS):
            await tick.of(running.pid, read)
        asked, size = (counted.requests - asked) // TICKS, (counted.size - size) // TICKS
        for _ in range(TICKS):
            await detail.of(running.pid, look)
            await hour.of(running.pid, past)
    finally:
        await ask.aclose()
    what = f"{JOBS:,} jobs x {GPUS} GPUs"
    return [
        (f"{what}: one reading of all, CPU", f"{_ms(tick.own)} ms", "<= 150 ms"),
        ("the same, from the question to the figures of each job", f"{_ms(tick.wall)} ms", ""),
        ("the same, CPU of Prometheus", f"{_ms(tick.theirs)} ms", ""),
        ("the same, requests and what they bring", f"{asked}, {size / 2**20:.1f} MiB (sent with gzip)", ""),
        ("which exporter there is and how it names pods, once a day", f"{_ms(first.wall)} ms", ""),
        ("each GPU of one job, as it is now", f"{_ms(detail.wall)} ms, CPU {_ms(detail.own)} ms", ""),
        (
            "an hour of one job: 7 measures, 8 GPUs",
            f"{_ms(hour.wall)} ms, CPU {_ms(hour.own)} ms",
            "<= 300 ms",
        ),
    ]


def _ms(seconds: list[float]) -> str:
    return f"{median(seconds) * 1000:.0f}"
