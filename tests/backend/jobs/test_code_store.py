"""Packed code on the server's disk: whole or not there, each person's own, and never more than fits."""

import asyncio
import os
import shutil
import time
from hashlib import sha256

import pytest
from starlette.requests import ClientDisconnect

from backend.jobs import code_store
from backend.jobs.code_store import CodeStore, NoRoom, TooLarge
from backend_client.errors import Invalid
from backend_client.models.code import Code

ANN, BOB = 1, 2
MIB = 2**20


@pytest.fixture
def store(tmp_path):
    return CodeStore(tmp_path / "code", most=4 * MIB, most_of_one=2 * MIB)


def facts(data, **more):
    return Code(sha256=sha256(data).hexdigest(), **more)


async def pieces(*data):
    for piece in data:
        yield piece


async def save(store, person, data, **more):
    code = facts(data, **more)
    await store.save(person, code, pieces(data[:7], data[7:]), len(data))
    return code.sha256


def files(tmp_path):
    return sorted(path for path in (tmp_path / "code").rglob("*") if path.is_file())


def age(tmp_path, sha, seconds):
    (path,) = (tmp_path / "code").rglob(sha)
    os.utime(path, (time.time() - seconds,) * 2)


async def test_what_came_is_kept_for_its_person_alone(store, tmp_path):
    data = b"\x1f\x8b not looked into\n" * 100_000  # of several pieces, with line breaks
    sha = await save(store, ANN, data, files=3, commit="ab" * 20, dirty=True, remote="git@host:x\n")
    found = await store.load(ANN, sha)
    assert found.data == data
    assert found.code == await store.look(ANN, sha)
    assert (found.code.files, found.code.size, found.code.remote) == (3, len(data), "git@host:x\n")
    assert await store.look(BOB, sha) is None
    assert await store.load(BOB, sha) is None
    (path,) = files(tmp_path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (tmp_path / "code").stat().st_mode & 0o777 == 0o700


async def test_the_newest_facts_are_those_of_the_same_bytes(store):
    await save(store, ANN, b"same", dirty=True)
    sha = await save(store, ANN, b"same", commit="cd" * 20)
    code = await store.look(ANN, sha)
    assert (code.dirty, code.commit) == (False, "cd" * 20)


async def test_another_hash_more_bytes_and_a_cut_upload_leave_nothing(store, tmp_path):
    code = facts(b"these bytes")
    with pytest.raises(Invalid):
        await store.save(ANN, code, pieces(b"other bytes"), 100)
    with pytest.raises(TooLarge, match="10 bytes"):
        await store.save(ANN, code, pieces(b"these ", b"bytes"), 10)

    async def cut():
        yield b"x" * (3 * MIB // 2)
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        await store.save(ANN, code, cut(), 2 * MIB)
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang():
        yield b"x" * (3 * MIB // 2)
        begun.set()
        await never.wait()

    task = asyncio.create_task(store.save(ANN, code, hang(), 2 * MIB))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == []
    assert await store.look(ANN, code.sha256) is None
    await save(store, ANN, b"z" * (2 * MIB - 1000))  # nothing is set aside for them any more


async def test_a_file_that_is_not_what_it_was_is_none(store, tmp_path):
    sha = await save(store, ANN, b"some code")
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert await store.load(ANN, sha) is None
    path.write_bytes(b"no json\nx")
    assert await store.look(ANN, sha) is None


async def test_what_was_used_least_lately_makes_room_but_nothing_that_is_young(store, tmp_path):
    old, used = [await save(store, ANN, bytes([number]) * 900_000) for number in range(2)]
    await save(store, BOB, b"b" * 900_000)
    with pytest.raises(NoRoom, match="2Mi of one person"):
        await save(store, ANN, b"n" * 900_000)
    for sha in (old, used):
        age(tmp_path, sha, code_store.YOUNG_SECONDS + 60)
    assert await store.look(ANN, used)
    new = await save(store, ANN, b"n" * 900_000)
    assert [await store.look(ANN, sha) is not None for sha in (old, used, new)] == [False, True, True]
    assert len(files(tmp_path)) == 3  # nothing of BOB's


async def test_all_people_together(store, tmp_path):
    first = [await save(store, person, bytes([person]) * 1_900_000) for person in (ANN, BOB)]
    with pytest.raises(NoRoom, match="4Mi of all people together"):
        await save(store, 3, b"c" * 900_000)
    age(tmp_path, first[0], code_store.YOUNG_SECONDS + 60)
    await save(store, 3, b"c" * 900_000)
    assert await store.look(ANN, first[0]) is None
    assert await store.look(BOB, first[1])


async def test_uploads_under_way_count_and_so_do_many_small_ones(store):
    begun, go_on = asyncio.Event(), asyncio.Event()
    data = b"slow" * 300_000

    async def slow():
        yield data[:10]
        begun.set()
        await go_on.wait()
        yield data[10:]

    task = asyncio.create_task(store.save(ANN, facts(data), slow(), len(data)))
    await begun.wait()
    with pytest.raises(NoRoom):
        await save(store, ANN, b"m" * MIB)
    go_on.set()
    await task
    for number in range(14):  # of 64 KiB each, beside the large one
        await save(store, ANN, b"%d" % number)
    with pytest.raises(NoRoom):
        await save(store, ANN, b"the last")


async def test_a_disk_that_is_nearly_full_keeps_no_code(store, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=code_store.LEFT_FREE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(NoRoom, match="nearly full"):
        await save(store, ANN, b"code")


async def test_what_nobody_used_for_long_goes(store, tmp_path):
    old, kept = await save(store, ANN, b"old"), await save(store, ANN, b"kept")
    age(tmp_path, old, code_store.LIFE_SECONDS + 60)
    age(tmp_path, kept, code_store.LIFE_SECONDS - 60)
    left = tmp_path / "code" / str(ANN) / ".0123456789abcdef"
    left.write_bytes(b"of a process that was killed")
    os.utime(left, (time.time() - code_store.CLEAN_SECONDS - 60,) * 2)
    store._clean()
    assert [path.name for path in files(tmp_path)] == [kept]
