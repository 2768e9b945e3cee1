"""Why a local job waits or has failed: each cause of the table made for real, where a machine allows it."""

import json
import os
import signal
import sys
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from backend_client.local import process_run, state_dir
from backend_client.local.backend import LocalBackend
from backend_client.local.causes import LOCAL_CAUSES, cause_of_failure
from backend_client.local.job_processes import BOOT_MODULE
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState
from backend_client.why import Explanation, Offer
from tests.contract.support.harness import finished, remove_all, until
from tests.support.wait import async_until

PATH = "/no/such/program"
IDS = {kind.id for kind in LOCAL_CAUSES}
ENDS = [
    ("exit 3", {}, "local.exit", "exit 3"),
    ("echo no >&2; exit 1", {}, "local.exit", "exit 1: no"),
    ("kill -SEGV $$", {}, "local.signal", "exit 139 (SIGSEGV)"),
    ("sleep 60", {"max_runtime": 1}, "local.max-runtime", "ran longer than its max_runtime of 1s"),
]


def ids(explanation):
    return [cause.id for cause in explanation.chain]


@pytest.mark.parametrize(("script", "fields", "identity", "sentence"), ENDS)
async def test_how_it_ended(backend, run, script, fields, identity, sentence):
    job = await finished(backend, (await run(script, **fields)).ref)
    found = await backend.explain(job.ref)
    assert (found.sentence, ids(found)) == (sentence, [identity])
    assert found.chain[0].since == job.attempts[-1].finished
    assert found.failure.exit.startswith(sentence.partition(": ")[0])
    assert found.offers == ()


COMMANDS = [
    ((PATH,), "local.program", f"command not found: {PATH}"),
    (("/etc",), "local.not-executable", "cannot run /etc: Permission denied"),
]


@pytest.mark.parametrize(("command", "identity", "sentence"), COMMANDS)
async def test_what_never_started(backend, command, identity, sentence):
    job = await backend.create(JobSpec(command=command), key="k", secrets={})
    await finished(backend, job.ref)
    found = await backend.explain(job.ref)
    assert (found.sentence, ids(found), found.unknown) == (sentence, [identity], ())
    assert found.failure.exit == sentence


async def test_a_workdir_that_is_gone(backend, run, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    holds = await run("sleep 60", name="holds", gpus=2)
    await until(backend, holds.ref, lambda job: job.state == JobState.RUNNING)
    job = await run("true", gpus=1, workdir=str(folder))
    folder.rmdir()
    await backend.stop(holds.ref)
    await finished(backend, job.ref)
    found = await backend.explain(job.ref)
    assert ids(found) == ["local.workdir"]
    assert found.sentence == f"cannot enter its workdir {folder}: No such file or directory"


async def test_what_runs_or_ended_well_needs_no_explanation(backend, run):
    job = await run("echo done")
    await finished(backend, job.ref)
    assert await backend.explain(job.ref) == Explanation()


async def test_who_holds_the_gpus_and_until_when(backend, run):
    holds = await run("sleep 60", name="bert", gpus=1, max_runtime=3600)
    running = await until(backend, holds.ref, lambda job: job.state == JobState.RUNNING)
    job = await run("sleep 60", name="large", gpus=2)
    await until(backend, job.ref, lambda job: job.reason)
    found = await backend.explain(job.ref)
    assert found.sentence == "waits for 2 GPUs; bert holds 1"
    waits, held = found.chain
    assert (waits.id, waits.sentence, waits.object) == (
        "local.slots",
        "waits for 2 GPUs; 1 of 2 free",
        "job/large",
    )
    until_when = datetime.fromtimestamp(running.started.timestamp() + 3600, UTC)
    assert held.sentence == f"bert holds 1 GPU, until {until_when:%H:%M} UTC at the latest"
    assert (held.id, held.object) == ("local.held", "job/bert")
    words = "1 GPU is free: with so many it starts at once, in place of this one"
    assert found.offers == (Offer(id="fewer-gpus", sentence=words, changes={"gpus": "1"}),)
    await backend.stop(job.ref)
    await finished(backend, job.ref)
    less = await run("true", name="less", gpus=int(found.offers[0].changes["gpus"]))
    assert (await finished(backend, less.ref)).state == JobState.SUCCEEDED


async def test_no_job_is_named_that_may_not_be(backend, run):
    holds = await run("sleep 60", name="bert", gpus=1)
    await until(backend, holds.ref, lambda job: job.state == JobState.RUNNING)
    large = await run("sleep 60", name="large", gpus=2)
    await until(backend, large.ref, lambda job: job.reason)
    small = await run("sleep 60", name="small", gpus=1)
    await until(backend, small.ref, lambda job: job.reason)
    for job, sentence in (
        (large, "another job holds 1 GPU"),
        (small, "another job waits before it, for 2 GPUs"),
    ):
        found = await backend.explain_for(job.ref, lambda _: False)
        assert found.chain[-1].sentence == sentence
        shown = repr(found).replace(f"job/{job.name}", "")
        assert "bert" not in shown
        assert "large" not in shown
        assert found.offers == ()


async def test_behind_another(backend, run):
    await run("sleep 60", name="holds", gpus=1)
    large = await run("sleep 60", name="large", gpus=2)
    await until(backend, large.ref, lambda job: job.reason)
    small = await run("sleep 60", name="small", gpus=1)
    await until(backend, small.ref, lambda job: job.reason)
    found = await backend.explain(small.ref)
    assert ids(found) == ["local.slots", "local.behind"]
    assert found.chain[1].sentence == "large waits before it, for 2 GPUs"
    assert (await backend.explain(large.ref)).offers == ()  # the one behind it would be served first


async def test_a_process_that_a_job_has_left(backend, run, tmp_path):
    code = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(60)"
    away = f'setsid {sys.executable} -c "{code}" {tmp_path}/pid {BOOT_MODULE}'
    left = await run(f"{away} & until [ -s {tmp_path}/pid ]; do sleep 0.01; done", name="leaver", gpus=2)
    await finished(backend, left.ref)
    pid = int((tmp_path / "pid").read_text())
    job = await run("true", name="next", gpus=1)
    await until(backend, job.ref, lambda job: job.reason)
    found = await backend.explain(job.ref)
    name = state_dir.Process(pid).name
    assert ids(found) == ["local.slots", "local.left"]
    assert found.chain[1].sentence == f"process {pid} ({name}), left by leaver, holds 2 GPUs"
    assert found.chain[1].object == f"process/{pid}"
    os.kill(pid, signal.SIGKILL)
    await finished(backend, job.ref)


async def test_gpus_of_others_and_gpus_that_are_gone(root, tmp_path):
    devices = [
        {"id": "GPU-a", "product": "NVIDIA H100", "foreign": False},
        {"id": "GPU-b", "product": "NVIDIA H100", "foreign": True},
    ]
    table = tmp_path / "table"
    table.write_text(json.dumps(devices))
    probe = (sys.executable, "-c", f"print(open({str(table)!r}).read())")
    backend = LocalBackend(root.path, grace=1, probe=probe)
    job = await backend.create(JobSpec(name="all", command=("true",), gpus=2), key="k", secrets={})
    await until(backend, job.ref, lambda job: job.reason)
    found = await backend.explain(job.ref)
    assert ids(found) == ["local.slots", "local.foreign"]
    assert found.chain[1].sentence == "a process of another user uses the GPU GPU-b"
    assert [offer.changes for offer in found.offers] == [{"gpus": "1"}]
    table.write_text(json.dumps(devices[:1]))
    found = await backend.explain(job.ref)
    assert (ids(found), found.sentence) == (["local.too-many"], "asks for 2 GPUs; gpu-7 has 1 now")
    assert [offer.changes for offer in found.offers] == [{"gpus": "1"}]
    await remove_all(backend)


async def test_a_supervisor_that_was_killed(backend, run, root):
    job = await run("sleep 60")
    await until(backend, job.ref, lambda job: job.state == JobState.RUNNING)
    record = state_dir.read_json(root.record(job.ref.uid))
    os.kill(record["supervisor"]["pid"], signal.SIGKILL)
    await async_until(lambda: _ended(backend, job.ref))
    found = await backend.explain(job.ref)
    assert (found.sentence, ids(found)) == ("its supervisor was killed", ["local.supervisor-killed"])


async def _ended(backend, ref):
    return (await backend.get(ref)).ended


async def test_a_supervisor_that_was_told_to_end(backend, run, root):
    job = await run("sleep 60")
    await until(backend, job.ref, lambda job: job.state == JobState.RUNNING)
    os.kill(state_dir.read_json(root.record(job.ref.uid))["supervisor"]["pid"], signal.SIGTERM)
    await finished(backend, job.ref)
    assert ids(await backend.explain(job.ref)) == ["local.supervisor-ended"]


async def test_a_deployment_between_two_starts(backend, run):
    job = await run("exit 3", kind="deployment")
    job = await until(backend, job.ref, lambda job: job.next_try)
    found = await backend.explain(job.ref)
    assert ids(found) == ["local.restarts"]
    assert found.chain[0].sentence.startswith("exit 3; it is started again at ")
    assert found.failure.exit == "exit 3"


async def test_a_record_that_cannot_be_read(backend, run, root):
    job = await run("true")
    await finished(backend, job.ref)
    root.record(job.ref.uid).write_text("{")
    assert ids(await backend.explain(job.ref)) == ["local.record"]


def test_what_the_kernel_killed_for_want_of_memory(tmp_path, monkeypatch):
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(process_run, "_VMSTAT", counters)
    assert process_run.out_of_memory_kills() == 0
    counters.write_text("nr_free_pages 12\noom_kill 3\n")
    assert process_run.out_of_memory_kills() == 3
    words = process_run.kills_words(2)
    assert words == "the kernel killed 2 processes of this machine for want of memory while it ran"


FAILED = Job(
    ref=JobRef("local", "gpu-7", "job", "bert", "u"),
    state=JobState.FAILED,
    spec=JobSpec(),
    created=datetime(2026, 11, 24, tzinfo=UTC),
)
KILLED = f"exit 137 (SIGKILL); {process_run.kills_words(1)}"
SENTENCES = [
    (KILLED, Attempt(number=1, pid=7, exit_code=137, signal=9, reason=KILLED), "local.memory"),
    ("its supervisor was killed: the machine was restarted", None, "local.machine-restarted"),
    ("its supervisor failed: OSError(5) (see x)", None, "local.supervisor-failed"),
    ("its command has ended; what it left is being ended: process 1 (x)", None, "local.ending"),
    ("its log is not whole: no space left on device", None, "local.log-not-whole"),
    ("waits for 1 GPU; /home/ann: no space left on device", None, "local.slots-disk"),
    ("waits for its turn in the sweep lrs; behind lrs-1", None, "local.turn"),
    ("finished (exit 0), and a deployment starts again", None, "local.finished-restarts"),
    ("what nobody has ever written", None, ""),
]


@pytest.mark.parametrize(("reason", "attempt", "identity"), SENTENCES)
def test_what_the_supervisor_has_written(reason, attempt, identity):
    job = replace(FAILED, reason=reason, attempts=(attempt,) if attempt else ())
    assert cause_of_failure(job).id == identity


def test_every_cause_of_the_table_is_told_apart():
    assert len(IDS) == len(LOCAL_CAUSES)
    told = {identity for *_, identity in SENTENCES} | {row[2] for row in ENDS} | {row[1] for row in COMMANDS}
    told |= set(
        """local.slots local.held local.behind local.foreign local.left local.too-many local.workdir
        local.supervisor-killed local.supervisor-ended local.restarts local.record""".split()
    )
    assert told - {""} == IDS
