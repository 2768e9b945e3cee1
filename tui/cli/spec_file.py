"""Read the spec file of `submit -f`: a mapping of a job's fields, in YAML or JSON, with faults by line."""

import sys
from pathlib import Path
from typing import Any

from backend_client.errors import Invalid, NotFound, Refused
from backend_client.text.sanitize import clean

LARGEST = 2**20
"""Bytes of a spec file that are read."""


def read_spec_file(name: str) -> dict[str, Any]:
    """Read the mapping in a file, or in stdin for "-". Raises NotFound, Refused or Invalid."""
    from backend_client.yaml_reader import YamlFault, read_one  # noqa: PLC0415  slow to import, seldom needed

    shown = "stdin" if name == "-" else clean(name)
    try:
        raw = read_one(_read_bytes(name))
    except FileNotFoundError:
        raise NotFound(f"There is no file {shown}.") from None
    except OSError as error:
        raise Refused(f"{shown} cannot be read: {error.strerror}.") from None
    except YamlFault as fault:
        raise Invalid({"file": f"{shown} {_behind(str(fault))}"}) from None
    if raw is None:
        raise Invalid({"file": f"{shown} is no mapping of a job's fields: it is empty"})
    if not isinstance(raw, dict):
        raise Invalid({"file": f"{shown} is no mapping of a job's fields"})
    return {str(key): value for key, value in raw.items()}


def _behind(fault: str) -> str:
    return f"in {fault}" if fault.startswith("line ") else fault


def _read_bytes(name: str) -> bytes:
    if name == "-":
        content = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise Invalid({"file": "it is larger than 1 MiB, which no spec file is"})
    return content
