"""A report of a defect: a file for its owner alone, without locals and without secrets."""

import os
import platform
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from backend_client.disk_errors import disk_words
from backend_client.models.secret import Secret
from backend_client.paths import user_state_dir
from backend_client.private_files import create_private
from tui.version import __version__

_TELLING_NAME = re.compile(r"(?i)key|token|secret|password|passwd|credential|auth")
_TELLING_TEXT = re.compile(
    r"""(?ix) (?P<before>
        (?: token | secret | passw(?:or)?d | api_?key | authorization )["']? \s*[:=]\s* ["']?
        | bearer\s+ | ://[^\s/:@]*: ) [^\s"'@]+ | \b(?:hf_|sk-|ghp_|glpat-|td_)[\w-]{8,}"""
)


def write(error: BaseException) -> Path:
    """Write the report, 0600; return its path. Raises OSError, and leaves no half of it."""
    now = datetime.now(UTC)
    path = user_state_dir() / "crash" / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    create_private(path, report(error, now).encode(errors="replace"))
    return path


def sentence(error: BaseException) -> str:
    """Write the report; return the sentence about it for the person who sits before the screen."""
    try:
        where = f"a report without secrets is in {write(error)}"
    except OSError as refusal:
        where = f"no report could be written in {user_state_dir()}/crash: {disk_words(refusal)}"
    return f"traindeck met a defect of its own ({type(error).__name__}); {where}"


def report(error: BaseException, now: datetime) -> str:
    """Return the report's text: versions, terminal, traceback and message, with every secret removed."""
    head = [
        f"traindeck {__version__}, Python {platform.python_version()}, {sys.platform}",
        f"{now:%Y-%m-%dT%H:%M:%SZ}, TERM={os.environ.get('TERM', '')}",
        "",
    ]
    text = "\n".join(head) + "".join(traceback.format_exception(error))
    for value in sorted(set(_secrets(error)), key=len, reverse=True):
        text = text.replace(value, "***")
    return _TELLING_TEXT.sub(lambda match: f"{match['before'] or ''}***", text)


def _secrets(error: BaseException) -> Iterator[str]:
    """Yield the values to remove: of variables with a telling name, and every Secret in a frame."""
    for name, value in os.environ.items():
        if len(value) >= 6 and _TELLING_NAME.search(name):
            yield value
    for step in _steps(error):
        for value in step.tb_frame.f_locals.values():
            inside = value.values() if isinstance(value, dict) else (value,)
            yield from (item.reveal() for item in inside if isinstance(item, Secret) and item.reveal())


def _steps(error: BaseException | None) -> Iterator[TracebackType]:
    while error:
        step = error.__traceback__
        while step:
            yield step
            step = step.tb_next
        error = error.__cause__ or error.__context__
