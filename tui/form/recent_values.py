"""The recent values of a few fields, for the next form; no secrets, no values of variables."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

import platformdirs

from backend_client.models import JobSpec
from backend_client.models.fields import field_text

FIELDS = ("image", "command", "workdir")
MOST_PER_FIELD = 20

RecentValues = dict[str, list[str]]
"""Field -> its last values, the newest first."""


def drafts_path() -> Path:
    """Return the path of the state file (0600)."""
    return platformdirs.user_state_path("traindeck") / "drafts.json"


def load() -> RecentValues:
    """Load the recent values; none from a missing or damaged file. Call it in a thread: it reads a file."""
    try:
        content = json.loads(drafts_path().read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: _texts(content.get(name)) for name in FIELDS}


def _texts(values: object) -> list[str]:
    if not isinstance(values, list):
        return []
    return [value for value in values if isinstance(value, str) and value][:MOST_PER_FIELD]


def remember(spec: JobSpec) -> None:
    """Put the values of a spec in front. Ignores a disk that refuses; call it in a thread."""
    values = load()
    for name in FIELDS:
        text, older = field_text(name, getattr(spec, name)), values.get(name, [])
        values[name] = (
            [text, *(value for value in older if value != text)][:MOST_PER_FIELD] if text else older
        )
    with contextlib.suppress(OSError):
        _write(drafts_path(), json.dumps(values))


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
