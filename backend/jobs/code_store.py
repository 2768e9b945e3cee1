"""Packed code that people have sent, in the server's folder: each person's own, and never more than fits.

It is kept so that the same folder is sent once, and so that the code of a deleted job can run again. A job
itself needs it only while it is made: its cluster has a copy. So what was not used for long goes, and what
was used least lately makes room. Nobody learns of anybody else's.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from backend_client.code_bundle import Bundle, digest
from backend_client.disk_errors import disk_words
from backend_client.errors import Invalid, Refused
from backend_client.models.code import Code
from backend_client.text.figures import bytes_text

LIFE_SECONDS = 7 * 86400.0
"""How long packed code is kept unused."""
CLEAN_SECONDS = 3600.0
"""How often it is looked for what goes, and how old an upload is that nobody finishes any more."""
YOUNG_SECONDS = 600.0
"""So long nothing makes room for another: a create may be about to name it."""
LEAST_CHARGED = 2**16
"""Bytes that the smallest counts as: many small files fill a disk too."""
LEFT_FREE = 2**28
"""Bytes of the disk that are left for the database beside it."""
_PIECE = 2**20
"""Bytes that are written at once."""
_NAME = re.compile(r"[0-9a-f]{64}")
_FACTS = msgspec.json.Decoder(Code)


class NoRoom(Refused):
    """No more code can be kept (507)."""


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoom(
            f"The server cannot keep the code: {disk_words(error)}.", "Its admin can say more."
        ) from None


class TooLarge(Refused):
    """More bytes than one packed folder may have (413)."""


class _File(Struct, frozen=True, order=True):
    used: float
    path: Path
    person: int
    size: int


class CodeStore:
    """The packed code of all people. One file each: a line of JSON, what is recorded of it; the archive."""

    def __init__(self, folder: Path, *, most: int, most_of_one: int) -> None:
        """`most`, `most_of_one`: bytes of all people together, and of one person."""
        self._folder = folder
        self._most, self._most_of_one = most, most_of_one
        self._coming: Counter[int] = Counter()
        """Person -> bytes that may yet come, of uploads under way."""
        self._making_room = asyncio.Lock()

    async def look(self, person: int, sha: str) -> Code | None:
        """Return what is recorded of a person's code, and note that it is used; None where it is not kept."""
        return await asyncio.to_thread(self._look, self._path(person, sha))

    async def load(self, person: int, sha: str) -> Bundle | None:
        """Return a person's code; None where it is not kept, or not what it was."""
        return await asyncio.to_thread(self._load, self._path(person, sha))

    async def save(self, person: int, code: Code, body: AsyncIterator[bytes], size: int) -> None:
        """Keep code that comes in pieces, of `size` bytes at most, under its hash; nothing where that fails.

        Raises TooLarge; Invalid for another hash; NoRoom. What was kept under the hash before is replaced.
        """
        self._coming[person] += size
        try:
            await self._make_room(person, size)
            await self._receive(self._path(person, code.sha256), code, body, size)
        finally:
            self._coming[person] -= size

    async def clean_forever(self) -> None:
        """Remove for ever what was not used for long, and uploads that an earlier process left."""
        while True:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._clean)
            await asyncio.sleep(CLEAN_SECONDS)

    async def _receive(self, path: Path, code: Code, body: AsyncIterator[bytes], size: int) -> None:
        part = path.with_name(f".{secrets.token_hex(8)}")
        _create(part)
        try:
            found = await _write(part, _head(code), body, size)
            _check_hash(found, code.sha256)
            _move(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    async def _make_room(self, person: int, size: int) -> None:
        """Remove what was used least lately, first of the person, until so many bytes more fit."""
        async with self._making_room:
            await asyncio.to_thread(self._evict, person)
            if shutil.disk_usage(self._folder).free < size + LEFT_FREE:
                raise NoRoom("The disk of this server is nearly full.", "Its admin can make room.")

    @_disk_errors()
    def _evict(self, person: int) -> None:
        _make_folder(self._folder)
        files = [*self._files()]
        own = [file for file in files if file.person == person]
        others = [file for file in files if file.person != person]
        own = _fit(own, self._coming[person], self._most_of_one, "one person")
        _fit([*own, *others], self._coming.total(), self._most, "all people together")

    def _files(self) -> Iterator[_File]:
        for folder in self._folder.iterdir():
            for path in folder.iterdir() if folder.name.isdecimal() else ():
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    if _NAME.fullmatch(path.name):
                        charged = max(found.st_size, LEAST_CHARGED)
                        yield _File(found.st_mtime, path, int(folder.name), charged)

    def _clean(self) -> None:
        now = time.time()
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            for path in folder.iterdir() if folder.name.isdecimal() else ():
                life = LIFE_SECONDS if _NAME.fullmatch(path.name) else CLEAN_SECONDS
                with contextlib.suppress(FileNotFoundError):
                    if now - path.stat().st_mtime > life:
                        path.unlink()

    def _path(self, person: int, sha: str) -> Path:
        return self._folder / str(person) / sha

    def _look(self, path: Path) -> Code | None:
        with contextlib.suppress(OSError, msgspec.DecodeError), path.open("rb") as file:
            head = file.readline()
            os.utime(file.fileno())
            return replace(_FACTS.decode(head), size=os.fstat(file.fileno()).st_size - len(head))
        return None

    def _load(self, path: Path) -> Bundle | None:
        code = self._look(path)
        with contextlib.suppress(OSError):
            data = path.read_bytes().partition(b"\n")[2] if code else b""
            if code and digest(data) == path.name:
                return Bundle(code, data)
        return None


def too_large(limit: int) -> TooLarge:
    """Return the error for packed code of more than `limit` bytes."""
    return TooLarge(
        f"The packed code has more than {bytes_text(limit)} ({limit:,} bytes), the most that goes along.",
        "Leave files out in .traindeckignore, or put them on a volume.",
    )


def _head(code: Code) -> bytes:
    """Return the first line of a file. The size is that of what comes."""
    return msgspec.json.encode(replace(code, size=0)) + b"\n"


def _fit(files: list[_File], coming: int, most: int, whose: str) -> list[_File]:
    """Remove what was used least lately, unless it is young, until the rest fits; return it.

    Raises NoRoom, and removes nothing, where that is not enough.
    """
    total, before = sum(file.size for file in files) + coming, time.time() - YOUNG_SECONDS
    old, rest = [], []
    for file in sorted(files):
        if total > most and file.used < before:
            old.append(file)
            total -= file.size
        else:
            rest.append(file)
    if total > most:
        raise NoRoom(
            f"There is no room for more code: this server keeps {bytes_text(most)} of {whose}.",
            f"Try again in {YOUNG_SECONDS / 60:g} minutes: then what was sent last can go.",
        )
    for file in old:
        file.path.unlink(missing_ok=True)
    return rest


@_disk_errors()
def _create(path: Path) -> None:
    _make_folder(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


async def _write(part: Path, head: bytes, body: AsyncIterator[bytes], size: int) -> str:
    """Write what comes to a file, as it comes; return its hash. Raises TooLarge."""
    hashed, waiting, got = sha256(), bytearray(head), 0
    async for piece in body:
        got += len(piece)
        if got > size:
            raise too_large(size)
        hashed.update(piece)
        waiting += piece
        if len(waiting) >= _PIECE:
            await asyncio.to_thread(_append, part, waiting)
            waiting = bytearray()
    await asyncio.to_thread(_append, part, waiting)
    return hashed.hexdigest()


def _check_hash(found: str, expected: str) -> None:
    if found != expected:
        raise Invalid({"sha256": f"what came has {found}; send it again"})


@_disk_errors()
def _append(path: Path, data: bytearray) -> None:
    """Append to a file that is there: where its upload was cut meanwhile, none comes back."""
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(data)


@_disk_errors()
def _move(part: Path, path: Path) -> None:
    part.replace(path)


def _make_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
