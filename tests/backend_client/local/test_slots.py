"""GPUs as slots: never shared, strictly first come first served, free when the last holder is gone."""

import json
import os
import signal
import sys
from datetime import timedelta

import msgspec
import pytest

from backend_client.errors import Refused
from backend_client.gpu_nodes import Whose
from backend_client.local.backend import LocalBackend
from backend_client.local.job_processes import BOOT_MODULE
from backend_client.local.state_dir import Process
from backend_client.models import JobSpec, JobState
from backend_client.protocol import JobQuery, Scope
from tests.contract.support.harness import DEADLINE, finished, log_text, remove_all, until
from tests.support.wait import async_until


def running(job):
    return job.state == JobState.RUNNING


async def test_two_jobs_never_share_one(backend, run):
    first = await run("echo $CUDA_VISIBLE_DEVICES; sleep 60", name="one", gpus=1)
    second = await run("echo $CUDA_VISIBLE_DEVICES; sleep 60", name="two", gpus=1)
    for job in (first, second):
        await until(backend, job.ref, running)
    shown = {await first_line(backend, job) for job in (first, second)}
    assert shown == {b"0", b"1"}
    assert (await backend.capacity(Scope())).free == 0


async def first_line(backend, job):
    return (await async_until(lambda: log_text(backend, job.ref), DEADLINE)).strip()


async def test_first_come_first_served(backend, run):
    holds = await run("sleep 60", name="llama-sft", gpus=1)
    await until(backend, holds.ref, running)
    large = await run("sleep 60", name="large", gpus=2)
    await until(backend, large.ref, lambda job: job.reason == "waits for 2 GPUs; llama-sft holds 1")
    small = await run("sleep 60", name="small", gpus=1)  # one is free, but large was here before
    waiting = await until(backend, small.ref, lambda job: job.reason == "waits for 1 GPU; behind large")
    assert waiting.state == JobState.QUEUED
    await backend.stop(holds.ref)
    await until(backend, large.ref, running)
    assert (await backend.get(small.ref)).state == JobState.QUEUED
    await backend.stop(large.ref)
    await until(backend, small.ref, running)


async def test_jobs_without_gpus_never_wait_and_see_none(backend, run):
    await run("sleep 60", name="all", gpus=2)
    job = await run('echo "<$CUDA_VISIBLE_DEVICES>"', name="cpu")
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b"<>\n"


async def test_a_queued_job_can_be_stopped(backend, run):
    await run("sleep 60", name="all", gpus=2)
    job = await run("echo never", name="waits", gpus=1)
    await until(backend, job.ref, lambda job: job.reason)
    await backend.stop(job.ref)
    done = await finished(backend, job.ref)
    assert (done.state, done.attempts) == (JobState.STOPPED, ())
    assert await log_text(backend, job.ref) == b""


async def test_more_than_there_are_is_refused_with_the_numbers(backend, run, root):
    with pytest.raises(Refused, match="asks for 3 GPUs; gpu-7 has 2 GPUs"):
        await run("true", gpus=3)
    with pytest.raises(Refused, match="CUDA_VISIBLE_DEVICES"):
        await run("true", gpus=1, env={"CUDA_VISIBLE_DEVICES": "1"})
    with pytest.raises(Refused, match="has no GPUs"):
        await LocalBackend(root.path).create(JobSpec(command=("true",), gpus=1), key="k", secrets={})
    assert (await backend.list(JobQuery())).items == ()


async def test_a_straggler_is_named_by_its_pid(backend, run, tmp_path):
    # It passes for another job's supervisor; a real one hangs in the driver and cannot be killed either.
    code = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(60)"
    away = f'setsid {sys.executable} -c "{code}" {tmp_path}/pid {BOOT_MODULE}'
    script = f"{away} & until [ -s {tmp_path}/pid ]; do sleep 0.01; done"
    left = await run(script, name="leaver", gpus=2)
    await finished(backend, left.ref)
    pid = int((tmp_path / "pid").read_text())
    job = await run("true", name="next", gpus=1)
    words = f"waits for 1 GPU; process {pid} ({Process(pid).name}), left by leaver, holds 2"
    await until(backend, job.ref, lambda job: job.reason == words)
    assert (await backend.capacity(Scope())).free == 0
    os.kill(pid, signal.SIGKILL)
    await finished(backend, job.ref)


async def test_the_device_table(root, tmp_path):
    table = [
        {"id": "GPU-aaaa", "product": "NVIDIA H100", "foreign": False},
        {"id": "GPU-bbbb", "product": "NVIDIA H100", "foreign": True},
        {"id": "GPU-cccc", "product": "NVIDIA A100", "foreign": False},
    ]
    (tmp_path / "table").write_text(json.dumps(table))
    probe = (sys.executable, "-c", f"print(open({str(tmp_path / 'table')!r}).read())")
    backend = LocalBackend(root.path, gpus=7, grace=1, probe=probe)
    pools = {pool.product: (pool.total, pool.free) for pool in (await backend.capacity(Scope())).pools}
    assert pools == {"NVIDIA H100": (2, 1), "NVIDIA A100": (1, 1)}
    command = ("sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    job = await backend.create(JobSpec(command=command, gpus=2), key="2", secrets={})
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b"GPU-aaaa,GPU-cccc\n"
    job = await backend.create(JobSpec(name="all", command=command, gpus=3), key="3", secrets={})
    words = "waits for 3 GPUs; another user holds 1"
    await until(backend, job.ref, lambda job: job.reason == words)
    await remove_all(backend)


async def test_a_gpu_that_the_driver_has_lost_meanwhile_is_not_given_out(root, tmp_path):
    table = [{"id": f"GPU-{name}", "product": "NVIDIA H100"} for name in "abc"]
    path = tmp_path / "table"
    path.write_text(json.dumps(table))
    probe = (sys.executable, "-c", f"print(open({str(path)!r}).read())")
    backend = LocalBackend(root.path, grace=1, probe=probe)
    held = await backend.create(JobSpec(name="held", command=("sleep", "60"), gpus=1), key="1", secrets={})
    await until(backend, held.ref, lambda job: job.state == JobState.RUNNING)
    two = JobSpec(name="two", command=("sh", "-c", "echo $CUDA_VISIBLE_DEVICES"), gpus=2)
    three = await backend.create(msgspec.structs.replace(two, name="three", gpus=3), key="2", secrets={})
    await until(backend, three.ref, lambda job: job.reason)
    path.write_text(json.dumps([table[0], table[2]]))
    job = await backend.create(two, key="3", secrets={})
    await backend.stop(held.ref)
    await until(backend, three.ref, lambda job: job.reason == "waits for 3 GPUs; this machine has 2 now")
    await backend.stop(three.ref)
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b"GPU-a,GPU-c\n"
    await remove_all(backend)


async def test_a_deployment_keeps_its_slot_between_two_starts(backend, run):
    job = await run("exit 1", name="serve", kind="deployment", gpus=2)
    await until(backend, job.ref, lambda job: job.next_try)
    assert (await backend.capacity(Scope())).free == 0


async def test_the_gpus_of_the_machine_say_who_holds_them_until_when_and_what_is_broken(root, tmp_path):
    table = [
        {"id": "GPU-aaaa", "product": "NVIDIA H100"},
        {"id": "GPU-bbbb", "product": "NVIDIA H100", "foreign": True},
        {"id": "GPU-cccc", "product": "NVIDIA H100"},
        {"id": "broken-3", "product": "", "broken": True},
    ]
    (tmp_path / "table").write_text(json.dumps(table))
    probe = (sys.executable, "-c", f"print(open({str(tmp_path / 'table')!r}).read())")
    backend = LocalBackend(root.path, grace=1, probe=probe)
    spec = JobSpec(name="bert", command=("sleep", "60"), gpus=1, max_runtime=3600)
    job = await backend.create(spec, key="1", secrets={})
    job = await until(backend, job.ref, lambda job: job.state == JobState.RUNNING)
    (line,) = (await backend.nodes(Scope())).nodes
    assert (line.total, line.free, line.broken, line.product) == (3, 1, 1, "NVIDIA H100")
    own, other = line.holders
    assert (own.gpus, own.whose, own.uid, own.name) == (1, Whose.MINE, job.ref.uid, "bert")
    assert own.until == job.attempts[-1].started + timedelta(hours=1)
    assert (other.gpus, other.whose, other.name) == (1, Whose.OTHER, "")
    with pytest.raises(Refused, match="3 GPUs"):
        await backend.create(JobSpec(command=("true",), gpus=4), key="2", secrets={})
    await remove_all(backend)
