"""The last values of a few fields, offered again in the next form; no secrets, no values of variables."""

import contextlib
import json
from pathlib import Path

from backend_client.models import JobSpec
from backend_client.models.fields import field_text
from backend_client.paths import user_state_dir
from backend_client.private_files import write_private

KEPT = ("image", "command", "workdir")
LONGEST = 20

RecentValues = dict[str, list[str]]
"""Field -> what was last written there, the newest first."""


def drafts_path() -> Path:
    """The state file (0600)."""
    return user_state_dir() / "drafts.json"


def load() -> RecentValues:
    """What is kept; nothing where the file is missing or damaged. Reads a file: call it in a thread."""
    try:
        kept = json.loads(drafts_path().read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {name: _texts(kept.get(name)) for name in KEPT}


def _texts(values: object) -> list[str]:
    if not isinstance(values, list):
        return []
    return [value for value in values if isinstance(value, str) and value][:LONGEST]


def remember(spec: JobSpec) -> None:
    """Put a spec's values in front. A disk that refuses is no reason to complain: call it in a thread."""
    kept = load()
    for name in KEPT:
        text, older = field_text(name, getattr(spec, name)), kept.get(name, [])
        kept[name] = [text, *(value for value in older if value != text)][:LONGEST] if text else older
    with contextlib.suppress(OSError):
        write_private(drafts_path(), json.dumps(kept).encode())
