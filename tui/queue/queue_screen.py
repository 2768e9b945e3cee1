"""The queue screen: quotas as bars, what waits in which order; hold, priority and queue of one's own job."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backend_client.errors import BackendError, LoginNeeded
from backend_client.gpu_nodes import Whose
from backend_client.models import Job, JobRef
from backend_client.protocol import JobBackend, Scope, Verb
from backend_client.queues import HasQueues, QueueBoard, WaitingJob
from backend_client.text.queues import (
    AGE_STAYS,
    NOTHING_WAITS,
    PRIORITY_STAYS,
    TITLES,
    change_question,
    notes,
    waiting_cells,
    why_fixed,
)
from backend_client.text.sanitize import clean
from tui.actions import Action, Place
from tui.bindings import bindings
from tui.messages import OpenText
from tui.queue import queue_bars
from tui.session import Guarded
from tui.ui.confirm import ConfirmScreen
from tui.ui.footer import Footer
from tui.ui.pick_screen import Pick, PickScreen
from tui.ui.rows import Rows

REFRESH_SECONDS = 10.0
"""How often the queues are asked for while they are on the screen."""
_OF_A_JOB = ("queue_hold", "queue_priority", "queue_move", "queue_mine")
"""Actions on what waits."""


class QueueScreen(Screen[None], Guarded):
    """Reads the queues while it is shown; the cursor follows the job."""

    CSS_PATH = "queue_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.QUEUE
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.QUEUE, "screen"),
        Binding("q", "screen.queue_back", show=False),
    ]

    @dataclass(eq=False)
    class BoardLoaded(Message):
        """The queues as they are now, or why they are not known."""

        board: QueueBoard | BackendError

    def __init__(self, backend: JobBackend, scope: Scope) -> None:
        super().__init__()
        self._backend, self._scope = backend, scope
        self._queues = cast("HasQueues", backend)
        self._board = QueueBoard()
        self._is_loaded = False
        self._failed: BackendError | None = None
        self._offered: bool | None = None
        """Whether the footer offers to release a job; None where none waits."""

    def compose(self) -> ComposeResult:
        where = f"  {clean(self._scope.namespace, 60)}" if self._scope.namespace else ""
        yield Static(Content.styled(f" {clean(self._backend.context, 40)}{where}  queue", "bold"), id="title")
        with VerticalScroll(id="queues", can_focus=False):
            yield Static(id="bars")
        yield Static(id="head")
        yield Rows()
        yield Static(Content("reading ..."), id="status")
        yield Footer(self.session)

    def on_mount(self) -> None:
        self.call_after_refresh(self._read)
        self.set_interval(REFRESH_SECONDS, self._read_again)

    @property
    def job(self) -> WaitingJob | None:
        """The waiting job under the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._board.waiting[at] if at is not None and at < len(self._board.waiting) else None

    def label_of(self, action: Action) -> str:
        """Return what the footer calls an action; "" for those on a job where none waits."""
        if self.job is None and action.id in _OF_A_JOB:
            return ""
        holds = action.id == "queue_hold" and self.job is not None and self.job.held
        return "release" if holds else action.label

    # What is read

    @work(exclusive=True, group="queue", exit_on_error=False)
    async def _read(self) -> None:
        try:
            board: QueueBoard | BackendError = await self._queues.queues(self._scope)
        except BackendError as error:
            board = error
        self.post_message(self.BoardLoaded(board))

    def _read_again(self) -> None:
        """Read the queues, unless another screen hides them."""
        if self.is_current:
            self._read()

    def on_queue_screen_board_loaded(self, message: BoardLoaded) -> None:
        """Show the queues, or why they are not known; what was read before stays."""
        if isinstance(message.board, BackendError):
            self._failed = message.board
            self._show_status(str(message.board), wrong=True)
            self.session.login_prompt.ask(message.board)
            return
        self._failed = None
        if message.board != self._board or not self._is_loaded:
            self._board, self._is_loaded = message.board, True
            self._show()
        self._show_status("; ".join(notes(self._board)) or ("" if self._board.waiting else NOTHING_WAITS))

    def on_screen_resume(self) -> None:
        """Ask again after a login."""
        if isinstance(self._failed, LoginNeeded):
            self._read()

    # What is shown

    def _show_status(self, words: str, *, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(wrong, "wrong")
        status.update(Content(clean(words, 600)))

    def _show(self) -> None:
        """Draw all of it anew; the cursor stays on its job, or where it was."""
        rows, width = self.query_one(OptionList), self.size.width
        at = rows.highlighted or 0
        chosen = rows.get_option_at_index(at).id if rows.option_count > at else None
        self.query_one("#bars", Static).update(queue_bars.draw(self._board, width))
        table = [waiting_cells(job, datetime.now(UTC)) for job in self._board.waiting]
        widths = queue_bars.column_widths([list(TITLES), *table], width)
        head = queue_bars.format_row(list(TITLES), widths) if table else ""
        self.query_one("#head", Static).update(Content.styled(head, "bold"))
        rows.clear_options()
        ids = [job.uid or f"position {number}" for number, job in enumerate(self._board.waiting)]
        rows.add_options(
            Option(_row(job, queue_bars.format_row(cells, widths)), id=id_)
            for job, cells, id_ in zip(self._board.waiting, table, ids, strict=True)
        )
        if ids:
            rows.highlighted = ids.index(chosen) if chosen in ids else min(at, len(ids) - 1)
        self._show_keys()

    def on_option_list_option_highlighted(self) -> None:
        """Say in the footer what can be done with the job under the cursor."""
        self._show_keys()

    def _show_keys(self) -> None:
        """Draw the footer anew where it offers something else."""
        offered = self.job.held if self.job else None
        if offered != self._offered:
            self._offered = offered
            self.query_one(Footer).refresh()

    def on_resize(self) -> None:
        """Lay all of it out anew."""
        if self._is_loaded:
            self._show()

    # Keys

    def action_queue_hold(self) -> None:
        """Hold the job under the cursor, or release it."""
        job = self.job
        if not job or not (ref := self._own(job)):
            return
        name = clean(job.name, 80)
        if job.held:
            self._change(job, self._queues.release(ref), f"{name} was not released")
        else:
            self._change(job, self._queues.hold(ref), f"{name} was not held")

    def action_queue_priority(self) -> None:
        """Pick another priority for the job under the cursor."""
        picks = [Pick(each.name, f"{each.value}  {each.about}") for each in self._board.priorities]
        unknown = "" if picks else " Which there are is not known: ask, and type the name."
        self._pick("priority", picks, f"{PRIORITY_STAYS}{unknown}", self._queues.set_priority)

    def action_queue_move(self) -> None:
        """Pick another queue for the job under the cursor."""
        job = self.job
        picks = [
            Pick(queue.name, f"of {queue.cluster_queue}, {queue.waiting} waiting")
            for queue in self._board.local_queues
            if job and (queue.namespace, queue.cluster) == (job.namespace, job.cluster)
        ]
        self._pick("queue", picks, AGE_STAYS, self._queues.move)

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def _pick(
        self,
        what: str,
        picks: list[Pick],
        note: str,
        change: Callable[[JobRef, str], Coroutine[object, object, Job]],
    ) -> None:
        job = self.job
        if not job or not (ref := self._own(job)):
            return
        name = clean(job.name, 80)
        current = job.queue if what == "queue" else ""
        screen = PickScreen(f"The {what} of {name}", picks, current, note=note, free=not picks)
        chosen = await self.app.push_screen_wait(screen)
        if chosen and chosen != current:
            self._change(job, change(ref, chosen), f"{name} has its {what} still")

    def _own(self, job: WaitingJob) -> JobRef | None:
        """Return the job that a waiting one is, where its queueing can be changed; else say why not."""
        why = self.session.permissions.why_not(Verb.STOP) or why_fixed(job)
        if why:
            self.app.notify(why)
            return None
        return JobRef(self._backend.context, job.namespace, "job", job.name, job.uid)

    @work(group="change", exit_on_error=False)
    async def _change(self, job: WaitingJob, act: Coroutine[object, object, Job], failed: str) -> None:
        """Change a job, after a question where it is not one's own; then read the queues anew."""
        if job.whose is not Whose.MINE and not await self._agreed(job):
            act.close()
            return
        await self._run(act, failed)

    async def _agreed(self, job: WaitingJob) -> bool:
        return await self.app.push_screen_wait(ConfirmScreen(*change_question(job))) is True

    async def _run(self, act: Awaitable[Job], failed: str) -> None:
        try:
            await act
        except BackendError as error:
            if not self.session.login_prompt.ask(error):
                self.session.request(OpenText(failed, str(error)))
        self._read()

    def action_queue_mine(self) -> None:
        """Move the cursor to the next job of one's own."""
        rows, waiting = self.query_one(OptionList), self._board.waiting
        start = (rows.highlighted or 0) + 1
        numbers = [*range(start, len(waiting)), *range(min(start, len(waiting)))]
        mine = next((number for number in numbers if waiting[number].whose is Whose.MINE), None)
        if mine is None:
            self.app.notify("No job of yours waits here.")
        else:
            rows.highlighted = mine

    def action_queue_refresh(self) -> None:
        """Read the queues anew."""
        self._show_status("reading ...")
        self._read()

    def action_queue_back(self) -> None:
        """Go back to the jobs."""
        self.dismiss(None)


def _row(job: WaitingJob, text: str) -> Content:
    style = "bold" if job.whose is Whose.MINE else "" if job.name else "$text-muted"
    return Content.styled(text, style) if style else Content(text)
