"""Logs beside each other: how many fit where, and which were open when the program ended."""

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from backend_client.paths import user_state_dir

MOST = 4
_WIDTH, _HEIGHT = 38, 6
"""Cells that a log needs at least."""
_GRIDS = {
    1: [(1, 1)],
    2: [(2, 1), (1, 2)],
    3: [(3, 1), (2, 2), (1, 3)],
    4: [(2, 2), (4, 1), (1, 4)],
}


def grid(count: int, width: int, height: int) -> tuple[int, int]:
    """(columns, rows) for `count` logs in this room, or for as many as fit; one always does."""
    columns, rows = max(1, width // _WIDTH), max(1, height // _HEIGHT)
    for shown in range(min(count, MOST), 1, -1):
        for one in _GRIDS[shown]:
            if one[0] <= columns and one[1] <= rows:
                return one
    return (1, 1)


def tiles_path() -> Path:
    """The state file (0600)."""
    return user_state_dir() / "logs.json"


def load(context: str) -> list[str]:
    """Uids of the jobs whose logs were open. Reads a file: call it in a thread."""
    uids = _all().get(context)
    return [uid for uid in uids if isinstance(uid, str)][:MOST] if isinstance(uids, list) else []


def keep(context: str, uids: Sequence[str]) -> None:
    """Remember them. A disk that refuses is no reason to complain: call it in a thread."""
    kept = {name: old for name, old in _all().items() if name != context} | (
        {context: [*uids]} if uids else {}
    )
    with contextlib.suppress(OSError):
        _write(tiles_path(), json.dumps(kept))


def _all() -> dict[str, object]:
    try:
        kept = json.loads(tiles_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(path: Path, text: str) -> None:
    """Replace the file whole; mkstemp makes it 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
