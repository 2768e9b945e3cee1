"""The recent values of a few fields, for the next form; no secrets, no values of variables."""

import contextlib
import json
from pathlib import Path

from backend_client.models import JobSpec
from backend_client.models.fields import field_text
from backend_client.paths import user_state_dir
from backend_client.private_files import write_private

FIELDS = ("image", "command", "workdir")
MOST_PER_FIELD = 20

RecentValues = dict[str, list[str]]
"""Field -> its last values, the newest first."""


def drafts_path() -> Path:
    """Return the path of the state file (0600)."""
    return user_state_dir() / "drafts.json"


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
        write_private(drafts_path(), json.dumps(values).encode())
