"""A disk that is full, or takes nothing for another reason: said at once, and what is true stays true."""

import asyncio
import errno
import os
import resource
import signal

import pytest

from backend_client.disk_errors import cannot_write
from backend_client.errors import Refused
from backend_client.local import state_dir
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec, JobState
from backend_client.protocol import JobQuery, LogQuery, Scope
from tests.backend_client.local.test_crashes import record, running
from tests.contract.support.harness import finished, log_text, remove_all, until
from tests.support.disk import small_disk

FILL = "head -c 2000000 /dev/zero | tr '\\0' x; echo; echo after; exit 3"
FULL = r"cannot be written: the disk is full \(No space left on device\)\."


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 400) as made:
        yield made


@pytest.fixture
async def full(disk):
    backend = LocalBackend(disk.path / "local" / "gpu-7", gpus=2, grace=1.0)
    yield backend
    disk.make_room()
    await remove_all(backend)


async def make(backend, script, name, **fields):
    spec = JobSpec(command=("sh", "-c", script), name=name, workdir="/", **fields)
    return await asyncio.wait_for(backend.create(spec, key=name, secrets={}), 60)


def root(backend):
    return backend._store.root


async def test_a_job_whose_log_fills_the_disk_keeps_its_name_and_its_exit_code(full):
    keep = await make(full, "sleep 300", "keep")
    await until(full, keep.ref, running)
    filler = await make(full, FILL, "filler")
    done = await finished(full, filler.ref)
    assert (done.state, done.attempts[-1].exit_code) == (JobState.FAILED, 3)
    assert "its log is not whole: the disk is full (No space left on device)" in done.reason
    assert (await full.get(keep.ref)).state == JobState.RUNNING
    stored = record(root(full), filler)
    assert (stored["name"], stored["finished"] is not None) == ("filler", True)


async def test_every_verb_answers_at_once_on_a_full_disk(full, disk):
    keep = await make(full, "sleep 300", "keep", gpus=1)
    dies = await make(full, "sleep 300", "dies")
    await until(full, keep.ref, running)
    await until(full, dies.ref, running)
    disk.fill()
    os.kill(record(root(full), dies)["supervisor"]["pid"], signal.SIGKILL)
    assert (await finished(full, dies.ref)).reason == "its supervisor was killed"
    for name in ("d2", "d3"):
        with pytest.raises(Refused, match=FULL) as caught:
            await make(full, "true", name)
        assert str(disk.path) in caught.value.title
        assert "df -h" in caught.value.hint
    assert {job.name: job.ended for job in (await full.list(JobQuery())).items} == {
        "keep": False,
        "dies": True,
    }
    assert (await full.capacity(Scope())).free == 1
    assert (await full.plan(JobSpec(command=("true",)))).name
    await full.stop(keep.ref)
    done = await finished(full, keep.ref)
    assert (done.state, done.reason) == (JobState.STOPPED, f"stopped by {done.owner}")
    async for _ in full.delete(keep.ref):
        pass
    disk.make_room()
    assert (await finished(full, (await make(full, "true", "d2")).ref)).state == JobState.SUCCEEDED


async def test_a_job_that_ends_on_a_full_disk_says_how(full, disk, tmp_path):
    job = await make(full, f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo bye; exit 7", "ends")
    await until(full, job.ref, running)
    disk.fill()
    (tmp_path / "go").touch()
    done = await finished(full, job.ref)
    assert (done.state, done.attempts[-1].exit_code) == (JobState.FAILED, 7)


async def test_the_end_is_told_when_there_is_room_again_where_none_was_set_aside(
    full, disk, tmp_path, monkeypatch
):
    job = await make(full, f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 7", "ends")
    await until(full, job.ref, running)
    state_dir.drop_spare(root(full).record(job.ref.uid))
    disk.fill()
    (tmp_path / "go").touch()
    before = root(full).record(job.ref.uid).read_bytes()
    await asyncio.sleep(0.5)
    assert root(full).record(job.ref.uid).read_bytes() == before  # not half a file either
    disk.make_room()
    done = await finished(full, job.ref)
    assert done.attempts[-1].exit_code == 7


async def test_the_log_says_which_lines_are_missing(full, disk, tmp_path):
    some = FILL.partition(";")[0].replace(
        "2000000", "100000"
    )  # what is still in the pipe then must find room
    script = f"echo one; until [ -e {tmp_path}/go ]; do sleep 0.05; done; {some}; echo; "
    script += f"until [ -e {tmp_path}/on ]; do sleep 0.05; done; echo last"
    job = await make(full, script, "loses")
    await until(full, job.ref, running)
    disk.fill()
    (tmp_path / "go").touch()
    await until(full, job.ref, lambda job: "its log is not whole" in job.reason)
    disk.make_room()
    (tmp_path / "on").touch()
    await finished(full, job.ref)
    gaps = [
        item.why async for items in full.logs(LogQuery(ref=job.ref)) for item in items if hasattr(item, "why")
    ]
    assert any("lines are missing here: the disk is full" in why for why in gaps)
    assert (await log_text(full, job.ref)).endswith(b"last\n")


async def test_no_folder_can_be_made_on_a_full_disk(disk):
    for number in range(2000):  # a tmpfs gives out inodes, and says the same
        try:
            (disk.path / f"{number}").touch()
        except OSError:
            break
    else:
        disk.fill()
        disk.read_only(True)
    with pytest.raises(Refused, match=r"cannot be written: the (disk is full|file system is read-only)"):
        LocalBackend(disk.path / "local" / "gpu-7")


async def test_a_read_only_disk_shows_its_jobs_and_takes_no_new_ones(full, disk):
    job = await make(full, "exit 4", "was")
    await finished(full, job.ref)
    await until_quiet(full, job)
    disk.read_only(True)
    try:
        backend = LocalBackend(root(full).path, gpus=2)
        assert [job.name for job in (await backend.list(JobQuery())).items] == ["was"]
        assert await log_text(backend, job.ref) == b""
        with pytest.raises(Refused, match="the file system is read-only"):
            await make(backend, "true", "next")
        with pytest.raises(Refused, match="the file system is read-only"):
            async for _ in backend.delete(job.ref):
                pass
    finally:
        disk.read_only(False)


async def until_quiet(backend, job):
    """Until no process of the job has a file of it open."""
    while root(backend).alive(job.ref.uid):
        await asyncio.sleep(0.02)


def test_a_lock_that_somebody_holds_is_said_and_not_waited_for(tmp_path):
    folder = state_dir.StateDir(tmp_path / "host")
    folder.create()
    with folder.locked(), pytest.raises(TimeoutError, match="has held this lock"), folder.locked(0.05):
        pass


def test_a_file_that_cannot_be_replaced_stays(tmp_path):
    with small_disk(tmp_path / "disk", 40) as disk:
        path = disk.path / "job.json"
        state_dir.write_json(path, {"good": 1})
        other = disk.path / "other.json"
        state_dir.keep_spare(path)
        disk.fill()
        with pytest.raises(OSError, match="No space left") as caught:
            state_dir.write_json(other, {"new": 1})
        assert caught.value.filename
        assert not other.exists()
        for length in (100, 3000, 10, 3000):
            state_dir.write_json(path, {"new": "x" * length})
            assert state_dir.read_json(path) == {"new": "x" * length}
        with pytest.raises(OSError, match="No space left"):  # what it exchanges must hold the next one
            state_dir.write_json(path, {"new": "x" * 3500})
        assert state_dir.read_json(path) == {"new": "x" * 3000}
        state_dir.write_json(path, {"last": "x" * 3500}, spend_spare=True)
        assert state_dir.read_json(path) == {"last": "x" * 3500}
        names = {entry.name for entry in disk.path.iterdir()}
        assert names - {".job.json.spare"} == {"filler", "job.json"}


def test_a_file_larger_than_the_shell_allows(tmp_path):
    path = tmp_path / "job.json"
    state_dir.write_json(path, {"good": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            state_dir.write_json(path, {"new": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert state_dir.read_json(path) == {"good": 1}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full (No space left on device)"),
        (errno.EDQUOT, "your disk quota is used up (Disk quota exceeded)"),
        (errno.EROFS, "the file system is read-only (Read-only file system)"),
        (errno.EIO, "the disk fails (Input/output error)"),
        (errno.EACCES, "permission denied"),
    ],
)
def test_faults_in_words(tmp_path, number, words):
    error = cannot_write(OSError(number, os.strerror(number)), tmp_path / "file")
    assert error.title == f"{tmp_path}/file cannot be written: {words}."
    assert (str(tmp_path) in error.hint) == (number == errno.ENOSPC)
