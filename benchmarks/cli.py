"""`traindeck jobs` as a whole process, beside the floor of Python and the import of Textual, turn by turn."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest.mock import patch

from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
from backend_client.protocol import Changed, Snapshot

ROUNDS = 20
JOBS = 100
PROGRAM = str(Path(sys.executable).with_name("traindeck"))
COMMANDS = {
    "pass": [sys.executable, "-c", "pass"],
    "textual": [sys.executable, "-c", "import textual.app"],
    "version": [PROGRAM, "--version"],
    "jobs": [PROGRAM, "jobs"],
}


async def fill() -> None:
    """Run so many jobs, in the state folder of the environment, and wait for their ends."""
    backend = LocalBackend()
    for number in range(JOBS):
        await backend.create(JobSpec(command=("true",)), key=f"bench-{number}", secrets={})
    ended: set[str] = set()
    async for batch in backend.watch([]):
        for event in batch:
            if isinstance(event, Snapshot | Changed):
                ended |= {job.ref.uid for job in event.jobs if job.ended}
        if len(ended) == JOBS:
            break
    await backend.aclose()


def seconds(command: list[str]) -> float:
    """Run one command; return the seconds from its start to its exit."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure() -> dict[str, list[float]]:
    """Measure every command, each round one after the other; return the seconds of each."""
    seconds(COMMANDS["jobs"])
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    return {name: [times[name] for times in rounds] for name in COMMANDS}


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory() as home, patch.dict(os.environ):
        os.environ |= {f"XDG_{kind}_HOME": home for kind in ("STATE", "CONFIG", "CACHE")}
        asyncio.run(fill())
        times = measure()
    ratio = median(mine / theirs for mine, theirs in zip(times["jobs"], times["textual"], strict=True))
    words = {name: f"{median(values) * 1000:.0f} ms" for name, values in times.items()}
    return [
        ("`python3 -c pass`", words["pass"], ""),
        ("`python3 -c 'import textual.app'`", words["textual"], ""),
        ("`traindeck --version`", words["version"], ""),
        (f"`traindeck jobs`, {JOBS} local jobs", words["jobs"], ""),
        ("`traindeck jobs` / `import textual.app`", f"{ratio:.2f}", "<= 0.6"),
    ]
