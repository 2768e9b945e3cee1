"""Saves a job form while it is typed, so that a program that is killed takes none of it away.

Each form has a file of its own (0600), locked while its program lives. One that nobody holds was left by a
program that died, and the next form takes it over. The values of `env` are not kept.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from backend_client.disk_errors import disk_words
from backend_client.models.fields import FIELD_NAMES
from backend_client.paths import user_state_dir

_NOT_KEPT = ("env",)
_SUFFIX = ".json"


class SavedForm(Struct, frozen=True):
    """The texts of a form whose program died."""

    texts: dict[str, str]
    """Field -> its text."""
    when: datetime
    missing: tuple[str, ...] = ()
    """Fields whose text was not saved."""


class Autosave:
    """The file of one form. One call after the other, each in a thread; none raises for the disk's sake."""

    def __init__(self, context: str) -> None:
        self.error = ""
        """Why the texts are not saved now, as a fragment; empty where they are."""
        self._context = context
        self._path: Path | None = None
        self._lock = -1
        self._turn = asyncio.Lock()
        self._over = False

    async def save(self, texts: Mapping[str, str]) -> None:
        """Save these texts (field -> text) in place of the last ones; without any, remove the file."""
        async with self._turn:
            if not self._over:
                await asyncio.to_thread(self._write if texts else self._remove, texts)

    async def take_over(self) -> SavedForm | None:
        """Take over the newest form that a dead program has left in this context, if there is one."""
        async with self._turn:
            return await asyncio.to_thread(self._take)

    async def discard(self) -> None:
        """Remove the file for good: the form was submitted, or thrown away."""
        self._over = True
        async with self._turn:
            await asyncio.to_thread(self._remove)

    def release(self) -> None:
        """Release the file, so that the next form may take it over."""
        self._path = None
        self._hold(-1)

    def _write(self, texts: Mapping[str, str]) -> None:
        kept = {name: text for name, text in texts.items() if name not in _NOT_KEPT}
        content = {"context": self._context, "texts": kept, "missing": [*texts.keys() - kept.keys()]}
        self.error = ""
        try:
            folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(_SUFFIX, ".", folder())
            new = Path(name)
            try:
                _lock(descriptor)
                with open(descriptor, "wb", closefd=False) as file:
                    file.write(json.dumps(content).encode())
                self._path = new.replace(self._path or new.with_name(new.name.removeprefix(".")))
            except OSError:
                os.close(descriptor)
                new.unlink()
                raise
            self._hold(descriptor)
        except OSError as error:
            self.error = disk_words(error)

    def _take(self) -> SavedForm | None:
        for path in sorted(folder().glob(f"[!.]*{_SUFFIX}"), key=_age):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                left = self._read(descriptor) if _lock(descriptor) else None
                if left:
                    self._path = path
                    self._hold(descriptor)
                    return left
                os.close(descriptor)
        return None

    def _read(self, descriptor: int) -> SavedForm | None:
        status = os.fstat(descriptor)
        with open(descriptor, "rb", closefd=False) as file, contextlib.suppress(ValueError):
            kept = json.load(file)
            if status.st_nlink and isinstance(kept, dict) and kept.get("context") == self._context:
                when, texts = datetime.fromtimestamp(status.st_mtime).astimezone(), _texts(kept.get("texts"))
                return SavedForm(texts, when, _names(kept.get("missing"))) if texts else None
        return None

    def _remove(self, _texts: object = None) -> None:
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self.release()

    def _hold(self, descriptor: int) -> None:
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = descriptor


def folder() -> Path:
    """Return the folder of the forms' files (0700)."""
    return user_state_dir() / "unsent"


def _texts(kept: object) -> dict[str, str]:
    found = kept if isinstance(kept, dict) else {}
    return {name: text for name, text in found.items() if name in FIELD_NAMES and isinstance(text, str)}


def _names(kept: object) -> tuple[str, ...]:
    return tuple(name for name in kept if name in FIELD_NAMES) if isinstance(kept, list) else ()


def _lock(descriptor: int) -> bool:
    """Lock a file; False where a living program has it. A file system without locks has none that lives."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return -path.stat().st_mtime
    return 0.0
