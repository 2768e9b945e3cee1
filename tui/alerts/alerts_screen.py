"""The alerts of a context: what fires, what has recovered; seen, snoozed or silenced by key."""

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from msgspec.structs import replace
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backend_client.alerts.alert import Alert, AlertList, HasAlertWishes, HasSilence
from backend_client.errors import BackendError, LoginNeeded, fragment
from backend_client.models import Job
from backend_client.protocol import Feature
from backend_client.text.alerts import (
    NOTHING,
    RECOVERED,
    TITLES,
    Standing,
    about,
    newest_first,
    row_cells,
    snooze_choices,
    standing,
)
from backend_client.text.sanitize import clean
from tui.actions import Action, Place
from tui.alerts.alerts_text import STYLES, format_cells
from tui.bindings import bindings
from tui.messages import OpenAlerts, OpenLog, OpenText
from tui.session import Guarded
from tui.ui.confirm import ConfirmScreen
from tui.ui.footer import Footer
from tui.ui.pick_screen import Pick, PickScreen
from tui.ui.rows import Rows

REFRESH_SECONDS = 10.0
"""How often the alerts are asked for while they are on the screen."""
_OF_AN_ALERT = ("alert_job", "alert_log", "alert_seen", "alerts_seen", "alert_snooze", "alert_silence")
"""Actions on what has fired."""
_ENDS = "looked for by this program, and only while it is open"


class AlertsScreen(Screen[None], Guarded):
    """Reads the alerts while it is shown; the cursor follows its alert."""

    CSS_PATH = "alerts_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.ALERTS
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.ALERTS, "screen"),
        Binding("q", "screen.alerts_back", show=False),
    ]

    @dataclass(eq=False)
    class AlertsLoaded(Message):
        """The alerts as they are now, or why they are not known."""

        alerts: AlertList | BackendError

    def __init__(self, request: OpenAlerts) -> None:
        super().__init__()
        self._request = request
        self._source, self._backend = request.source, request.backend
        self._alerts: list[Alert] = []
        self._shown: list[str] = []
        self._texts: dict[str, Content] = {}
        """What stands in each place beside the rows."""
        self._is_loaded = self._ends_with_program = False
        self._failed: BackendError | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="head")
        yield Rows()
        yield Static(id="about")
        yield Static(Content("reading ..."), id="status")
        yield Footer(self.session)

    def on_mount(self) -> None:
        self._show_title()
        self.call_after_refresh(self._read)
        self.set_interval(REFRESH_SECONDS, self._read_again)

    @property
    def alert(self) -> Alert | None:
        """The alert under the cursor."""
        at = self.query_one(OptionList).highlighted
        return self._alerts[at] if at is not None and at < len(self._alerts) else None

    def label_of(self, action: Action) -> str:
        """Return what the footer calls an action; "" for those on an alert where there is none."""
        return action.label if self.alert or action.id not in _OF_AN_ALERT else ""

    # What is read

    @work(exclusive=True, group="alerts", exit_on_error=False)
    async def _read(self) -> None:
        try:
            alerts: AlertList | BackendError = await self._source.alerts()
        except BackendError as error:
            alerts = error
        self.post_message(self.AlertsLoaded(alerts))

    def _read_again(self) -> None:
        """Read the alerts, unless another screen hides them."""
        if self.is_current:
            self._read()

    def on_alerts_screen_alerts_loaded(self, message: AlertsLoaded) -> None:
        """Show the alerts, or why they are not known; what was read before stays."""
        if isinstance(message.alerts, BackendError):
            self._failed = message.alerts
            self._show_status(str(message.alerts), wrong=True)
            self.session.login_prompt.ask(message.alerts)
            return
        self._failed = None
        self._alerts = newest_first(message.alerts.items)
        self._ends_with_program = message.alerts.ends_with_program
        self._show()

    def on_screen_resume(self) -> None:
        """Ask again after a login, and for what happened under another screen."""
        if isinstance(self._failed, LoginNeeded) or self._is_loaded:
            self._read()

    # What is shown

    def _show_status(self, words: str, *, wrong: bool = False) -> None:
        self.query_one("#status").set_class(wrong, "wrong")
        self._put("status", Content(clean(words, 600)))

    def _put(self, name: str, text: Content) -> None:
        """Show a text in its place, unless it stands there: what is painted anew is sent anew."""
        if self._texts.get(name) != text:
            self._texts[name] = text
            self.query_one(f"#{name}", Static).update(text)

    def _show(self) -> None:
        """Draw the rows anew where one differs; the cursor stays on its alert, or where it was."""
        rows, now, width = self.query_one(OptionList), datetime.now(UTC), self.size.width
        lines = [_row(alert, now, width) for alert in self._alerts]
        shown = [line.plain for line in lines]
        if shown != self._shown or not self._is_loaded:
            at = rows.highlighted or 0
            chosen = rows.get_option_at_index(at).id if rows.option_count > at else self._first()
            self._put("head", Content.styled(_head(width) if lines else "", "bold"))
            rows.clear_options()
            rows.add_options(
                Option(line, id=alert.id) for line, alert in zip(lines, self._alerts, strict=True)
            )
            ids = [alert.id for alert in self._alerts]
            if ids:
                rows.highlighted = ids.index(chosen) if chosen in ids else min(at, len(ids) - 1)
            self.query_one(Footer).refresh()
        self._shown, self._is_loaded = shown, True
        self._show_about()
        self._show_title()
        self._show_status("" if lines else NOTHING)

    def _show_title(self) -> None:
        ends = (f"  {_ENDS}", "$text-muted") if self._ends_with_program else ""
        name = (f" {clean(self._backend.context, 40)}  alerts", "bold")
        self._put("title", Content.assemble(name, ends))

    def _first(self) -> str | None:
        """Return the id of the newest alert of the job that this was opened for."""
        return next((alert.id for alert in self._alerts if alert.job.uid == self._request.uid), None)

    def _show_about(self) -> None:
        alert = self.alert
        self._put("about", Content("\n".join(about(alert, datetime.now(UTC))) if alert else ""))

    def on_option_list_option_highlighted(self) -> None:
        """Show all that is known of the alert under the cursor."""
        self._show_about()

    def on_resize(self) -> None:
        """Lay every row out anew."""
        if self._is_loaded:
            self._show()

    # Keys

    def action_alert_seen(self) -> None:
        """Acknowledge the alert under the cursor."""
        if (alert := self.alert) and not alert.acknowledged:
            self._change(self._source.acknowledge(alert.id), "It was not acknowledged")

    def action_alerts_seen(self) -> None:
        """Acknowledge all alerts that fire."""
        now = datetime.now(UTC)
        for alert in self._alerts:
            if standing(alert, now) is Standing.FIRING:
                self._change(self._source.acknowledge(alert.id), "It was not acknowledged")

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_alert_snooze(self) -> None:
        """Ask for how long, and snooze the alert under the cursor."""
        alert = self.alert
        if not alert:
            return
        if standing(alert, datetime.now(UTC)) is Standing.RECOVERED:
            self.app.notify(RECOVERED)
            return
        choices = snooze_choices(datetime.now().astimezone())
        picks = [Pick(words, f"until {until:%a %H:%M}") for words, until in choices.items()]
        screen = PickScreen("Tell of it no more for", picks, note=alert.sentence)
        if chosen := await self.app.push_screen_wait(screen):
            until = choices[chosen].astimezone(UTC)
            self._change(self._source.snooze(alert.id, until), "It was not snoozed")

    @work(exclusive=True, group="ask", exit_on_error=False)
    async def action_alert_silence(self) -> None:
        """Tell of the rule under the cursor no more for its job, after a question."""
        alert = self.alert
        if not alert:
            return
        if not isinstance(self._source, HasSilence):
            self.app.notify("A rule cannot be silenced for one job here: z snoozes it, r has the rules.")
            return
        question = f"Never tell of {alert.rule} for {alert.job.name} again?"
        if await self.app.push_screen_wait(ConfirmScreen(question, alert.sentence, "Silence")) is True:
            self._change(self._source.silence(alert.id), "It was not silenced")

    def _change(self, act: Coroutine[object, object, Alert], failed: str) -> None:
        """Run a change to its end, even where this screen is left meanwhile."""

        async def do() -> None:
            try:
                alert = await act
            except BackendError as error:
                self._show_failure(failed, error)
            else:
                self._take(alert)

        self.app.run_worker(do(), group="act", exit_on_error=False)

    def _show_failure(self, failed: str, error: BackendError) -> None:
        if self.session.login_prompt.ask(error):
            self.app.notify(f"{failed}: {fragment(error.title)}", severity="error")
        else:
            self.session.request(OpenText(failed, str(error)))

    def _take(self, alert: Alert) -> None:
        """Put an alert in place of what it was."""
        self._request.changed()
        if self.is_attached:
            self._alerts = [
                replace(alert, deliveries=alert.deliveries or old.deliveries) if old.id == alert.id else old
                for old in self._alerts
            ]
            self._show()
            self._read()

    def on_option_list_option_selected(self) -> None:
        """Open the detail of the job, where it is in the list."""
        if job := self._job():
            self._request.open_job(job)

    def action_alert_job(self) -> None:
        """Open the detail of the job of the alert under the cursor."""
        self.query_one(OptionList).action_select()

    def action_alert_log(self) -> None:
        """Open the log of the job of the alert under the cursor."""
        if job := self._job():
            self.session.request(OpenLog(job, self._backend, at_error=job.ended))

    def _job(self) -> Job | None:
        """Return the job of the alert under the cursor; say so where it is not in the list."""
        if not (alert := self.alert):
            return None
        job = self._request.jobs.get(alert.job.uid)
        if not job:
            self.app.notify(f"{clean(alert.job.name, 80)} is not in your list of jobs.")
        return job

    def action_alert_rules(self) -> None:
        """Open the rules, the channels and the quiet hours."""
        if why := self.session.permissions.why_not(Feature.ALERTS):
            self.app.notify(why)
        elif not isinstance(self._backend, HasAlertWishes):
            self.app.notify("This server is older, and sends no alerts.")
        else:
            from tui.alerts.wishes_screen import WishesScreen  # noqa: PLC0415  seldom opened

            self.app.push_screen(WishesScreen(self._backend, self._backend.context))

    def action_alerts_refresh(self) -> None:
        """Read the alerts anew."""
        self._show_status("reading ...")
        self._read()

    def action_alerts_back(self) -> None:
        """Go back to where this was opened."""
        self.dismiss(None)


def _head(width: int) -> str:
    return f" {' '.join(format_cells(TITLES, width))}"


def _row(alert: Alert, now: datetime, width: int) -> Content:
    how = standing(alert, now)
    since, stands, job, words = format_cells(row_cells(alert, now), width)
    quiet = "" if how in (Standing.FIRING, Standing.SNOOZED) else "$text-muted"
    return Content.assemble(
        f" {since} ", (stands, STYLES.get(how, "$text-muted")), (f" {job} {words}", quiet)
    )
