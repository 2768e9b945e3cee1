"""The end of a job is the end of all that it has started, in whatever session, and of nothing else."""

import os
import signal
import subprocess
import sys

import pytest

from backend_client.local import launch, state_dir
from backend_client.local.backend import LocalBackend
from backend_client.local.job_processes import descendants, kill_all, leftovers, signal_all
from backend_client.models import JobSpec, JobState
from backend_client.protocol import Scope
from tests.backend_client.local.test_crashes import gone, lives, record, running, written
from tests.contract.support.harness import DEADLINE, finished, until
from tests.support.wait import async_until

DAEMON = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.closerange(0, 1000)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(fd, f"{os.getpid()}\\n".encode())
os.close(fd)
time.sleep(300)
"""
"""Two forks, a session of its own, deaf to SIGTERM, and nothing that it inherited is open."""

WAYS = {
    "setsid": "setsid sleep 300 & echo $! >> PIDS",
    "nohup": "nohup sh -c 'echo $$ >> PIDS; exec sleep 300' > /dev/null 2>&1 &",
    "a subshell's": "(setsid sh -c 'echo $$ >> PIDS; exec sleep 300' &)",
    "another environment": "env -i setsid sh -c 'echo $$ >> PIDS; exec sleep 300' > /dev/null 2>&1 &",
    "deaf": "setsid sh -c 'trap \"\" TERM HUP; echo $$ >> PIDS; while :; do sleep 1; done' &",
    "stopped": "setsid sh -c 'echo $$ >> PIDS; kill -STOP $$' &",
    "a daemon": f'env -i {sys.executable} -c "$DAEMON" PIDS',
    "a child of its own session": "setsid sh -c 'sleep 300 & echo $! $$ >> PIDS; wait' &",
    "forks while it is killed": "setsid sh -c 'echo $$ >> PIDS; while :; do sleep 0.01 & done' &",
}


async def started(run, tmp_path, way, rest, **fields):
    """A job that has left processes in this way, and their pids."""
    script = f"{WAYS[way]}\n".replace("PIDS", f"{tmp_path}/pids") + rest
    job = await run(script, env={"DAEMON": DAEMON}, **fields)
    return job, await written(tmp_path / "pids")


@pytest.mark.parametrize("way", WAYS)
async def test_stop_ends_all_that_the_job_has_started(backend, run, tmp_path, way):
    job, pids = await started(run, tmp_path, way, "sleep 300", gpus=2)
    await until(backend, job.ref, running)
    await backend.stop(job.ref)
    done = await finished(backend, job.ref)
    assert done.state == JobState.STOPPED
    assert not any(lives(pid) for pid in pids)  # not later: the GPUs are given to the next one now
    assert (await backend.capacity(Scope())).free == 2


@pytest.mark.parametrize("way", ["setsid", "deaf", "a daemon"])
@pytest.mark.parametrize("code", [0, 3])
async def test_the_end_of_the_command_ends_what_it_leaves(backend, run, tmp_path, way, code):
    job, pids = await started(
        run, tmp_path, way, f"until [ -s {tmp_path}/pids ]; do sleep 0.01; done; exit {code}"
    )
    seen = await until(backend, job.ref, lambda job: job.ended or "what it left is being ended" in job.reason)
    assert seen.ended or f"process {pids[0]} (" in seen.reason
    done = await finished(backend, job.ref)
    assert (done.state, done.attempts[-1].exit_code) == (
        JobState.FAILED if code else JobState.SUCCEEDED,
        code,
    )
    assert not any(lives(pid) for pid in pids)


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_killed_supervisor_leaves_is_ended(backend, run, root, tmp_path, way):
    job, pids = await started(run, tmp_path, way, "sleep 300")
    await until(backend, job.ref, running)
    os.kill(record(root, job)["supervisor"]["pid"], signal.SIGKILL)
    assert (await finished(backend, job.ref)).reason == "its supervisor was killed"
    assert not any(lives(pid) for pid in pids)


@pytest.mark.parametrize(
    "way", ["setsid", "nohup", "another environment", "deaf", "a child of its own session"]
)
async def test_it_is_found_again_when_the_guard_was_killed_too(backend, run, root, tmp_path, way):
    job, pids = await started(run, tmp_path, way, "sleep 300")
    await until(backend, job.ref, running)
    supervisor = state_dir.Process(record(root, job)["supervisor"]["pid"])
    os.kill(supervisor.parent, signal.SIGKILL)
    os.kill(supervisor.pid, signal.SIGKILL)
    assert (await finished(backend, job.ref)).reason == "its supervisor was killed"
    await gone(*pids)


async def test_stop_of_an_ended_job_ends_what_is_left_of_it(backend, run, root):
    job = await run("true")
    await finished(backend, job.ref)
    env = {**os.environ, "TRAINDECK_JOB": str(root.job(job.ref.uid).resolve())}
    left = subprocess.Popen(["sleep", "300"], start_new_session=True, env=env)
    await backend.stop(job.ref)
    assert left.wait(DEADLINE) == -signal.SIGKILL


async def test_a_namesake_in_another_state_folder_is_left_alone(backend, run, root, tmp_path):
    """The same key makes the same uid, whoever says it: a server's own folder has it too."""
    other = LocalBackend(tmp_path / "other" / "gpu-7", grace=1)
    job = await run("true", key="one")
    await finished(backend, job.ref)
    spec = JobSpec(command=("sh", "-c", f"echo $$ > {tmp_path}/other.pid; exec sleep 300"), workdir="/")
    same = await other.create(spec, key="one", secrets={})
    (pid,) = await written(tmp_path / "other.pid")
    async for _ in backend.delete(job.ref):
        pass
    assert same.ref.uid == job.ref.uid
    assert lives(pid)
    await other.stop(same.ref)
    await finished(other, same.ref)


async def test_a_job_that_a_job_has_made_is_a_job_of_its_own(backend, run, root, tmp_path):
    code = f"""
import asyncio, pathlib
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
backend = LocalBackend(pathlib.Path({str(root.path)!r}), grace=1)
spec = JobSpec(name="inner", command=("sh", "-c", "echo $$ > {tmp_path}/inner; exec sleep 300"), workdir="/")
asyncio.run(backend.create(spec, key="inner", secrets={{}}))
"""
    outer = await run(f'{sys.executable} -c "$CODE"; sleep 300', name="outer", env={"CODE": code})
    (inner,) = await written(tmp_path / "inner")
    await until(backend, outer.ref, running)
    await backend.stop(outer.ref)
    await finished(backend, outer.ref)
    assert lives(inner)
    again = await backend.get(
        outer.ref.__class__("local", outer.ref.namespace, "job", "inner", launch.uid_of("inner"))
    )
    assert again.state == JobState.RUNNING
    await backend.stop(again.ref)
    await finished(backend, again.ref)
    assert not lives(inner)


def test_a_reader_of_a_jobs_folder_is_no_part_of_it(tmp_path):
    root = state_dir.StateDir(tmp_path / "host")
    root.create()
    root.job("uid").mkdir()
    held = root.job("uid") / "held"
    held.touch()
    with held.open("rb"):
        assert leftovers(root, "uid", None) == []
    writer = subprocess.Popen(["sleep", "300"], stdout=held.open("ab"), env={})
    assert [process.pid for process in leftovers(root, "uid", None)] == [writer.pid]
    kill_all(lambda: leftovers(root, "uid", None))
    assert writer.wait(DEADLINE) == -signal.SIGKILL


def test_a_number_that_another_process_has_by_now_is_left_alone():
    bystander = subprocess.Popen(["sleep", "300"])
    process = state_dir.Process(bystander.pid)
    process.start -= 1
    signal_all([process], signal.SIGKILL)
    assert bystander.poll() is None
    assert bystander.pid in {process.pid for process in descendants(os.getpid())}
    bystander.kill()
    bystander.wait()


def test_a_zombie_has_ended_and_one_with_threads_has_not():
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert state_dir.Process(zombie.pid).has_ended
    assert zombie.pid not in {process.pid for process in descendants(os.getpid())}
    zombie.wait()
    code = (
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(300,)).start();"
        "print('up', flush=True); ctypes.CDLL(None).pthread_exit(None)"
    )
    headless = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    headless.stdout.readline()
    assert headless.pid in {process.pid for process in descendants(os.getpid())}
    headless.kill()
    headless.communicate()


async def test_a_chain_of_forks_is_caught(backend, run, root, tmp_path):
    link = f"f() {{ sh -c 'echo $PPID $$' >> {tmp_path}/pids; (sleep 0.005; f) & }}; f"
    job = await run('setsid sh -c "$LINK" & sleep 300', env={"LINK": link})
    await async_until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").stat().st_size > 200)
    await until(backend, job.ref, running)
    await backend.stop(job.ref)
    await finished(backend, job.ref)
    size = (tmp_path / "pids").stat().st_size
    assert leftovers(root, job.ref.uid, None) == []
    assert (tmp_path / "pids").stat().st_size == size
