"""CPU and memory of the real processes of real jobs. A figure is waited for: the machine may be busy."""

import asyncio
import sys

import pytest

from backend_client.local.job_processes import BOOT_MODULE
from backend_client.local.usage.processes import ProcessTable, _Look, _ticks_between
from backend_client.models import JobState
from backend_client.usage import Measure
from tests.contract.support.harness import DEADLINE, finished, until
from tests.support.wait import async_until

MIB = 2**20
BURN = "while :; do :; done"
BUSY = 0.05
"""Of a core: what burns gets more, even where many others want it; what sleeps uses none."""
HOLDS = f"""{sys.executable} -c '
import os, time
held = bytearray(os.urandom(1 << 20)) * 96
for _ in range(3):
    if not os.fork():
        break
print("ready", sum(held[::4096]), flush=True)
while True:
    time.sleep(60)
'"""
"""96 MiB that four processes share."""


async def used_when(backend, ref, holds):
    """What the job's rank uses, as soon as `holds(rank)`."""
    rank = None
    async with asyncio.timeout(DEADLINE):
        while True:
            usage = await backend.usage(ref)
            rank = usage.ranks[0] if usage.ranks else None
            if rank and holds(rank):
                return rank, usage
            await asyncio.sleep(0.05)


async def test_a_job_that_burns_one_core_shows_about_one(backend, run):
    job = await run(BURN, name="burns")
    first = await backend.usage((await until(backend, job.ref, lambda j: j.attempts)).ref)
    assert first.ranks[0].cpu is None  # it is what was used between two readings
    rank, usage = await used_when(backend, job.ref, lambda rank: BUSY < (rank.cpu or 0) <= 1.1)
    assert rank.memory > 100_000
    assert (rank.node, rank.gpus, rank.as_of is not None) == ("gpu-7", (), True)
    assert [(source.name, source.gives) for source in usage.sources] == [
        ("/proc", (Measure.CPU, Measure.RSS))
    ]


async def test_a_job_that_sleeps_uses_nothing_which_is_known(backend, run):
    job = await run("sleep 1000", name="sleeps")
    rank, _ = await used_when(backend, job.ref, lambda rank: rank.cpu is not None and rank.cpu < BUSY)
    assert rank.memory > 100_000


@pytest.mark.parametrize(
    "script",
    [
        f"(setsid sh -c '{BURN}' &) ; sleep 1000",
        f"""{sys.executable} -c '
import os
if not os.fork():
    os.setsid()
    if not os.fork():
        while True: pass
    os._exit(0)
os.wait()
os.execvp("sleep", ["sleep", "1000"])
'""",
        "while :; do sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done'; done",
    ],
    ids=["another session", "forked twice", "one short process after another"],
)
async def test_what_a_job_has_started_counts(backend, run, script):
    job = await run(script)
    await used_when(backend, job.ref, lambda rank: (rank.cpu or 0) > BUSY)


async def test_what_is_another_job_does_not_count(backend, run):
    inner = f"{sys.executable} -c 'while True: pass' $SUPERVISOR"
    job = await run(f"{inner} & sleep 1000", env={"SUPERVISOR": BOOT_MODULE})
    burns = await run(BURN, name="burns")
    await used_when(backend, burns.ref, lambda rank: (rank.cpu or 0) > BUSY)
    await used_when(backend, job.ref, lambda rank: rank.cpu is not None and rank.cpu < 0.1)


async def test_memory_that_processes_share_counts_once(backend, run):
    job = await run(HOLDS)
    await async_until(lambda: len(_below(backend, job)) >= 5)
    # Of each its own 96 MiB would be four times as much, however often it is read.
    await used_when(backend, job.ref, lambda rank: 96 * MIB < (rank.memory or 0) < 2 * 96 * MIB)


def _below(backend, job):
    return ProcessTable().below(backend._store.supervisor(job.ref.uid))


async def test_a_job_that_has_ended_has_no_figures_but_its_past(backend, run):
    job = await run(BURN)
    await used_when(backend, job.ref, lambda rank: rank.cpu is not None)
    await backend.stop(job.ref)
    ended = await finished(backend, job.ref)
    assert ended.state is JobState.STOPPED
    usage = await backend.usage(job.ref)
    assert usage.ranks == ()
    assert [source.missing for source in usage.sources] == ["the job has no process now"]
    history = await backend.usage_history(job.ref, job.created)
    assert {series.measure for series in history.series} == {Measure.CPU, Measure.RSS}


def look(at, total, **own):
    return _Look(at, total, {(int(pid[1:]), 0): ticks for pid, ticks in own.items()})


@pytest.mark.parametrize(
    ("before", "after", "ticks"),
    [
        (look(0, 100, p1=60, p2=40), look(1, 180, p1=100, p2=80), 80),
        (look(0, 100, p1=60, p2=40), look(1, 170, p1=90), 70),  # p2 has ended, and p1 has waited for it
        (look(0, 100, p1=60, p2=40), look(1, 75, p1=75), 15),  # it has, and nobody has
        (look(0, 60, p1=60), look(1, 30, p3=30), 0),
    ],
)
def test_processes_that_end_between_two_looks(before, after, ticks):
    assert _ticks_between(before, after) == ticks
