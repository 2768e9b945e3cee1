"""The why screen, live: the chain of causes of one job, what would help, and how it failed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from backend_client.errors import BackendError, Invalid, LoginNeeded, NotFound, fragment
from backend_client.models import Job, JobState
from backend_client.protocol import JobBackend, Verb
from backend_client.spec_file import with_changes
from backend_client.text.figures import span
from backend_client.text.questions import not_done, replace_question
from backend_client.text.sanitize import clean
from backend_client.text.why import changed_fields, texts_before
from backend_client.why import Explanation, Offer
from tui.actions import Place
from tui.bindings import bindings
from tui.jobs.context_feed import ContextFeed
from tui.jobs.job_screen import JobScreen
from tui.jobs.store import Difference
from tui.messages import OpenForm, OpenLog
from tui.ui.footer import Footer
from tui.ui.once import once
from tui.why.why_text import Row, View, page

ASK_EVERY = 5.0
"""Seconds from an answer until the context is asked again."""
_DONE = (JobState.RUNNING, JobState.STOPPING)
"""States in which a job does not wait, beside those at the end."""
_OFFER_KEYS = 9

ItemKey = tuple[str, ...]
"""What tells a link or an offer from the others, in this answer and in the next."""


class WhyScreen(JobScreen):
    """Explains its job anew while it is open; where the context is silent, the last answer stays.

    The cursor goes over the links of the chain and the offers.
    """

    CSS_PATH = "why_screen.tcss"
    AUTO_FOCUS = ""
    where = Place.WHY
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.WHY, "screen"),
        *(Binding(str(key), f"screen.offer({key})", show=False) for key in range(2, _OFFER_KEYS + 1)),
        Binding("pageup", "screen.page(-1)", show=False),
        Binding("pagedown", "screen.page(1)", show=False),
    ]

    @dataclass(eq=False)
    class Explained(Message):
        """The context has explained the job, or why it did not."""

        answer: Explanation | BackendError

    def __init__(
        self, job: Job, backend: JobBackend, feed: ContextFeed, opener: Callable[[Job], None]
    ) -> None:
        """Explain a job. `opener` is told of the job that an offer has made."""
        super().__init__()
        self._job, self._backend, self._feed, self._opener = job, backend, feed, opener
        self._found: Explanation | None = None
        self._answered = datetime.now(UTC)
        """When `_found` was said."""
        self._failed: BackendError | None = None
        self._gone = False
        self._timer: Timer | None = None
        self._cursor: ItemKey = ()
        self._unfolded: set[ItemKey] = set()
        self._rows: list[Row] = []
        self._shown: tuple[object, ...] = ()

    @property
    def backend(self) -> JobBackend:
        return self._backend

    @property
    def job(self) -> Job:
        return self._job

    def deleted(self) -> None:
        if self.is_current:
            self.app.pop_screen()

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="trouble")
        with VerticalScroll(can_focus=False):
            yield Static(id="page")
        yield Footer(self.session)

    def on_mount(self) -> None:
        self._feed.changed.subscribe(self, self._follow)
        self._job = self._feed.store.jobs.get(self._job.ref.uid, self._job)  # what came while this was opened
        self._show()
        self._ask_now()

    def on_resize(self) -> None:
        self._show()

    def on_screen_resume(self) -> None:
        """Ask again after a login."""
        if isinstance(self._failed, LoginNeeded):
            self._ask_now()

    # Asking

    def _follow(self, difference: Difference) -> None:
        """Take up what has changed of the job; another state needs another explanation at once."""
        uid = self._job.ref.uid
        if uid in difference.removed:
            self._gone = True
        elif uid in difference.changed:
            before, self._job = self._job, self._feed.store.jobs.get(uid, self._job)
            if before.state is not self._job.state:
                self._ask_now()
            elif self._timer is None:
                self._ask_later()
        else:
            return
        self._show()

    def _ask_now(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._ask()

    def _ask_later(self) -> None:
        self._timer = once(self, ASK_EVERY, self._ask_now)

    @work(exclusive=True, group="explain", exit_on_error=False)
    async def _ask(self) -> None:
        try:
            self.post_message(self.Explained(await self._backend.explain(self._job.ref)))
        except BackendError as error:
            self.post_message(self.Explained(error))

    def on_why_screen_explained(self, message: Explained) -> None:
        """Show the answer; without one the last stays. Ask again later, unless all is said."""
        answer = message.answer
        if isinstance(answer, Explanation):
            self._found, self._answered, self._failed = answer, datetime.now(UTC), None
        else:
            self._failed, self._gone = answer, self._gone or isinstance(answer, NotFound)
            self.session.login_prompt.ask(answer)
        self._show()
        if self._timer is None and not self._is_final:
            self._ask_later()

    @property
    def _is_final(self) -> bool:
        return self._gone or (self._job.ended and self._failed is None)

    # Drawing

    @property
    def _answer(self) -> Explanation:
        """What is known: until there is an answer, the sentence of the list."""
        return self._found or Explanation(sentence=self._job.reason)

    @property
    def _items(self) -> list[ItemKey]:
        links = [("link", cause.id, cause.object) for cause in self._answer.chain]
        return [*links, *(("offer", offer.id, offer.sentence) for offer in self._answer.offers)]

    @property
    def _index(self) -> int:
        """The item under the cursor: at first what blocks; -1 where there is none."""
        items = self._items
        if self._cursor in items:
            return items.index(self._cursor)
        return max(0, len(self._answer.chain) - 1) if items else -1

    def _why_no_offer(self) -> str:
        """Return why no offer can be taken, as a sentence; "" where one can."""
        if self.session.read_only:
            return "traindeck is read-only here."
        return self.session.permissions.why_not(Verb.CREATE) or self._job.read_only

    def _show(self) -> None:
        state = "deleted" if self._gone else self._job.state.value
        title = Content.assemble(
            (f" {clean(self._job.name, 80)}", "bold"), f"  {self._job.state.style.symbol} {state}  why"
        )
        trouble, rows = self._trouble_text(), self._page()
        if self._shown != (title, trouble, rows):
            self._shown, self._rows = (title, trouble, rows), rows
            self.query_one("#title", Static).update(title)
            self.query_one("#trouble", Static).update(Content(trouble))
            self.query_one("#trouble", Static).set_class(bool(trouble), "shown")
            lines = (Content.assemble(*row.parts) for row in rows)
            self.query_one("#page", Static).update(Content("\n").join(lines))
            self.query_one(Footer).refresh()

    def _trouble_text(self) -> str:
        if not self._failed:
            return "" if self._found else "Asking why ..."
        why = clean(fragment(str(self._failed).replace("\n", " ")), 300)
        if not self._found:
            return f"Why is not known: {why}"
        age = span((datetime.now(UTC) - self._answered).total_seconds())
        return f"This was said {age} ago; now: {why}"

    def _page(self) -> list[Row]:
        answer, items = self._answer, self._items
        unfolded = frozenset(at for at, item in enumerate(items) if item in self._unfolded)
        room = self.query_one(VerticalScroll).scrollable_content_region.width or self.size.width
        view = View(
            cursor=self._index,
            unfolded=unfolded,
            barred=self._why_no_offer(),
            below_offers=[changed_fields(self._job.spec, offer) for offer in answer.offers],
            below_failure=f"{self.session.keys.get('why_log', 'l')} opens its log at the first error",
        )
        return page(self._job, answer, datetime.now(UTC), room - 1, view)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer no number that has no offer."""
        if action == "offer" and parameters[0] not in range(1, len(self._answer.offers) + 1):
            return False
        return super().check_action(action, parameters)

    def action_why_up(self) -> None:
        """Move the cursor up; from the first item on, show what stands above."""
        self._move(-1)

    def action_why_down(self) -> None:
        """Move the cursor down; from the last item on, show what stands below."""
        self._move(1)

    def _move(self, step: int) -> None:
        items, index = self._items, self._index + step
        scroll = self.query_one(VerticalScroll)
        if not 0 <= index < len(items):
            scroll.scroll_relative(y=3 * step, animate=False)
            return
        self._cursor = items[index]
        self._show()
        lines = [at for at, row in enumerate(self._rows) if row.item == index]
        top, height = scroll.scroll_offset.y, scroll.scrollable_content_region.height
        if lines[0] < top or lines[-1] >= top + height:
            scroll.scroll_to(y=lines[0] if step < 0 else lines[-1] - height + 1, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll by a page."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=step * (scroll.scrollable_content_region.height - 1), animate=False)

    def action_why_open(self) -> None:
        """Unfold or fold the raw text of the link under the cursor, or take the offer there."""
        index, links = self._index, len(self._answer.chain)
        if index >= links:
            self.action_offer(index - links + 1)
        elif index >= 0:
            self._unfolded ^= {self._items[index]}
            self._show()

    def action_log(self) -> None:
        """Open the log; of a job that failed, at its first error."""
        failed = self._job.state is JobState.FAILED or self._answer.failure is not None
        self.session.request(OpenLog(self._job, self._backend, at_error=failed))

    def action_why_back(self) -> None:
        self.app.pop_screen()

    # Offers

    def action_offer(self, number: int) -> None:
        """Open the form, filled in like the job, with the change of an offer (from 1) marked."""
        offers = self._answer.offers
        if number > len(offers) or self.blocked(Verb.CREATE):
            return
        if why := self._why_no_offer():
            self.app.notify(clean(why))
        else:
            self._open_form(offers[number - 1])

    def _open_form(self, offer: Offer) -> None:
        try:
            spec = with_changes(self._job.spec, offer.changes)
        except Invalid as error:
            self._show_failure(f"{clean(self._job.name)} cannot be changed like this", error)
            return
        before = texts_before(self._job.spec, offer)
        self.session.request(OpenForm(self._backend, spec, self.created, before))

    def created(self, job: Job) -> None:
        """Go back with the new job to where this was opened; ask first whether the one that waits stays."""
        self._replace(job)

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def _replace(self, new: Job) -> None:
        old, backend = self._job, self._backend
        waits = not old.ended and old.state not in _DONE and not self._gone and not old.read_only
        if waits and await self._confirmed(Verb.DELETE, [old], *replace_question(old, new)):
            self._run(self._delete(old, backend, wait=True), not_done(Verb.DELETE, old))
        if self.is_current:
            self.app.pop_screen()
        self._opener(new)
