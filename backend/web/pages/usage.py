"""What was held and used, in groups: a table, and the same as CSV."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query, Request, Response
from msgspec import Struct

from backend.error_responses import status_of
from backend.jobs.rows import now
from backend.routes.deps import CanSee, RuntimeDep
from backend.routes.request_text import in_range
from backend.usage import queries
from backend.web.deps import COUNTED, SiteDep
from backend_client.errors import Invalid
from backend_client.text.history import parse_time
from backend_client.text.usage_report import (
    GROUPS,
    NOTHING,
    PERIODS,
    TITLES,
    cells,
    csv_text,
    group_text,
    notes,
    period_words,
    title,
)
from backend_client.usage_report import GroupBy, ReportQuery, UsageReport

_PERIODS = {f"{days}d": period_words(days) for days in PERIODS}
"""What is written for a period, and how it is called."""
router = APIRouter(include_in_schema=False, dependencies=COUNTED)


class Asked(Struct, frozen=True):
    """Which report, in the words of its address."""

    by: GroupBy = "user"
    since: str = f"{queries.DEFAULT.days}d"
    until: str = ""
    user: str = ""
    zone: str = ""

    @property
    def following_period(self) -> str:
        """The next longer period, after the longest the shortest."""
        known = [*_PERIODS]
        return known[(known.index(self.since) + 1) % len(known)] if self.since in known else known[0]

    def query(self) -> ReportQuery:
        """Read it. Raises Invalid, by field."""
        zone, times, wrong = _zone_of(self.zone), dict[str, datetime](), dict[str, str]()
        for name, text in (("since", self.since), ("until", self.until)):
            try:
                if text:
                    times[name] = in_range(parse_time(text, zone=zone))
            except ValueError as error:
                wrong[name] = str(error)
        if wrong:
            raise Invalid(wrong)
        return ReportQuery(by=self.by, user=self.user, zone=self.zone or "UTC", **times)


def _zone_of(name: str) -> ZoneInfo:
    """Return whose days are meant; of a zone that is none the report says so."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def parse_asked(
    by: GroupBy = "user",
    since: Annotated[str, Query(max_length=64)] = "",
    until: Annotated[str, Query(max_length=64)] = "",
    user: Annotated[str, Query(max_length=64)] = "",
    zone: Annotated[str, Query(max_length=64)] = "",
) -> Asked:
    """Read from the query which report is asked for."""
    return Asked(by, since.strip() or Asked().since, until.strip(), user.strip(), zone.strip())


AskedDep = Annotated[Asked, Depends(parse_asked)]


@router.get("/usage")
async def usage(
    request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, asked: AskedDep
) -> Response:
    """The report, or what is wrong with the question, at its field."""
    report: UsageReport | None = None
    wrong: Invalid | None = None
    try:
        report = await queries.report(runtime.database, caller, asked.query(), now())
    except Invalid as error:
        wrong = error
    return site.page(
        request,
        "usage.html",
        caller=caller,
        status=status_of(wrong) if wrong else 200,
        asked=asked,
        wrong=wrong.fields if wrong else {},
        report=report,
        lines=[(group_text(asked.by, row.group), cells(row)) for row in report.rows] if report else [],
        total=cells(report.total) if report else [],
        notes=notes(report) if report else [],
        groups=GROUPS,
        periods=_PERIODS,
        following=asked.following_period,
        title=title,
        titles=TITLES,
        nothing=NOTHING,
    )


@router.get("/usage.csv")
async def usage_csv(runtime: RuntimeDep, caller: CanSee, asked: AskedDep) -> Response:
    """The same figures for a spreadsheet."""
    report = await queries.report(runtime.database, caller, asked.query(), now())
    headers = {"Content-Disposition": f'attachment; filename="usage-by-{asked.by}.csv"'}
    return Response(f"{csv_text(report)}\n", headers=headers, media_type="text/csv; charset=utf-8")
