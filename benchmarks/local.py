"""What a local job costs: its supervisor's memory and CPU, and how fast its log is read and written."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from backend_client.local import state_dir
from backend_client.local.backend import LocalBackend
from backend_client.local.log_reader import Position, SegmentReader
from backend_client.local.log_writer import LogWriter
from backend_client.models import Job, JobSpec, JobState
from backend_client.protocol import JobQuery

LINES = 1_000_000
LINE = b"step 3118/10000 loss 0.4127 lr 3.0e-05 grad_norm 0.812 1.9 it/s, epoch 3, a line of some 88 bytes\n"
SILENCE = 5.0


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            *asyncio.run(_supervisor(Path(folder) / "one")),
            *_log(Path(folder)),
            _listing(Path(folder) / "many"),
        ]


async def _supervisor(root: Path) -> list[tuple[str, str, str]]:
    backend = LocalBackend(root, grace=1)
    script = "echo 'step 1/10 loss 0.5'; sleep 60"
    began = time.perf_counter()
    job = await backend.create(JobSpec(command=("sh", "-c", script)), key="bench", secrets={})
    took = time.perf_counter() - began
    while not (job.state == JobState.RUNNING and job.progress):
        await asyncio.sleep(0.1)
        job = await backend.get(job.ref)
    pid = state_dir.read_json(state_dir.StateDir(root).record(job.ref.uid))["supervisor"]["pid"]
    await asyncio.sleep(1.5)
    before = _cpu(pid)
    await asyncio.sleep(SILENCE)
    used = _cpu(pid) - before
    memory = _memory(pid)
    await _remove(backend, job)
    return [
        ("supervisor, memory", f"{memory / 2**20:.1f} MB", "<= 15 MB"),
        (f"supervisor, CPU in {SILENCE:g} s of silence", f"{used * 1000:.0f} ms", "0"),
        ("local create, until its supervisor has it", f"{took * 1000:.0f} ms", ""),
    ]


async def _remove(backend: LocalBackend, job: Job) -> None:
    async for _ in backend.delete(job.ref):
        pass


def _cpu(pid: int) -> float:
    """Return the seconds of CPU, from the scheduler's nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(pid: int) -> int:
    """Return the bytes of resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _log(folder: Path) -> list[tuple[str, str, str]]:
    writer = LogWriter(folder, 1, 2**30)
    chunk, times = LINE * 1000, LINES // 1000
    began = time.perf_counter()
    for _ in range(times):
        writer.write("stdout", chunk)
    writer.close()
    written = time.perf_counter() - began
    reader, count = SegmentReader(folder, Position(1), ""), 0
    began = time.perf_counter()
    while batch := reader.read():
        count += len(batch.lines)
    read = time.perf_counter() - began
    assert count == LINES
    return [
        ("local log, written", f"{LINES / written / 1e6:.1f}M lines/s", ""),
        ("local log, read", f"{LINES / read / 1e6:.1f}M lines/s", ">= 1M lines/s"),
    ]


def _listing(root: Path, count: int = 10_000) -> tuple[str, str, str]:
    backend = LocalBackend(root)
    record = {
        "owner": "me",
        "created": state_dir.now(),
        "finished": state_dir.now(),
        "state": "Succeeded",
        "spec": {"name": "bert-ft", "command": ["python", "train.py"], "workdir": "/home/me"},
    }
    for number in range(count):
        uid = f"{number:016x}"
        home = state_dir.StateDir(root)
        home.job(uid).mkdir()
        state_dir.write_json(home.record(uid), {**record, "uid": uid, "name": f"job-{number}"})
    began = time.perf_counter()
    page = asyncio.run(backend.list(JobQuery(limit=count)))
    assert len(page.items) == count
    return f"local, all {count:,} jobs", f"{(time.perf_counter() - began) * 1000:.0f} ms", ""
