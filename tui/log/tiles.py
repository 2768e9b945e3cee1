"""The logs under the job list: the first follows the cursor, the tiles beside it stay with their jobs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from backend_client.models import Job
from backend_client.protocol import JobBackend
from backend_client.text.sanitize import clean
from tui.log.pane import LogPane
from tui.log.tile_layout import MOST, grid, keep, load


class LogTiles(Container):
    """At most four logs; those without room are hidden. The tiles come back at the next start."""

    @dataclass(eq=False)
    class Loaded(Message):
        """The uids of the jobs whose logs were open before were read from the state file."""

        uids: Sequence[str]

    def __init__(self, context: str) -> None:
        """Show logs of jobs in this context."""
        super().__init__()
        self._context_name = context
        self._to_restore: Sequence[str] | None = None
        """Uids of tiles that come back once the jobs are listed; None while the state file is read."""
        self._tiles: dict[str, LogPane] = {}
        """The panes beside the first, by the uid of the job."""
        self._job: Job | None = None
        self._backend: JobBackend | None = None

    def compose(self) -> ComposeResult:
        yield LogPane()

    def on_mount(self) -> None:
        self._load()

    # The state file

    @work(exclusive=True, group="load", exit_on_error=False)
    async def _load(self) -> None:
        # A thread: the home may lie on a slow network disk.
        self.post_message(self.Loaded(await asyncio.to_thread(load, self._context_name)))

    def on_log_tiles_loaded(self, message: Loaded) -> None:
        """Keep the uids until the jobs are listed."""
        message.stop()
        self._to_restore = message.uids

    @work(exclusive=True, group="save", exit_on_error=False)
    async def _save(self) -> None:
        # A thread, as above.
        await asyncio.to_thread(keep, self._context_name, list(self._tiles))

    # What is shown

    @property
    def _first(self) -> LogPane:
        return self.query_one(LogPane)

    def show(self, job: Job | None, backend: JobBackend) -> None:
        """Show the log of the job under the cursor, unless it is here already."""
        self._job, self._backend = job, backend
        tile = self._tiles.get(job.ref.uid) if job else None
        in_tile = job is not None and tile is not None and tile.display
        self._first.why_no_job = f"The log of {clean(job.name)} is beside this." if job and in_tile else ""
        self._first.show(None if in_tile else job, backend)

    def update(self, jobs: Mapping[str, Job], backend: JobBackend, *, synced: bool) -> None:
        """Show what has changed of the jobs; with the first complete list the tiles of before come back."""
        for uid, pane in self._tiles.items():
            job = jobs.get(uid)
            if job and pane.job and job is not pane.job:
                pane.show(job, backend)
        if synced and self._to_restore:
            uids, self._to_restore = self._to_restore, ()
            for job in [jobs[uid] for uid in uids if uid in jobs]:
                self._add(job, backend)

    def toggle(self, job: Job, backend: JobBackend) -> None:
        """Put the log of a job beside the others, or take it away."""
        if job.ref.uid in self._tiles:
            self._remove(job.ref.uid)
        elif len(self._tiles) + 1 == MOST:
            self.notify(f"{MOST} logs at most. L on one that is here takes it away.")
        elif not self._fits(len(self._tiles) + 2):
            self.notify("There is no room for another log here; a larger window has it.")
        else:
            self._add(job, backend)
        self._save()

    def on_log_pane_tiled(self, message: LogPane.Tiled) -> None:
        """Put the log in which L was pressed beside the others, or take it away."""
        message.stop()
        if self._backend:
            self.toggle(message.job, self._backend)

    def _add(self, job: Job, backend: JobBackend) -> None:
        pane = self._tiles[job.ref.uid] = LogPane(opened=(job, backend))
        self.mount(pane)
        self._lay_out()

    def _remove(self, uid: str) -> None:
        pane = self._tiles.pop(uid)
        if pane.has_focus_within:
            self._first.view.focus()
        pane.remove()
        self._lay_out()

    # Room

    def _fits(self, count: int) -> bool:
        columns, rows = grid(count, self.size.width, self.size.height)
        return columns * rows >= count

    def on_resize(self) -> None:
        """Show as many as fit now."""
        self._lay_out()

    def _lay_out(self) -> None:
        panes = [self._first, *self._tiles.values()]
        columns, rows = grid(len(panes), self.size.width, self.size.height)
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        for index, pane in enumerate(panes):
            pane.display = index < columns * rows
        self._mark_active()
        if self._backend:
            self.show(self._job, self._backend)

    def on_descendant_focus(self) -> None:
        """Mark the log that has the keys."""
        self._mark_active()

    def on_descendant_blur(self) -> None:
        """Mark the log that has the keys, if one has them still."""
        self._mark_active()

    def _mark_active(self) -> None:
        """Mark the title of the log that has the keys, where there are several."""
        for pane in self.query(LogPane):
            pane.title.active = bool(self._tiles) and pane.has_focus_within
