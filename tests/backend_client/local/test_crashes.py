"""Dead is dead: whatever is killed, no job stays Running that is not, and none is started twice."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backend_client.local import launch, state_dir, store
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec, JobState
from backend_client.protocol import JobQuery
from tests.contract.support.harness import DEADLINE, finished, until
from tests.support.wait import async_until


def running(job):
    return job.state == JobState.RUNNING


def record(root, job):
    return state_dir.read_json(root.record(job.ref.uid))


def lives(pid):
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


async def gone(*pids):
    await async_until(lambda: not any(lives(pid) for pid in pids), DEADLINE)


async def written(path):
    """The numbers in a file, once it is there."""
    await async_until(lambda: path.exists() and path.read_text().endswith("\n"), DEADLINE)
    return [int(word) for word in path.read_text().split()]


async def test_a_killed_supervisor_takes_its_job_along(backend, run, root, tmp_path):
    script = f"trap '' TERM; sleep 60 & echo $$ $! > {tmp_path}/pids; wait; sleep 60"
    job = await run(script)
    pids = await written(tmp_path / "pids")
    await until(backend, job.ref, running)
    seen = asyncio.create_task(finished(backend, job.ref))
    os.kill(record(root, job)["supervisor"]["pid"], signal.SIGKILL)
    done = await seen
    assert (done.state, done.reason) == (JobState.FAILED, "its supervisor was killed")
    assert done.attempts[-1].finished
    await gone(*pids)


async def test_all_killed_at_once(backend, run, root):
    job = await run("sleep 60 & wait")
    await until(backend, job.ref, running)
    os.kill(record(root, job)["supervisor"]["pid"], signal.SIGKILL)
    os.kill(record(root, job)["group"]["pid"], signal.SIGKILL)
    assert (await finished(backend, job.ref)).state == JobState.FAILED
    assert [job.state for job in (await LocalBackend(root.path).list(JobQuery())).items] == [JobState.FAILED]


async def test_a_queued_job_whose_supervisor_is_killed_leaves_the_line(backend, run, root):
    holds = await run("sleep 60", gpus=2)
    first, second = await run("sleep 61", gpus=2), await run("sleep 62", gpus=1)
    await until(backend, second.ref, lambda job: "behind sleep" in job.reason)
    os.kill(record(root, first)["supervisor"]["pid"], signal.SIGKILL)
    await until(backend, second.ref, lambda job: job.reason == f"waits for 1 GPU; {holds.name} holds 2")
    assert (await backend.get(first.ref)).reason == "its supervisor was killed"


async def test_a_reboot(backend, run, root):
    job = await run("sleep 60")
    await until(backend, job.ref, running)
    before = record(root, job)
    os.kill(before["supervisor"]["pid"], signal.SIGKILL)
    await async_until(lambda: not root.alive(job.ref.uid), DEADLINE)
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    for who in ("supervisor", "group"):  # as another start of this machine wrote it; the pid is another's now
        before[who] = {
            "pid": bystander.pid,
            "start": state_dir.Process(bystander.pid).start,
            "boot": "an earlier one",
        }
    state_dir.write_json(root.record(job.ref.uid), {**before, "finished": None, "state": "Running"})
    done = await LocalBackend(root.path).get(job.ref)
    assert (done.state, done.reason) == (
        JobState.FAILED,
        "its supervisor was killed: the machine was restarted",
    )
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


async def test_a_number_given_to_another_process_is_left_alone():
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    who = state_dir.identity(bystander.pid)
    store.send_signal({**who, "start": who["start"] - 1}, signal.SIGKILL)
    assert bystander.poll() is None
    store.send_signal(who, signal.SIGTERM)
    assert bystander.wait(DEADLINE) == -signal.SIGTERM


async def test_a_supervisor_told_to_end_ends_its_job_in_order(backend, run, root):
    job = await run("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    await until(backend, job.ref, running)
    os.kill(record(root, job)["supervisor"]["pid"], signal.SIGTERM)
    done = await finished(backend, job.ref)
    assert (done.state, done.reason) == (JobState.FAILED, "its supervisor was told to end")


async def test_orders_cut_short_make_no_job(root):
    root.create()
    made = store.JobStore(root.path)
    live = launch._claim(
        made, "cut", "k", JobSpec(name="cut", command=("true",), workdir="/"), {"owner": "me"}
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        launch._BOOT,
        launch.PACKAGES,
        str(root.path),
        "cut",
        str(live),
    ]
    subprocess.run(command, input=b'{"env": {', pass_fds=[live], capture_output=True, check=False)
    os.close(live)
    await async_until(lambda: not root.alive("cut"), DEADLINE)
    assert made.job("cut") is None
    assert made.is_unaccepted("cut")
    assert made.names() == set()  # what nobody has accepted holds no name
    orders = {"env": {}, "slots": [], "probe": [], "grace": 1, "log_cap": 2**20, "limit": ""}
    uid = launch.create(
        made, JobSpec(name="cut", command=("true",), workdir="/"), key="k", launch_config=orders
    )
    assert made.uids() == [uid]
    assert [path.name for path in root.live.iterdir()] == [uid]


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.01, 0.02, 0.03])
async def test_a_client_killed_at_any_moment(backend, root, tmp_path, delay):
    code = f"""
import asyncio, pathlib
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
spec = JobSpec(name="once", command=("sh", "-c", "echo ran >> {tmp_path}/ran"), workdir="/")
backend = LocalBackend(pathlib.Path({str(root.path)!r}))
print("up", flush=True)
asyncio.run(backend.create(spec, key="k", secrets={{}}))
"""
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    client.stdout.readline()
    await asyncio.sleep(delay)  # any moment: that they differ is the point
    client.kill()
    client.communicate()
    spec = JobSpec(name="once", command=("sh", "-c", f"echo ran >> {tmp_path}/ran"), workdir="/")
    job = await backend.create(spec, key="k", secrets={})
    assert (await finished(backend, job.ref)).state == JobState.SUCCEEDED
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert len((await backend.list(JobQuery())).items) == 1


async def test_the_job_outlives_its_client(backend, root):
    code = f"""
import asyncio, os, pathlib, signal
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
backend = LocalBackend(pathlib.Path({str(root.path)!r}))
asyncio.run(backend.create(JobSpec(name="on", command=("sleep", "60")), key="k", secrets={{}}))
os.killpg(0, signal.SIGKILL)
"""
    client = subprocess.run([sys.executable, "-c", code], start_new_session=True, check=False)
    assert client.returncode == -signal.SIGKILL
    job = (await backend.list(JobQuery())).items[0]
    await until(backend, job.ref, running)
    supervisor = record(root, job)["supervisor"]["pid"]
    assert os.getsid(supervisor) == supervisor


async def test_another_hosts_jobs_are_shown_and_left_alone(backend, run, root):
    other = LocalBackend(root.path.with_name("gpu-8"))
    job = await other.create(JobSpec(name="theirs", command=("sleep", "60")), key="k", secrets={})
    theirs = other._store.root
    os.kill(state_dir.read_json(theirs.record(job.ref.uid))["supervisor"]["pid"], signal.SIGKILL)
    seen = (await backend.list(JobQuery())).items[0]
    assert (seen.ref.namespace, seen.read_only) == ("gpu-8", "runs on gpu-8; log in there to act on it")
    assert not seen.ended
    with pytest.raises(Exception, match="log in there"):
        await backend.stop(seen.ref)
    assert state_dir.read_json(theirs.record(job.ref.uid)).get("finished") is None
    assert (await finished(other, job.ref)).reason == "its supervisor was killed"
