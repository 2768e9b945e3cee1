"""`jobs`: list jobs once, or watch them (-w)."""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from backend_client.errors import sentence
from backend_client.models import Job, JobRef, JobState
from backend_client.models.names import natural_key
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
from backend_client.text.figures import local_time
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import add_selection_flags, list_all_jobs, selection
from tui.cli.output import (
    Table,
    job_fields,
    json_text,
    print_as,
    print_data,
    print_message,
    state_text,
    yaml_text,
)
from tui.cli.streams import Painted, stdout
from tui.jobs.columns import Column, verb_columns

_STATES = {state.value: state for state in JobState}


def add_jobs_flags(parser: Parser) -> None:
    """Add the flags of `jobs`."""
    parser.add_argument("-w", "--watch", action="store_true", help="go on, with a line for every change")
    add_selection_flags(parser)


async def jobs(args: argparse.Namespace, backend: JobBackend) -> int:
    """List jobs, those that need a person first."""
    query = selection(args)
    if args.watch:
        return await _watch(args, backend, query)
    selected = sorted(await list_all_jobs(backend, query), key=_sort_key)
    if args.output == "name":
        for job in selected:
            print_data(job.name)
    elif not print_as(args.output, lambda: [job_fields(job) for job in selected]):
        _table(selected, _columns(args)).print(_coloured_state)
        if not selected:
            print_message(
                "There are no jobs here."
                if not (args.state or args.label or args.sweep)
                else "No job is like that."
            )
    return 0


def _sort_key(job: Job) -> tuple[object, ...]:
    return job.state.style.rank, -job.created.timestamp(), natural_key(job.name)


def _columns(args: argparse.Namespace) -> tuple[Column, ...]:
    return verb_columns(wide=args.output == "wide", namespace=args.all_namespaces)


def _table(jobs: Iterable[Job], columns: Sequence[Column]) -> Table:
    return Table([column.cell.title for column in columns], (_cells(job, columns) for job in jobs))


def _cells(job: Job, columns: Sequence[Column], state: str = "") -> list[str]:
    """Return the cells of one job; `state` is shown instead of its own."""
    now = datetime.now(UTC)
    return [state if state and column.name == "state" else column.cell.text(job, now) for column in columns]


def _coloured_state(cells: list[str]) -> Sequence[str | Painted]:
    """Colour the second of the padded cells, which every table of jobs has for the state."""
    state = _STATES.get(cells[1].strip())
    return [cells[0], state_text(state, len(cells[1])), *cells[2:]] if state else cells


class _WatchPrinter:
    """Prints for `jobs -w` what has changed since it was last printed, by uid."""

    def __init__(self, args: argparse.Namespace, query: JobQuery) -> None:
        self.output = args.output
        self.columns = _columns(args)
        self.query = query
        self.printed: dict[str, tuple[object, ...]] = {}
        self.jobs: dict[str, Job] = {}
        self.active: dict[str, JobRef] = {}
        """Jobs that were seen before they ended: their progress is read."""
        self._visible: set[str] = set()
        self.table: Table | None = None

    def matches(self, job: Job) -> bool:
        """Return True if the query selects the job."""
        query = self.query
        return (not query.states or job.state in query.states) and all(
            job.spec.labels.get(key) == value for key, value in query.labels.items()
        )

    async def report_visible_jobs(self, backend: JobBackend) -> None:
        """Tell the backend whose progress to read, when that has changed."""
        if self.active.keys() != self._visible and self.output != "name":
            self._visible = set(self.active)
            await backend.set_visible_jobs(list(self.active.values()))

    def print_list(self) -> None:
        """Print the list once it is complete; when it is listed again, print what changed meanwhile."""
        selected = sorted(filter(self.matches, self.jobs.values()), key=_sort_key)
        if self.table is None and self.output in ("table", "wide"):
            self.table = _table(selected, self.columns)
            self.table.print_row(self.table.titles)
        for job in selected:
            self.update(job)

    def update(self, job: Job) -> None:
        """Print a job that is new or changed; in a table, progress alone is no change."""
        uid = job.ref.uid
        self.jobs[uid] = job
        if self.matches(job) and not job.ended:
            self.active[uid] = job.ref
        printed = (
            (job,) if self.table is None and self.output != "name" else (job.state, job.reason, job.restarts)
        )
        if self.matches(job) and self.printed.get(uid) != printed:
            self.printed[uid] = printed
            self.print_job(job)

    def remove(self, uid: str) -> None:
        """Print that a job is deleted, and forget it."""
        job = self.jobs.pop(uid, None)
        self.active.pop(uid, None)
        if job and self.printed.pop(uid, None) and self.table:
            self.table.print_row(_cells(job, self.columns, state="deleted"))

    def print_job(self, job: Job) -> None:
        """Print one job in the chosen output."""
        if self.table:
            self.table.print_row(_cells(job, self.columns), _coloured_state)
        elif self.output == "json":
            print_data(json_text(job_fields(job), indent=-1))
        elif self.output == "yaml":
            print_data("---")
            print_data(yaml_text(job_fields(job)))
        else:
            print_data(job.name)


async def _watch(args: argparse.Namespace, backend: JobBackend, query: JobQuery) -> int:
    printer = _WatchPrinter(args, query)
    synced, listed = False, set[str]()
    async with aclosing(backend.watch([Scope(args.scope)])) as batches:  # type: ignore[type-var]
        async for batch in batches:
            for event in batch:
                if isinstance(event, Snapshot):
                    printer.jobs.update((job.ref.uid, job) for job in event.jobs)
                    listed |= {job.ref.uid for job in event.jobs}
                elif isinstance(event, Synced):
                    for uid in set(printer.jobs) - listed:
                        printer.remove(uid)
                    printer.print_list()
                    synced, listed = True, set()
                elif isinstance(event, Changed):
                    for job in event.jobs:
                        printer.update(job) if synced else printer.jobs.update({job.ref.uid: job})
                elif isinstance(event, Gone):
                    for ref in event.refs:
                        printer.remove(ref.uid)
                else:
                    _print_freshness(event)
            stdout.flush()
            await printer.report_visible_jobs(backend)
    return 0


def _print_freshness(freshness: Freshness) -> None:
    if freshness.state is FreshnessState.SYNCING:
        if freshness.why:
            print_message(sentence(f"Still {freshness.why}"))
    elif freshness.state is not FreshnessState.LIVE:
        print_message(f"not up to date since {local_time(freshness.since)}: {freshness.why}")


JOBS = BackendHandler(jobs, add_jobs_flags)
