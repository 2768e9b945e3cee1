"""`usage`: what was held and used, in groups."""

import argparse
from datetime import UTC, datetime

from msgspec import to_builtins

from backend_client.errors import Refused
from backend_client.protocol import Feature, JobBackend
from backend_client.text.history import parse_time
from backend_client.text.usage_report import (
    GROUPS,
    NOTHING,
    TITLES,
    cells,
    csv_text,
    group_text,
    notes,
    title,
)
from backend_client.usage_report import HasAccounting, ReportQuery, UsageReport
from tui.cli.arguments import NameAction, Parser, one_of
from tui.cli.handlers import BackendHandler
from tui.cli.output import Table, print_as, print_block, print_data, print_message
from tui.usage.local_zone import local_zone


def add_usage_flags(parser: Parser) -> None:
    """Add the flags of `usage`."""
    groups = one_of(*(group.replace("_", "-") for group in GROUPS))
    parser.add_argument(
        "--by",
        default="user",
        type=groups,
        metavar="WHAT",
        help=f"a line for each {', '.join(groups.choices)}",  # type: ignore[attr-defined]
    )
    times = "7d, 12h, or 2026-11-30"
    parser.add_argument(
        "--since", type=_time, default="7d", metavar="WHEN", help=f"from that time on: {times} (7d)"
    )
    parser.add_argument("--until", type=_time, metavar="WHEN", help="before that time (now)")
    parser.add_argument("--user", default="", metavar="NAME", action=NameAction, help="only this user's jobs")
    parser.add_argument(
        "--zone",
        default="",
        metavar="ZONE",
        action=NameAction,
        help="whose days: Europe/Berlin (this machine's)",
    )


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def usage(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print what was held and used, the largest group first; days in their order."""
    if Feature.ACCOUNTING not in backend.features or not isinstance(backend, HasAccounting):
        why = backend.missing_features.get(Feature.ACCOUNTING, "")
        raise Refused("Nobody counts here what jobs cost.", why)
    query = ReportQuery(
        by=args.by.replace("-", "_"),
        since=args.since,
        until=args.until,
        zone=args.zone or local_zone(),
        user=args.user,
    )
    report = await backend.usage_report(query)
    if args.output == "csv":
        print_block(csv_text(report))
    elif args.output == "name":
        for row in report.rows:
            print_data(group_text(report.by, row.group))
    elif not print_as(args.output, lambda: to_builtins(report)):
        _print_table(report)
    return 0


def _print_table(report: UsageReport) -> None:
    rows = [[group_text(report.by, row.group), *cells(row)] for row in report.rows]
    if len(rows) > 1:
        rows.append(["total", *cells(report.total)])
    Table([title(report.by).upper(), *TITLES], rows).print()
    if not rows:
        print_message(NOTHING)
        return
    days = (min(report.until, datetime.now(UTC)) - report.since).total_seconds() / 86400
    print_message(f"GPU-hours of {days:.1f} days; waited is hours of jobs")
    for sentence in notes(report):
        print_message(sentence)


USAGE = BackendHandler(usage, add_usage_flags)
