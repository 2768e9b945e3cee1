"""What is said of the code that a job runs. Pure."""

from backend_client.models.code import Code
from backend_client.text.figures import bytes_text

_SHORT = 10
"""Digits of a hash that tell it from others."""


def code_text(code: Code) -> str:
    """Say what is recorded of a job's code: how much it is, its commit, where that is from."""
    if code.sha256:
        files = "1 file" if code.files == 1 else f"{code.files:,} files"
        parts = [f"{files}, {bytes_text(code.size)} packed, sha256 {code.sha256[:_SHORT]}"]
    else:
        parts = ["the folder itself, no copy"]
    if code.commit:
        parts.append(f"commit {code.commit[:_SHORT]}" + (" with changes" if code.dirty else ""))
    return "; ".join([*parts, *filter(None, [code.remote])])
