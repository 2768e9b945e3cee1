"""The logs under the list: the first follows the cursor, the others stay with their jobs."""

import asyncio
from collections.abc import Mapping, Sequence

from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from backend_client.models import Job
from backend_client.protocol import JobBackend
from tui.log.bars import LogTitle
from tui.log.pane import LogPane
from tui.log.tile_layout import MOST, grid, keep, load
from tui.ui.sanitize import clean


class LogTiles(Container):
    """At most four; those for which there is no room are hidden until there is. They come back at a start."""

    class Kept(Message):
        """Jobs whose logs were open, by uid."""

        def __init__(self, uids: Sequence[str]) -> None:
            super().__init__()
            self.uids = uids

    def __init__(self, context: str) -> None:
        super().__init__()
        self._of = context
        self._wanted: Sequence[str] | None = None
        """Uids that are to come back, until the list is known; None while the file is read."""
        self._beside: dict[str, LogPane] = {}
        """By the uid of its job."""
        self._job: Job | None = None
        self._backend: JobBackend | None = None

    def compose(self) -> ComposeResult:
        yield LogPane()

    def on_mount(self) -> None:
        self._load()

    # What came before

    @work(exclusive=True, group="load", exit_on_error=False)
    async def _load(self) -> None:
        # A thread: the home may lie on a slow network disk.
        self.post_message(self.Kept(await asyncio.to_thread(load, self._of)))

    def on_log_tiles_kept(self, message: Kept) -> None:
        """They wait for the list."""
        message.stop()
        self._wanted = message.uids

    @work(exclusive=True, group="keep", exit_on_error=False)
    async def _keep(self) -> None:
        # A thread, as above.
        await asyncio.to_thread(keep, self._of, list(self._beside))

    # What is shown

    @property
    def _first(self) -> LogPane:
        return self.query_one(LogPane)

    def show(self, job: Job | None, backend: JobBackend) -> None:
        """Show the log of the job under the cursor, unless it is here already."""
        self._job, self._backend = job, backend
        pane = self._beside.get(job.ref.uid) if job else None
        beside = job is not None and pane is not None and pane.display
        self._first.nothing = f"The log of {clean(job.name)} is beside this." if job and beside else ""
        self._first.show(None if beside else job, backend)

    def update(self, jobs: Mapping[str, Job], backend: JobBackend, *, synced: bool) -> None:
        """Jobs have changed; with the first whole list the logs of before come back."""
        for uid, pane in self._beside.items():
            job = jobs.get(uid)
            if job and pane.job and job is not pane.job:
                pane.show(job, backend)
        if synced and self._wanted:
            wanted, self._wanted = self._wanted, ()
            for job in [jobs[uid] for uid in wanted if uid in jobs]:
                self._add(job, backend)

    def toggle(self, job: Job, backend: JobBackend) -> None:
        """Put the log of a job beside the others, or take it away."""
        if job.ref.uid in self._beside:
            self._remove(job.ref.uid)
        elif len(self._beside) + 1 == MOST:
            self.notify(f"{MOST} logs at most. L on one that is here takes it away.")
        elif not self._fits(len(self._beside) + 2):
            self.notify("There is no room for another log here; a larger window has it.")
        else:
            self._add(job, backend)
        self._keep()

    def on_log_pane_tiled(self, message: LogPane.Tiled) -> None:
        """L in a log: beside the others with it, or away."""
        message.stop()
        if self._backend:
            self.toggle(message.job, self._backend)

    def _add(self, job: Job, backend: JobBackend) -> None:
        pane = self._beside[job.ref.uid] = LogPane(opened=(job, backend))
        self.mount(pane)
        self._lay_out()

    def _remove(self, uid: str) -> None:
        pane = self._beside.pop(uid)
        if pane.has_focus_within:
            self._first.view.focus()
        pane.remove()
        self._lay_out()

    # Room

    def _fits(self, count: int) -> bool:
        columns, rows = grid(count, self.size.width, self.size.height)
        return columns * rows >= count

    def on_resize(self) -> None:
        """As many as fit now."""
        self._lay_out()

    def _lay_out(self) -> None:
        panes = [self._first, *self._beside.values()]
        columns, rows = grid(len(panes), self.size.width, self.size.height)
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        for at, pane in enumerate(panes):
            pane.display = at < columns * rows
        self._point()
        if self._backend:
            self.show(self._job, self._backend)

    def on_descendant_focus(self) -> None:
        """A log has the keys."""
        self._point()

    def on_descendant_blur(self) -> None:
        """It has them no more."""
        self._point()

    def _point(self) -> None:
        """Where there are several, the title of the one that has the keys says so."""
        for pane in self.query(LogPane):
            for title in pane.query(LogTitle):
                title.pointed = bool(self._beside) and pane.has_focus_within
