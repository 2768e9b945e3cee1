"""What is recorded of the code that a job runs, and how a spec names it."""

import re

from msgspec import Struct

GIT_COMMIT = "TRAINDECK_GIT_COMMIT"
"""The variable by which a job knows the commit of its code."""

LARGEST = 20 * 2**20
"""Bytes that packed code may have at most, whatever a site sets."""
PACKED = "sha256:"
"""What begins a spec's `code` that names packed bytes, as those of an old job; any other is a folder."""
_PACKED = re.compile(r"sha256:[0-9a-f]{64}")


def is_packed(code: str) -> bool:
    """Return whether a spec's `code` names packed bytes."""
    return bool(_PACKED.fullmatch(code))


class Code(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One's own code, as it was when the job was made. What is not known is empty."""

    sha256: str = ""
    """Of its packed files; "" where the job runs in the folder itself, which may have changed since."""
    files: int = 0
    size: int = 0
    """Bytes, packed."""
    commit: str = ""
    """That git stood at."""
    dirty: bool = False
    """Not all of it was committed."""
    remote: str = ""
    """Where git fetches from, without a login."""
