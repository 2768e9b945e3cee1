"""`jobs`, once or going on."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from backend_client.errors import Invalid
from backend_client.models import Job, JobRef, JobState
from backend_client.models.fields import parse_field
from backend_client.protocol import (
    Changed,
    Freshness,
    FreshnessState,
    Gone,
    JobBackend,
    JobQuery,
    Scope,
    Snapshot,
    Synced,
)
from tui.cli.arguments import Parser, one_of
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import all_jobs
from tui.cli.output import Table, job_fields, json_text, put, put_as, say, state_text, yaml_text
from tui.jobs.columns import Column, verb_columns
from tui.ui.format import local_time

_STATES = {state.value: state for state in JobState}


def add_jobs_flags(parser: Parser) -> None:
    """What `jobs` takes."""
    parser.add_argument("-w", "--watch", action="store_true", help="go on, with a line for every change")
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        type=one_of(*(state.value for state in JobState)),
        help="only jobs in this state (may be given again)",
    )
    parser.add_argument(
        "-l", "--label", action="append", default=[], metavar="K=V", help="only jobs with this label"
    )


async def jobs(args: argparse.Namespace, backend: JobBackend) -> int:
    """List jobs, what needs a person first."""
    query = _query(args)
    if args.watch:
        return await _watch(args, backend, query)
    found = sorted(await all_jobs(backend, query), key=_order)
    if args.output == "name":
        for job in found:
            put(job.name)
    elif not put_as(args.output, lambda: [job_fields(job) for job in found]):
        _table(found, _columns(args)).put(_coloured_state)
        if not found:
            say("There are no jobs here." if not (args.state or args.label) else "No job is like that.")
    return 0


def _query(args: argparse.Namespace) -> JobQuery:
    try:
        labels = parse_field("labels", args.label) if args.label else {}
    except ValueError as error:
        raise Invalid({"--label": str(error)}) from None
    return JobQuery(
        namespace=args.scope, states=frozenset(JobState(word) for word in args.state), labels=labels
    )


def _order(job: Job) -> tuple[int, float, str]:
    return job.state.style.rank, -job.created.timestamp(), job.name


def _columns(args: argparse.Namespace) -> tuple[Column, ...]:
    return verb_columns(wide=args.output == "wide", namespace=args.all_namespaces)


def _table(jobs: Iterable[Job], columns: Sequence[Column]) -> Table:
    return Table([column.title for column in columns], (_cells(job, columns) for job in jobs))


def _cells(job: Job, columns: Sequence[Column], state: str = "") -> list[str]:
    """Return the cells of one job; `state` is shown instead of its own."""
    now = datetime.now(UTC)
    return [state if state and column.name == "state" else column.text(job, now) for column in columns]


def _coloured_state(cells: list[str]) -> list[str]:
    """Colour the second of the padded cells, which every table of jobs has for the state."""
    state = _STATES.get(cells[1].strip())
    return [cells[0], state_text(state, len(cells[1])), *cells[2:]] if state else cells


class _Watched:
    """What `jobs -w` has printed of every job, so that it prints what differs."""

    def __init__(self, args: argparse.Namespace, query: JobQuery) -> None:
        self.output = args.output
        self.columns = _columns(args)
        self.query = query
        self.shown: dict[str, tuple[object, ...]] = {}
        self.jobs: dict[str, Job] = {}
        self.going: dict[str, JobRef] = {}
        """Those that had not ended when they were first seen: their progress is worth reading."""
        self._looked_at: set[str] = set()
        self.table: Table | None = None

    def fits(self, job: Job) -> bool:
        """True where the job is one of those asked for."""
        query = self.query
        return (not query.states or job.state in query.states) and all(
            job.spec.labels.get(key) == value for key, value in query.labels.items()
        )

    async def look(self, backend: JobBackend) -> None:
        """Say whose progress is worth reading, where it is that of others than before."""
        if self.going.keys() != self._looked_at and self.output != "name":
            self._looked_at = set(self.going)
            await backend.set_visible_jobs(list(self.going.values()))

    def first(self) -> None:
        """The list has come: print it. When it comes again, print what has changed meanwhile."""
        found = sorted(filter(self.fits, self.jobs.values()), key=_order)
        if self.table is None and self.output in ("table", "wide"):
            self.table = _table(found, self.columns)
            self.table.put_row(self.table.titles)
        for job in found:
            self.change(job)

    def change(self, job: Job) -> None:
        """Print a job that is new or stands differently; a progress alone only as data."""
        uid = job.ref.uid
        self.jobs[uid] = job
        if self.fits(job) and not job.ended:
            self.going[uid] = job.ref
        stands = (
            (job,) if self.table is None and self.output != "name" else (job.state, job.reason, job.restarts)
        )
        if self.fits(job) and self.shown.get(uid) != stands:
            self.shown[uid] = stands
            self.print(job)

    def gone(self, uid: str) -> None:
        """Print a job that is no more."""
        job = self.jobs.pop(uid, None)
        self.going.pop(uid, None)
        if job and self.shown.pop(uid, None) and self.table:
            self.table.put_row(_cells(job, self.columns, state="deleted"))

    def print(self, job: Job) -> None:
        """One job, as it was asked for."""
        if self.table:
            self.table.put_row(_cells(job, self.columns), _coloured_state)
        elif self.output == "json":
            put(json_text(job_fields(job), indent=-1))
        elif self.output == "yaml":
            put("---")
            put(yaml_text(job_fields(job)))
        else:
            put(job.name)


async def _watch(args: argparse.Namespace, backend: JobBackend, query: JobQuery) -> int:
    watched = _Watched(args, query)
    synced, listed = False, set[str]()
    async with aclosing(backend.watch([Scope(args.scope)])) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for event in batch:
                if isinstance(event, Snapshot):
                    watched.jobs.update((job.ref.uid, job) for job in event.jobs)
                    listed |= {job.ref.uid for job in event.jobs}
                elif isinstance(event, Synced):
                    for uid in set(watched.jobs) - listed:
                        watched.gone(uid)
                    watched.first()
                    synced, listed = True, set()
                elif isinstance(event, Changed):
                    for job in event.jobs:
                        watched.change(job) if synced else watched.jobs.update({job.ref.uid: job})
                elif isinstance(event, Gone):
                    for ref in event.refs:
                        watched.gone(ref.uid)
                else:
                    _say_link(event)
            sys.stdout.flush()
            await watched.look(backend)
    return 0


def _say_link(link: Freshness) -> None:
    if link.state is not FreshnessState.LIVE:
        say(f"not up to date since {local_time(link.since)}: {link.why}")


JOBS = BackendHandler(jobs, add_jobs_flags)
