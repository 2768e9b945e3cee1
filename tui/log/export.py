"""Takes lines out of a log: onto the clipboard, or all of it into a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from textual.message import Message

from backend_client.disk_errors import disk_words
from backend_client.errors import BackendError
from backend_client.logs import Line
from backend_client.models import Job
from backend_client.protocol import JobBackend
from backend_client.text.attempts import has_ranks
from tui.log.host import Host, start_worker
from tui.log.save import save_log

_COPY_AT_MOST = 70_000
"""Bytes: a terminal need not take a longer OSC 52 sequence."""


def clipboard_text(lines: Sequence[Line]) -> tuple[str, str]:
    """Return the text to copy, and the sentence that says so; two empty ones where there is no line."""
    text = "\n".join(line.text for line in lines).encode()
    if not text:
        return "", ""
    cut = f"the first {_COPY_AT_MOST:,} bytes of " if len(text) > _COPY_AT_MOST else ""
    sentence = (
        f"Asked the terminal to copy {cut}the {len(lines)} lines on screen (OSC 52; tmux needs"
        " set-clipboard on). S saves the whole log to a file."
    )
    return text[:_COPY_AT_MOST].decode(errors="ignore"), sentence


class LogExport:
    """Saves logs. A file that is there is overwritten only where the same path is given twice in a row.

    A worker writes; its message reaches the host's handler, which hands it to `finish`.
    """

    @dataclass(eq=False)
    class Saved(Message):
        """A file was written, or was not: `text` says it. `exists`: the path, if a file is there already."""

        text: str
        failed: bool = False
        exists: str = ""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._overwrite = ""

    def forget_path(self) -> None:
        """Forget which file may be overwritten: another path is being typed."""
        self._overwrite = ""

    def save(self, backend: JobBackend, job: Job, filename: str) -> None:
        """Write a job's whole log into a file."""
        try:
            path = Path(filename.strip() or ".").expanduser().absolute()
        except RuntimeError as error:  # a ~name that is nobody's
            self._host.post_message(self.Saved(str(error), failed=True))
        else:
            overwrite = str(path) == self._overwrite
            start_worker(self._host, "save", partial(self._write, backend, job, path, overwrite=overwrite))

    async def _write(self, backend: JobBackend, job: Job, path: Path, *, overwrite: bool) -> None:
        self._host.post_message(await self._saved(backend, job, path, overwrite=overwrite))

    async def _saved(self, backend: JobBackend, job: Job, path: Path, *, overwrite: bool) -> Saved:
        try:
            written = await save_log(backend, job, path, overwrite=overwrite, several=has_ranks(job))
        except FileExistsError:
            return self.Saved(f"{path} exists. Enter again overwrites it.", exists=str(path))
        except OSError as error:
            return self.Saved(f"{path} was not written: {disk_words(error)}", failed=True)
        except BackendError as error:
            return self.Saved(str(error), failed=True)
        return self.Saved(f"Saved {written:,} bytes to {path}")

    def finish(self, message: Saved) -> bool:
        """Note what became of a file. Return True where it was written."""
        self._overwrite = message.exists
        return not message.exists and not message.failed
