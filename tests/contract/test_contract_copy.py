"""What every backend that runs commands in jobs promises of copies: equal, whole or not there."""

import os
import random

import pytest

from backend_client.copying.copy import copy_from_job, copy_to_job
from backend_client.copying.job_files import JobFiles
from backend_client.copying.persistence import Watcher
from backend_client.errors import Conflict, NotFound, Refused
from backend_client.models import JobState
from backend_client.protocol import Feature
from tests.contract.support.harness import needs, until

SIZES = {"empty": 0, "one": 1, "random": 5_000_001}


class Copies:
    """The files of a job that runs, whose folder is here too, and what was said and shown."""

    def __init__(self, backend, job, folder):
        self.said, self.shown = [], []
        self.there, self.here = folder / "there", folder / "here"
        for made in (self.there, self.here):
            made.mkdir()
        watcher = Watcher(self.said.append, lambda done, total: self.shown.append((done, total)))
        self.files = JobFiles(backend, job, 0, watcher)

    async def down(self, path, local):
        return await copy_from_job(self.files, str(path), str(local))

    async def up(self, local, path):
        return await copy_to_job(self.files, str(local), str(path))

    def leftovers(self):
        return [name for place in (self.here, self.there) for name in os.listdir(place) if "part" in name]


@pytest.fixture
async def copies(harness, backend, tmp_path):
    needs(backend, Feature.EXEC)
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    return Copies(backend, await until(backend, job.ref, lambda job: job.state is JobState.RUNNING), tmp_path)


async def test_files_are_equal_and_keep_their_permissions(copies):
    for name, size in SIZES.items():
        source = copies.there / name
        source.write_bytes(random.Random(size).randbytes(size))
        source.chmod(0o755 if name == "one" else 0o640)
        assert await copies.down(source, copies.here) == []
        assert await copies.up(copies.here / name, copies.there / f"{name}-2") == []
        for copy in (copies.here / name, copies.there / f"{name}-2"):
            assert copy.read_bytes() == source.read_bytes()
            assert copy.stat().st_mode & 0o711 == source.stat().st_mode & 0o711
    assert (5_000_001, 5_000_001) in copies.shown
    assert copies.said == []
    assert copies.leftovers() == []


async def test_what_is_there_is_replaced(copies):
    source, target = copies.there / "a b'\n;$x", copies.here / "b"
    for text in ("first", "second, and longer", "3"):
        source.write_text(text)
        await copies.down(source, target)
        assert target.read_text() == text
        await copies.up(target, copies.there / "c")
        assert (copies.there / "c").read_text() == text


async def test_folders_keep_what_is_inside(copies):
    tree = copies.there / "tree"
    (tree / "sub" / "empty").mkdir(parents=True)
    (tree / "sub" / "run").write_bytes(os.urandom(100_000))
    (tree / "sub" / "run").chmod(0o755)
    (tree / "ä").write_text("x")
    (tree / "link").symlink_to("sub/run")
    (tree / "out").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    told = await copies.down(tree, copies.here)
    assert any("out: " in line for line in told)
    back = await copies.up(copies.here / "tree", copies.there / "back")
    assert back == []
    for copy in (copies.here / "tree", copies.there / "back"):
        assert sorted(os.listdir(copy)) == ["link", "sub", "ä"], told
        assert os.readlink(copy / "link") == "sub/run"
        assert (copy / "sub" / "run").read_bytes() == (tree / "sub" / "run").read_bytes()
        assert os.access(copy / "sub" / "run", os.X_OK)
        assert (copy / "sub" / "empty").is_dir()
    with pytest.raises(Conflict, match="there already"):
        await copies.down(tree, copies.here)
    await copies.up(copies.here / "tree", copies.there / "back")
    with pytest.raises(Conflict, match="is a folder"):
        await copies.up(copies.here / "tree", copies.there / "back")
    assert copies.leftovers() == []


async def test_what_cannot_be_copied_says_why(copies):
    (copies.here / "a").write_text("a")
    with pytest.raises(NotFound, match="There is no /no/such in"):
        await copies.down("/no/such", copies.here)
    with pytest.raises(NotFound, match="There is no folder"):
        await copies.down("/etc/passwd", f"{copies.here}/none/")
    with pytest.raises(NotFound, match="There is no /no in"):
        await copies.up(copies.here / "a", "/no/such")
    with pytest.raises(NotFound, match="here"):
        await copies.up(copies.here / "b", "/tmp")
    with pytest.raises(Refused, match="neither a file nor a folder"):
        await copies.down("/dev/null", copies.here / "null")
    with pytest.raises(Refused, match="cannot be written"):
        await copies.up(copies.here / "a", "/proc/a")
    assert copies.leftovers() == []
    assert sorted(os.listdir(copies.here)) == ["a"]
