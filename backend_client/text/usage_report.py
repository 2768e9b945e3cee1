"""A report of what was held and used, as cells and as CSV (pure). What was not measured is never 0."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from backend_client.text.sanitize import clean
from backend_client.usage_report import GroupBy, ReportRow, UsageReport

GROUPS: tuple[GroupBy, ...] = ("user", "team", "queue", "project", "day", "gpu_type")
TITLES = ("HELD", "RAN", "IDLE", "PREEMPTED", "FAILED", "WAITED", "JOBS")
PERIODS = (1, 7, 30, 90, 365)
"""Days until now that are often asked for."""
NOTHING = "Nothing was held in that time."
UNKNOWN = "-"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet runs, where a cell begins with it."""
_SEEN = 0.05
"""Hours that show in a cell at all."""


def hours(amount: float) -> str:
    """Format hours: 0.4, 12.3, 1234."""
    return f"{amount:.0f}" if amount >= 100 else f"{amount:.1f}"


def cells(row: ReportRow) -> list[str]:
    """Return the texts of what was held, ran, the idle share, preempted, failed, waited, the jobs.

    ~ stands before hours whose end nobody saw.
    """
    about = "~" if row.uncertain >= _SEEN else ""
    return [
        about + hours(row.held),
        hours(row.running),
        UNKNOWN if row.idle is None else f"{row.idle:.0%}",
        hours(row.preempted),
        hours(row.failed),
        hours(row.waited),
        str(row.jobs),
    ]


def group_text(by: GroupBy, group: str) -> str:
    """Return the name of a group; what has none is said to have none."""
    return clean(group, 60) or f"no {title(by).lower()}"


def title(by: GroupBy) -> str:
    """Return the title of a column of groups."""
    return {"gpu_type": "GPU type"}.get(by, by.capitalize())


def period_words(days: int) -> str:
    """Return a period in words."""
    return "24 hours" if days == 1 else f"{days} days"


def notes(report: UsageReport) -> list[str]:
    """Return what a reader has to know of the figures, a sentence each."""
    total = report.total
    found = []
    if total.uncertain >= _SEEN:
        found.append(f"~ {hours(total.uncertain)} of the GPU-hours may not have been: nobody saw their end")
    if total.held and total.coverage < 1:
        found.append(f"{total.coverage:.0%} of them were measured; idle is told from 80% on")
    return found


_COLUMNS = (
    "held_gpu_hours",
    "ran_gpu_hours",
    "idle_share",
    "utilisation",
    "measured_share",
    "preempted_gpu_hours",
    "failed_gpu_hours",
    "waited_hours",
    "uncertain_gpu_hours",
    "jobs",
)


def csv_text(report: UsageReport) -> str:
    """Return a report as CSV: one line of titles, then a line for each group, without a total."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([report.by, "since", "until", *_COLUMNS])
    writer.writerows(_csv_rows(report))
    return out.getvalue().rstrip("\n")


def _csv_rows(report: UsageReport) -> Iterable[list[str]]:
    since, until = _iso(report.since), _iso(report.until)
    for row in report.rows:
        figures = (
            row.held,
            row.running,
            row.idle,
            row.utilisation,
            row.coverage,
            row.preempted,
            row.failed,
            row.waited,
            row.uncertain,
        )
        yield [csv_cell(row.group), since, until, *map(_decimal, figures), str(row.jobs)]


def _decimal(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4f}"


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def csv_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    text = clean(text, 300)
    return f"'{text}" if text.startswith(_FORMULA) else text
