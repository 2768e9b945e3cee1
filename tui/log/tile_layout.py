"""Logs beside each other: how many fit where, and which were open when the program ended."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from backend_client.paths import user_state_dir
from backend_client.private_files import write_private

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
    """Return (columns, rows) for `count` logs in this room, or for as many as fit; one always does."""
    columns, rows = max(1, width // _WIDTH), max(1, height // _HEIGHT)
    for shown in range(min(count, MOST), 1, -1):
        for shape in _GRIDS[shown]:
            if shape[0] <= columns and shape[1] <= rows:
                return shape
    return (1, 1)


def tiles_path() -> Path:
    """Return the path of the state file (0600)."""
    return user_state_dir() / "logs.json"


def load(context: str) -> list[str]:
    """Load the uids of the jobs whose logs were open. Call it in a thread: it reads a file."""
    uids = _all().get(context)
    return [uid for uid in uids if isinstance(uid, str)][:MOST] if isinstance(uids, list) else []


def keep(context: str, uids: Sequence[str]) -> None:
    """Keep the uids of the jobs whose logs are open. Ignores a disk that refuses; call it in a thread."""
    kept = {name: old for name, old in _all().items() if name != context} | (
        {context: [*uids]} if uids else {}
    )
    with contextlib.suppress(OSError):
        write_private(tiles_path(), json.dumps(kept).encode())


def _all() -> dict[str, object]:
    try:
        kept = json.loads(tiles_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
