"""`top`: what running jobs use; with a name by rank and GPU, or ranks side by side. Once, or live (-w)."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NamedTuple, cast

from msgspec import to_builtins

from backend_client.errors import BackendError, Invalid, NotFound, Refused, fragment, sentence
from backend_client.models import Job, JobState
from backend_client.progress.rank_table import RankTable, read_ranks
from backend_client.protocol import Feature, JobBackend, JobQuery, Scope
from backend_client.text.ranks import TITLES, rank_rows_of, slow_words
from backend_client.text.usage import gpu_notes
from backend_client.usage import HasUsage, Usage, UsageTable
from tui.cli.arguments import Parser, whole_number
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job, list_all_jobs
from tui.cli.output import Table, json_text, print_as, print_data, print_message, yaml_text
from tui.cli.redraw import Redraw
from tui.cli.streams import stdout
from tui.usage.top_text import Rows, job_notes, job_rows, rank_rows, shorten_names, source_notes

_SECOND_LOOK = 1.0
"""Seconds after which CPU is read again where the first reading could not tell it."""


def add_top_flags(parser: Parser) -> None:
    """Add the flags of `top`."""
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="one job, by rank and GPU")
    parser.add_argument(
        "-w", "--watch", action="store_true", help="go on, drawn anew in place; ctrl+c ends it"
    )
    parser.add_argument(
        "--ranks", action="store_true", help="with a name: steps, pace, use and silence of its ranks"
    )
    parser.add_argument(
        "--every", type=_seconds, default=5, metavar="SECONDS", help="with -w: read so often (5)"
    )


def _seconds(text: str) -> int:
    return max(1, whole_number(text))


async def top(args: argparse.Namespace, backend: JobBackend) -> int:
    """Show what the running jobs use now."""
    if args.ranks and not args.name:
        raise Invalid({"NAME": "is missing: --ranks is about one job"})
    needed = Feature.RANKS if args.ranks else Feature.METRICS
    if needed not in backend.features:
        what = "A job's ranks are" if args.ranks else "What jobs use is"
        raise Refused(f"{what} not told here.", backend.missing_features.get(needed, ""))
    if args.ranks:
        read = _Ranks(args, backend, await find_job(backend, args.name, args.scope)).read
    elif args.name:
        job = await find_job(backend, args.name, args.scope)
        read = _OneJob(args, backend, job).read
    else:
        read = _AllJobs(args, backend).read
    first = await read()
    if first.lacks_cpu:
        await asyncio.sleep(_SECOND_LOOK)
        first = await read()
    if args.watch:
        return await _watch(args, backend, read, first)
    _print(args, first)
    return 0


class _Reading(NamedTuple):
    """What is shown of one moment."""

    names: tuple[str, ...]
    rows: Rows
    notes: list[str]
    data: UsageTable | Usage | RankTable
    lacks_cpu: bool
    """CPU is told of no job although its memory is: a second reading may have it."""
    is_last: bool = False
    """There will be nothing more to read."""


class _AllJobs:
    """The running jobs."""

    def __init__(self, args: argparse.Namespace, backend: JobBackend) -> None:
        self._args, self._backend = args, backend

    async def read(self) -> _Reading:
        query = JobQuery(namespace=self._args.scope, states=frozenset({JobState.RUNNING}))
        jobs = await list_all_jobs(self._backend, query)
        table = await cast("HasUsage", self._backend).usages(Scope(self._args.scope))
        rows = job_rows(
            jobs,
            table.jobs,
            datetime.now(UTC),
            namespaces=self._args.all_namespaces,
            wide=self._args.output == "wide",
        )
        notes = [*([] if jobs else ["no job runs here"]), *job_notes(jobs, table.jobs)]
        lacks_cpu = any(used.cpu is None and used.memory is not None for used in table.jobs.values())
        names = tuple(job.name for job in jobs)
        return _Reading(names, rows, [*notes, *source_notes(table.sources)], table, lacks_cpu)


class _OneJob:
    """One job, by rank and GPU, until it ends."""

    def __init__(self, args: argparse.Namespace, backend: JobBackend, job: Job) -> None:
        self._args, self._backend, self._job = args, backend, job

    async def read(self) -> _Reading:
        job = await self._backend.get(self._job.ref)
        usage = await cast("HasUsage", self._backend).usage(job.ref)
        rows = rank_rows(usage, datetime.now(UTC), wide=self._args.output == "wide")
        notes = [*([] if usage.ranks else [_nothing_words(job)]), *gpu_notes(usage)]
        lacks_cpu = any(rank.cpu is None and rank.memory is not None for rank in usage.ranks)
        return _Reading(
            (job.name,), rows, [*notes, *source_notes(usage.sources)], usage, lacks_cpu, is_last=job.ended
        )


class _Ranks:
    """The ranks of one job side by side, until it ends."""

    def __init__(self, args: argparse.Namespace, backend: JobBackend, job: Job) -> None:
        self._args, self._backend, self._job = args, backend, job

    async def read(self) -> _Reading:
        job = await self._backend.get(self._job.ref)
        table = await read_ranks(self._backend, job)
        found = rank_rows_of(job, table, datetime.now(UTC))
        rows = [[*TITLES], *([str(cell) for cell in row] for row in found)]
        slow = slow_words(table.slow, job)
        notes = [*([slow] if slow else []), *(source_notes(table.usage.sources) if table.usage else [])]
        return _Reading((job.name,), rows, notes, table, lacks_cpu=False, is_last=job.ended)


def _nothing_words(job: Job) -> str:
    if job.state is JobState.RUNNING:
        return f"nobody tells what {job.name} uses"
    return f"{job.name} does not run: it is {job.state.value}"


def _print(args: argparse.Namespace, reading: _Reading) -> None:
    if args.output == "name":
        for name in reading.names:
            print_data(name)
    elif not print_as(args.output, lambda: to_builtins(reading.data)):
        if len(reading.rows) > 1:
            _table(args, reading).print()
        for note in reading.notes:
            print_message(sentence(note))


def _table(args: argparse.Namespace, reading: _Reading) -> Table:
    cuts = stdout.isatty() and not args.name and args.output != "wide"
    titles, *rows = shorten_names(reading.rows, stdout.width) if cuts else reading.rows
    return Table(titles, rows)


async def _watch(
    args: argparse.Namespace, backend: JobBackend, read: Callable[[], Awaitable[_Reading]], first: _Reading
) -> int:
    """Print one reading after another. What went wrong is said below the last good one, which stays."""
    screen, reading, failed = Redraw(stdout), first, ""
    while True:
        if args.output in ("table", "wide"):
            head = f"{backend.context}  {datetime.now().astimezone():%H:%M:%S}  every {args.every} s"
            table = _table(args, reading).lines(stdout.width if stdout.isatty() else None)
            shown = table if len(reading.rows) > 1 else []
            screen.show([head, *shown, *map(sentence, [*reading.notes, *([failed] if failed else [])])])
        elif not failed:
            _print_record(args.output, reading)
            stdout.flush()
        if reading.is_last:
            return 0
        await asyncio.sleep(args.every)
        try:
            reading, failed = await read(), ""
        except NotFound:
            raise
        except BackendError as error:
            failed = (
                failed
                or f"not up to date since {datetime.now().astimezone():%H:%M:%S}: {fragment(error.title)}"
            )


def _print_record(output: str, reading: _Reading) -> None:
    """Print one reading as data: JSON in one line, YAML as a document, or names."""
    if output == "json":
        print_data(json_text(to_builtins(reading.data), indent=-1))
    elif output == "yaml":
        print_data("---")
        print_data(yaml_text(to_builtins(reading.data)))
    else:
        for name in reading.names:
            print_data(name)


TOP = BackendHandler(top, add_top_flags)
