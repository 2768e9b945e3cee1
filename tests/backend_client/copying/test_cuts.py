"""Copies whose line is cut, at any byte, any number of times: equal in the end, and never half."""

import asyncio
import contextlib
import os
import random
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.copying import persistence
from backend_client.copying.checksums import checksum
from backend_client.copying.copy import copy_from_job, copy_to_job
from backend_client.copying.job_files import JobFiles
from backend_client.copying.persistence import Watcher
from backend_client.errors import Conflict, Refused, Unreachable
from backend_client.local.exec_session import Surroundings, open_session
from tests.support.scripted import make_job

SIZE, CUTS = 1_500_001, 30
BYTES = random.Random(7).randbytes(SIZE)


class Cut:
    """A session of this machine that breaks after so many bytes, either way."""

    def __init__(self, session, line):
        self._session, self._line = session, line
        self._broken = False

    def __getattr__(self, name):
        return getattr(self._session, name)

    async def receive(self):
        while True:
            piece = await self._session.receive()
            return piece and (piece[0], self._passed(piece[1]))

    async def send(self, data):
        await self._session.send(self._passed(data))

    def _passed(self, data):
        if self._line.cuts:
            self._line.cuts[0] -= len(data)
            if self._line.cuts[0] < 0:
                self._line.cuts.pop(0)
                self._line.broken += 1
                raise Unreachable("The line was cut.")
        return data


class Line:
    """A backend of one job, this test; its commands are real."""

    def __init__(self, cuts=(), env=None):
        self.cuts = list(cuts)
        self.env = env or {"PATH": os.environ["PATH"]}
        self.broken = 0
        self.said = []

    @contextlib.asynccontextmanager
    async def open_exec(self, query):
        async with open_session(query, Surroundings(self.env, os.getcwd(), os.getpid())) as session:
            yield Cut(session, self)

    def files(self, show=lambda done, total: None, seconds=60.0):
        return JobFiles(self, make_job("box"), 0, Watcher(self.said.append, show, seconds))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(persistence, "FIRST", 0.0)


async def both_ways(folder, cuts):
    """Copy there and back; return the places of both copies."""
    source, here, there = folder / "source", folder / "here", folder / "there"
    source.write_bytes(BYTES)
    line = Line(cuts)
    await copy_from_job(line.files(), str(source), str(here))
    await copy_to_job(line.files(), str(here), str(there))
    assert here.read_bytes() == there.read_bytes() == BYTES
    assert sorted(os.listdir(folder)) == ["here", "source", "there"]
    return line


@settings(max_examples=4)
@given(st.lists(st.integers(0, SIZE), max_size=3))
def test_a_cut_anywhere_goes_on_where_it_was(cuts):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(persistence, "FIRST", 0.0)
        line = asyncio.run(both_ways(Path(folder), cuts))
        assert all(
            "The line broke (the line was cut)" in words for words in line.said if "Going" not in words
        )


async def test_a_copy_that_was_broken_off_goes_on_and_a_new_version_begins_anew(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(BYTES)
    for text in (BYTES, BYTES[::-1]):
        source.write_bytes(text)
        with pytest.raises(Unreachable):
            await copy_from_job(Line([900_000] + [0] * 200).files(seconds=0), str(source), str(target))
    assert len([name for name in os.listdir(tmp_path) if name.endswith(".part")]) == 1
    assert not target.exists()
    line = Line()
    await copy_from_job(line.files(), str(source), str(target))
    assert target.read_bytes() == BYTES[::-1]
    assert "that are here already" in line.said[0]


async def test_a_file_that_changes_meanwhile_is_not_mixed(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(BYTES)

    def change(done, total):
        with source.open("r+b") as file:
            file.write(b"other")

    with pytest.raises(Conflict, match="was changed while it was copied"):
        await copy_from_job(Line().files(change), str(source), str(target))
    assert os.listdir(tmp_path) == ["source"]
    with pytest.raises(Conflict, match="was changed while it was copied"):
        await copy_to_job(Line().files(change), str(source), str(target))
    assert os.listdir(tmp_path) == ["source"]


@pytest.mark.parametrize("tools", ["", "tail wc ls", "dd cksum stat chmod mv wc readlink"])
async def test_an_image_with_few_tools(tmp_path, tools):
    """Without dd an upload begins again; without a checksum the size has to do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    needed = ["sh", "cat", *tools.split()]
    for name in needed if tools else [*needed, "wc", "chmod", "mv"]:
        found = subprocess.run(["sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
        (folder / name).symlink_to(found.stdout.strip())
    source, here = tmp_path / "source", tmp_path / "here"
    source.write_bytes(BYTES)
    line = Line([700_000], {"PATH": str(folder)})
    await copy_from_job(line.files(), str(source), str(here))
    assert here.read_bytes() == BYTES
    if "tail" not in tools:
        await copy_to_job(line.files(), str(here), str(tmp_path / "there"))
        assert (tmp_path / "there").read_bytes() == BYTES
    with pytest.raises(Refused, match="the image has no tar"):
        await copy_from_job(line.files(), str(folder), str(tmp_path / "folder"))
    assert not (tmp_path / "folder").exists()


async def test_many_cuts(tmp_path):
    """Some lie closer together than a block, so that nothing is gained between them. The benchmark: 200."""
    chance = random.Random(3)
    line = await both_ways(tmp_path, [chance.randrange(100_000) for _ in range(CUTS)])
    assert (line.broken, line.cuts) == (CUTS, [])


def test_cksum_is_that_of_posix(tmp_path):
    for size in (0, 1, 255, 256, 70_000):
        (tmp_path / "file").write_bytes(BYTES[:size])
        with (tmp_path / "file").open("rb") as file:
            told = subprocess.run(["cksum"], stdin=file, capture_output=True, text=True, check=True).stdout
            assert checksum(file, "cksum 0") == f"cksum {told.split()[0]}"
