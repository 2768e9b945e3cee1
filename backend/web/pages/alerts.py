"""Alerts of one's jobs: what fires, what has recovered; seen or snoozed by a form."""

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from backend.authorization import Action, may, visible_users
from backend.routes.deps import CanAcknowledge, CanSee, RuntimeDep
from backend.web.deps import COUNTED, SiteDep
from backend.web.forms import Form, read_form
from backend_client.alerts.alert import Alert
from backend_client.errors import Invalid
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
from backend_client.text.figures import utc_time
from backend_client.text.sanitize import clean

COLOURS = {Standing.FIRING: "red", Standing.SNOOZED: "yellow"}
"""Of the word; the others are muted."""
router = APIRouter(include_in_schema=False, dependencies=COUNTED)


class Line(NamedTuple):
    """A line of the list."""

    alert: Alert
    stands: Standing
    colour: str
    job: str
    sentence: str
    about: list[str]
    """All that is known of it; points in time are in UTC."""


@router.get("/alerts")
async def alerts(
    request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, everybody: bool = False
) -> Response:
    """The alerts, newest first; `everybody`: of all jobs that the caller may see."""
    found = await runtime.alerts.list(caller, everybody=everybody)
    now = datetime.now(UTC)
    lines = [_line(alert, now) for alert in newest_first(found.items)]
    return site.page(
        request,
        "alerts.html",
        caller=caller,
        lines=lines,
        everybody=everybody,
        sees_others=visible_users(caller) != frozenset({caller.user_id}),
        firing_ids=[line.alert.id for line in lines if line.stands is Standing.FIRING],
        acting=may(caller, Action.ACKNOWLEDGE),
        choices=[*snooze_choices(now)],
        titles=TITLES,
        nothing=NOTHING,
        recovered=RECOVERED,
    )


@router.post("/alerts/acknowledge")
async def acknowledge(
    request: Request, runtime: RuntimeDep, caller: CanAcknowledge, site: SiteDep
) -> Response:
    """Note that somebody has seen the alerts of these ids."""
    form = await read_form(request)
    for alert_id in form.all("id"):
        await runtime.alerts.acknowledge(caller, alert_id)
    return _back(site, form)


@router.post("/alerts/snooze")
async def snooze(request: Request, runtime: RuntimeDep, caller: CanAcknowledge, site: SiteDep) -> Response:
    """Tell of an alert no more for a while. Tomorrow begins in the time zone of the person's quiet hours."""
    form = await read_form(request)
    zone = ZoneInfo((await runtime.alerts.wishes(caller)).quiet.zone)
    choices = snooze_choices(datetime.now(zone))
    until = choices.get(form.text("for"))
    if until is None:
        raise Invalid({"for": f"write one of {', '.join(choices)}"})
    await runtime.alerts.snooze(caller, form.text("id"), until.astimezone(UTC))
    return _back(site, form)


def _back(site: SiteDep, form: Form) -> Response:
    return site.redirect("/alerts", everybody="1" if form.text("everybody") else "")


def _line(alert: Alert, now: datetime) -> Line:
    _, _, job, sentence = row_cells(alert, now)
    stands = standing(alert, now)
    lines = about(alert, now, utc_time)
    if alert.owner:
        lines.insert(1, f"owner {clean(alert.owner, 40)}")
    return Line(alert, stands, COLOURS.get(stands, "white"), job, sentence, lines)
