"""Taking lines out of a log: onto the clipboard, or all of it into a file."""

from functools import partial
from pathlib import Path

from textual import work
from textual.message import Message

from backend_client.errors import BackendError
from backend_client.models import Job
from backend_client.protocol import JobBackend
from tui.log.bars import LogInput
from tui.log.save import save
from tui.log.search import LogFinder

_COPY_AT_MOST = 70_000


class LogTaker(LogFinder):
    """Copies what is seen, saves what was written."""

    class Saved(Message):
        """A file was written, or was not: `words` says it. `exists`: the file is there already."""

        def __init__(self, words: str, *, failed: bool = False, exists: str = "") -> None:
            super().__init__()
            self.words, self.failed, self.exists = words, failed, exists

    def __init__(self, tail: int | None) -> None:
        super().__init__(tail)
        self._overwrite = ""

    def action_copy(self) -> None:
        lines = [line.text for line in self.view.seen()]
        text = "\n".join(lines).encode()
        if text:
            self.app.copy_to_clipboard(text[:_COPY_AT_MOST].decode(errors="ignore"))
            cut = f"the first {_COPY_AT_MOST:,} bytes of " if len(text) > _COPY_AT_MOST else ""
            self.app.notify(
                f"Asked the terminal to copy {cut}the {len(lines)} lines on screen (OSC 52; tmux needs"
                " set-clipboard on). S saves the whole log to a file."
            )

    def action_save(self) -> None:
        if self._job and self._backend:
            self._overwrite = ""
            self.query_one(LogInput).ask(
                f"{self._job.name}.log",
                "file to save the log to",
                typed=self._other_file,
                done=partial(self._save, self._job, self._backend),
                left=self.close_input,
            )

    def _other_file(self, _typed: str) -> None:
        self._overwrite = ""

    def _save(self, job: Job, backend: JobBackend, typed: str) -> None:
        try:
            path = Path(typed.strip() or ".").expanduser().absolute()
        except RuntimeError as error:  # a ~name that is nobody's
            self.app.notify(str(error), severity="error")
        else:
            self._write(path, job, backend, overwrite=str(path) == self._overwrite)

    @work(exclusive=True, group="save", exit_on_error=False)
    async def _write(self, path: Path, job: Job, backend: JobBackend, *, overwrite: bool) -> None:
        try:
            written = await save(backend, job.ref, path, overwrite=overwrite)
        except FileExistsError:
            self.post_message(self.Saved(f"{path} exists. Enter again overwrites it.", exists=str(path)))
        except OSError as error:
            self.post_message(self.Saved(f"{path} was not written: {error.strerror or error}", failed=True))
        except BackendError as error:
            self.post_message(self.Saved(str(error), failed=True))
        else:
            self.post_message(self.Saved(f"Saved {written:,} bytes to {path}"))

    def on_log_taker_saved(self, message: Saved) -> None:
        """Say what became of the file."""
        message.stop()
        self.app.notify(message.words, severity="error" if message.failed else "information")
        self._overwrite = message.exists
        if not message.exists and not message.failed:
            self.close_input()
