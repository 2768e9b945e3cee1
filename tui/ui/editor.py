"""Edits a text in the person's own editor ($VISUAL, $EDITOR), with the app suspended."""

import os
import shlex
import shutil
import tempfile
from pathlib import Path

from msgspec import Struct
from textual.app import App, SuspendNotSupported

from backend_client.disk_errors import disk_words
from tui.ui.terminal_child import run_child

LARGEST = 2**20
"""Bytes of a text that are taken back."""
_MISSING = "No editor can be started: set VISUAL or EDITOR."


class Edited(Struct, frozen=True):
    """The text as it was saved; None where none came back, and then why."""

    text: str | None
    why: str = ""


def edit(app: App[object], text: str, name: str) -> Edited:
    """Open a text in $VISUAL, $EDITOR or vi, as a private file `name`. Raises nothing; blocks until it ends.

    Where the editor fails, what was written stays in the file, and `why` says where.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="traindeck-"))  # 0700
    except OSError as error:
        return Edited(None, f"No file to edit can be made in {tempfile.gettempdir()}: {disk_words(error)}.")
    file = folder / name
    try:
        _write(file, text)
        edited = _run(app, file)
    except SuspendNotSupported:
        edited = Edited(None, "Here is no terminal that an editor could have.")
    except OSError as error:
        edited = Edited(None, f"{file} could not be edited: {disk_words(error)}.")
    if edited.text is None and _changed(file, text):
        return Edited(None, f"{edited.why} What you wrote is in {file}.")
    shutil.rmtree(folder, ignore_errors=True)
    return edited


def _write(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text + "\n")


def _changed(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() != f"{text}\n".encode()
    except OSError:
        return False


def _read(file: Path) -> str | None:
    """Read the text, less the newline that every editor adds; None where it is no text or too long."""
    try:
        with file.open("rb") as content:
            read = content.read(LARGEST + 1)
        return None if len(read) > LARGEST else read.decode().removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        return None


def _run(app: App[object], file: Path) -> Edited:
    """Run the editor. Nothing may be raised or awaited while the app is suspended: it would not come back."""
    with app.suspend():
        why = _ended(file)
    if why:
        return Edited(None, why)
    text = _read(file)
    return Edited(text, "" if text is not None else "The file is no text of less than 1 MiB.")


def _ended(file: Path) -> str:
    """Run the editor; return why it failed, or ""."""
    try:
        argv = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "") or ["vi"]
        code = run_child([*argv, str(file)])
    except (OSError, ValueError):
        return _MISSING
    return f"The editor {argv[0]} ended with {code}, so its text was not taken." if code else ""
