"""`history`: the jobs that a server remembers, also those that are deleted."""

import argparse
from datetime import UTC, datetime

from msgspec import to_builtins

from backend_client.errors import Refused
from backend_client.history import HasHistory, HistoryEntry, HistoryQuery
from backend_client.models import JobState
from backend_client.protocol import Feature, JobBackend
from backend_client.text.history import cells, parse_time
from tui.cli.arguments import Parser, one_of, whole_number
from tui.cli.handlers import BackendHandler
from tui.cli.output import Table, print_as, print_data, print_message


def add_history_flags(parser: Parser) -> None:
    """Add the flags of `history`."""
    parser.add_argument("text", nargs="?", default="", metavar="TEXT", help="stands in name, command, reason")
    parser.add_argument("--user", default="", metavar="NAME", help="only this user's jobs (admins)")
    states = one_of(*(state.value for state in JobState))
    parser.add_argument(
        "--state", action="append", default=[], type=states, help="how they ended (may be given again)"
    )
    time_help = "7d, 12h, or 2026-11-30"
    parser.add_argument(
        "--since", type=_time, metavar="WHEN", help=f"made at that time or later: {time_help}"
    )
    parser.add_argument("--until", type=_time, metavar="WHEN", help="made before that time")
    parser.add_argument("--limit", type=whole_number, default=100, metavar="N", help="at most so many (100)")


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


async def history(args: argparse.Namespace, backend: JobBackend) -> int:
    """List remembered jobs, newest first."""
    query = HistoryQuery(
        text=args.text,
        user=args.user,
        states=frozenset(JobState(word) for word in args.state),
        since=args.since,
        until=args.until,
    )
    entries = await _load_entries(backend, query, args.limit)
    if args.output == "name":
        for past in entries:
            print_data(past.name)
    elif not print_as(args.output, lambda: [to_builtins(past) for past in entries]):
        rows = [cells(past, datetime.now(UTC)) for past in entries]
        Table(["NAME", "STATE", "OWNER", "GPUS", "GPU-H", "MADE", "TOOK", "HOW IT ENDED"], rows).print()
        if not entries:
            print_message("There was no job like that.")
    return 0


async def _load_entries(backend: JobBackend, query: HistoryQuery, limit: int) -> list[HistoryEntry]:
    if Feature.HISTORY not in backend.features or not isinstance(backend, HasHistory):
        raise Refused("There is no history here.", backend.missing_features.get(Feature.HISTORY, ""))
    page = await backend.history(query)
    entries = list(page.items)
    while page.next and len(entries) < limit:
        page = await backend.history(query, after=page.next)
        entries += page.items
    return entries[:limit]


HISTORY = BackendHandler(history, add_history_flags)
