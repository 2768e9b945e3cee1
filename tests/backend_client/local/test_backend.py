"""One job's life on this machine: what it gets, what it leaves, what its end is called."""

import asyncio
import contextlib
import os
import stat
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from backend_client.errors import Invalid, Refused
from backend_client.local import state_dir, supervisor
from backend_client.local.backend import LocalBackend, default_root
from backend_client.models import JobSpec, JobState
from backend_client.models.secret import Secret
from backend_client.protocol import Changed, JobQuery, Scope, Synced
from tests.contract.support.harness import DEADLINE, finished, log_text, until
from tests.support.wait import async_until


def running(job):
    return job.state == JobState.RUNNING


async def look(backend, synced, name, state):
    """When a watcher was told that the job is in this state."""
    async with contextlib.aclosing(backend.watch([Scope()])) as batches:
        async for batch in batches:
            for event in batch:
                if isinstance(event, Synced):
                    synced.set()
                jobs = event.jobs if isinstance(event, Changed) else ()
                if any(job.name == name and job.state == state for job in jobs):
                    return time.time()
    return None


async def test_two_watchers_see_a_change_within_a_third_of_a_second(backend, run, root):
    signs = [asyncio.Event(), asyncio.Event()]
    others = [LocalBackend(root.path), LocalBackend(root.path)]
    looks = [
        asyncio.create_task(look(other, sign, "short", JobState.SUCCEEDED))
        for other, sign in zip(others, signs, strict=True)
    ]
    async with asyncio.timeout(DEADLINE):
        for sign in signs:
            await sign.wait()
        job = await run("sleep 0.2", name="short")
        seen = await asyncio.gather(*looks)
    ended = (await backend.get(job.ref)).finished.timestamp()
    assert all(when - ended < 0.3 for when in seen)


async def test_secrets_stay_off_the_disk_and_out_of_argv(backend, root):
    spec = JobSpec(command=("sh", "-c", "test -n $TOKEN; sleep 60"), secrets=("TOKEN",))
    job = await backend.create(spec, key="k", secrets={"TOKEN": Secret("s3cr3t-value")})
    await until(backend, job.ref, running)
    record = state_dir.read_json(root.record(job.ref.uid))
    for path in root.path.rglob("*"):
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes()
    supervisor = record["supervisor"]["pid"]
    assert b"s3cr3t" not in Path(f"/proc/{supervisor}/environ").read_bytes()
    for pid in (supervisor, record["group"]["pid"]):
        assert b"s3cr3t" not in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_nobody_else_can_look_in(root, run, backend, umask):
    before = os.umask(umask)
    try:
        job = await run("echo hello; umask", gpus=1)
        await finished(backend, job.ref)
    finally:
        os.umask(before)
    assert await log_text(backend, job.ref) == b"hello\n%04o\n" % umask
    for path in [root.path, *root.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


async def test_the_environment(backend, run, monkeypatch, tmp_path):
    monkeypatch.setenv("MINE", "yes")
    monkeypatch.setenv("TRAINDECK_TOKEN", "no")
    monkeypatch.chdir(tmp_path)
    job = await run('echo "$MINE <$TRAINDECK_TOKEN> $PYTHONUNBUFFERED $PWD"')
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == f"yes <> 1 {tmp_path}\n".encode()
    assert job.spec.workdir == str(tmp_path)
    job = await run('echo "$PYTHONUNBUFFERED $MINE"', env={"PYTHONUNBUFFERED": "", "MINE": "spec"})
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b" spec\n"


@pytest.mark.parametrize("workdir", ["sub", "~/sub", "{home}/sub", "./x/../sub/"])
async def test_workdir(backend, run, monkeypatch, tmp_path, workdir):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    job = await run("pwd", workdir=workdir.format(home=tmp_path))
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == f"{tmp_path}/sub\n".encode()


async def test_outputs_are_a_folder_here_relative_to_the_workdir(backend, run, tmp_path):
    job = await run('printf 1 > "$TRAINDECK_OUTPUT_DIR/a"', workdir=str(tmp_path), outputs="runs/mine")
    await finished(backend, job.ref)
    folder = Path(job.outputs.path)
    assert folder.parent == tmp_path / "runs" / "mine"
    assert (folder / "a").read_text() == "1"
    assert [file.name for file in (await backend.output_files(job.ref)).files] == ["a"]
    async for _ in backend.delete(job.ref):
        pass
    assert (folder / "a").read_text() == "1"


@pytest.mark.parametrize(
    ("outputs", "words"),
    [("results:/outputs", "mounts nothing"), ("/dev/null/x", "/dev/null is no folder")],
)
async def test_where_no_outputs_can_be_is_said_at_the_field(backend, outputs, words):
    spec = JobSpec(command=("true",), outputs=outputs)
    (error,) = (await backend.plan(spec)).errors
    assert error.field == "outputs"
    assert words in error.message
    with pytest.raises(Invalid, match=words):
        await backend.create(spec, key="k", secrets={})


async def test_a_missing_workdir_is_wrong(run):
    with pytest.raises(Invalid) as caught:
        await run("true", workdir="/no/such/folder")
    assert list(caught.value.fields) == ["workdir"]


ENDS = {
    "exit 0": (JobState.SUCCEEDED, 0, None, ""),
    "exit 3": (JobState.FAILED, 3, None, "exit 3"),
    "kill -9 $$": (JobState.FAILED, 137, 9, "exit 137 (SIGKILL)"),
    "kill -SEGV $$": (JobState.FAILED, 139, 11, "exit 139 (SIGSEGV)"),
    "echo a >&2; echo '\x1b[31mb\x07c\x1b[0m' >&2; echo out; exit 1": (
        JobState.FAILED,
        1,
        None,
        "exit 1: bc",
    ),
    "printf 'Traceback\\n  File x\\nValueError: no\\n' >&2; exit 1": (
        JobState.FAILED,
        1,
        None,
        "exit 1: ValueError: no",
    ),
    "printf ' 10%%|#\\r 20%%|##\\r' >&2; exit 1": (JobState.FAILED, 1, None, "exit 1: 20%|##"),
    "head -c 900 /dev/zero | tr '\\0' x >&2; exit 1": (
        JobState.FAILED,
        1,
        None,
        "exit 1: " + "x" * 199 + "\u2026",
    ),
}


@pytest.mark.parametrize("script", ENDS)
async def test_what_an_end_is_called(backend, run, script):
    done = await finished(backend, (await run(script, name="job")).ref)
    attempt = done.attempts[-1]
    assert (done.state, attempt.exit_code, attempt.signal, done.reason) == ENDS[script]


async def test_a_command_that_cannot_start(backend, tmp_path):
    (tmp_path / "plain").write_text("text")
    for code, program, words in (
        (127, "no-such-program", "command not found: no-such-program"),
        (126, f"{tmp_path}/plain", f"cannot run {tmp_path}/plain: Permission denied"),
    ):
        job = await backend.create(JobSpec(command=(program,)), key=program, secrets={})
        done = await finished(backend, job.ref)
        assert (done.state, done.exit_code, done.reason) == (JobState.FAILED, code, words)


async def test_what_the_first_process_leaves_is_ended(backend, run, tmp_path):
    job = await run(f"(trap 'echo ended > {tmp_path}/mark; exit' TERM; sleep 60 & wait) & sleep 0.2")
    assert (await finished(backend, job.ref)).state == JobState.SUCCEEDED
    assert (tmp_path / "mark").read_text() == "ended\n"


async def test_stop_kills_what_does_not_listen(backend, run):
    job = await run("trap '' TERM; echo up; while :; do sleep 0.05; done")
    await async_until(lambda: log_text(backend, job.ref), DEADLINE)
    await backend.stop(job.ref)
    await until(backend, job.ref, lambda job: job.state == JobState.STOPPING)
    done = await finished(backend, job.ref)
    assert (done.state, done.exit_code, done.reason) == (JobState.STOPPED, 137, f"stopped by {job.owner}")


async def test_only_the_last_attempts_are_kept(backend, run, root):
    job = await run("sleep 60")
    await until(backend, job.ref, running)  # from here on its own supervisor writes no log of an attempt
    made = supervisor.Supervisor.__new__(supervisor.Supervisor)
    made.root, made.uid, made.record = root, job.ref.uid, {"attempts": [], "started": None}
    for number in range(1, 15):
        made._new_entry()
        state_dir.write_json(root.log(job.ref.uid) / f"{number}.0", "")
    assert [entry["number"] for entry in made.record["attempts"]] == list(range(5, 15))
    kept = sorted(int(path.name[:-2]) for path in root.log(job.ref.uid).iterdir())
    assert kept == list(range(5, 15))


async def test_an_unreadable_record_is_unknown_and_can_be_deleted(backend, run, root):
    job = await run("true")
    await finished(backend, job.ref)
    root.record(job.ref.uid).write_text("{ torn")
    seen = (await backend.list(JobQuery())).items[0]
    assert seen.state == JobState.UNKNOWN
    assert "cannot be read" in seen.reason
    assert [step async for step in backend.delete(seen.ref)]
    assert (await backend.list(JobQuery())).items == ()


async def test_delete_leaves_nothing(backend, run, root):
    job = await run("echo hello; sleep 60", gpus=1)
    await until(backend, job.ref, running)
    assert [step async for step in backend.delete(job.ref)]
    assert not list(root.path.rglob(f"*{job.ref.uid}*"))


async def test_the_question_is_asked_once(backend, run):
    spec = JobSpec(command=("true",))
    assert "gpu-7" in (await backend.plan(spec)).question
    await finished(backend, (await run("true")).ref)
    assert (await backend.plan(replace(spec, name="again"))).question == ""


def test_where_the_state_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "traindeck" / "local" / os.uname().nodename
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # the specification says to ignore it
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / ".local/state/traindeck/local" / os.uname().nodename


async def test_what_the_disk_refuses_is_said_in_words(tmp_path, backend, root):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="This machine does not let us"):
        LocalBackend(tmp_path / "file" / "gpu-7")
    root.queue.rmdir()
    root.queue.write_text("")
    with pytest.raises(Refused, match=r"This machine does not let us: .*queue"):
        await backend.create(JobSpec(command=("true",), gpus=1), key="k", secrets={})
    assert (await backend.list(JobQuery())).items == ()
