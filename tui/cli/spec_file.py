"""Read the spec file of `submit -f`: a mapping of a job's fields, in YAML or JSON, with faults by line."""

import sys
from pathlib import Path
from typing import Any

from backend_client.errors import NotFound, Refused
from backend_client.spec_file import LARGEST, read_spec
from backend_client.text.sanitize import clean


def read_spec_file(name: str) -> dict[str, Any]:
    """Read the mapping in a file, or in stdin for "-". Raises NotFound, Refused or Invalid."""
    shown = "stdin" if name == "-" else clean(name)
    try:
        content = _read_bytes(name)
    except FileNotFoundError:
        raise NotFound(f"There is no file {shown}.") from None
    except OSError as error:
        raise Refused(f"{shown} cannot be read: {error.strerror}.") from None
    return read_spec(content, shown)


def _read_bytes(name: str) -> bytes:
    """Return the bytes of a file: one more than are read, where there are too many."""
    if name == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    with Path(name).open("rb") as file:
        return file.read(LARGEST + 1)
