"""`compare`: several jobs over one another, by the figures in their logs and by their specs."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import Any

from backend_client.errors import Invalid, NotFound
from backend_client.models import Job
from backend_client.models.names import closest_match
from backend_client.progress.points import NO_STEP, Points
from backend_client.progress.series import LOSS
from backend_client.progress.series_reader import READ, SeriesReader
from backend_client.protocol import JobBackend
from backend_client.text.compare import LETTERS, best_end, figure_cells, figure_titles, note, series_names
from backend_client.text.compare_csv import compare_csv, point_rows, told
from backend_client.text.questions import too_many_to_compare
from backend_client.text.sanitize import clean
from backend_client.text.spec_differences import spec_differences, who_has
from tui.cli.arguments import NameAction, Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import Table, print_as, print_block, print_data, print_message

_ALL = "all"


def add_compare_flags(parser: Parser) -> None:
    """Add the flags of `compare`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the jobs, 8 at most")
    parser.add_argument(
        "--series",
        default=LOSS,
        metavar="NAME",
        action=NameAction,
        help=f"which figures: lr, acc, what the logs name; or {_ALL} ({LOSS})",
    )


async def compare(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print last and best figures, and in what the specs differ; as CSV and JSON every figure."""
    names = list(dict.fromkeys(args.names))
    if why := too_many_to_compare(len(names)):
        raise Invalid({"NAME": why})
    jobs = {job.ref.uid: job for job in [await find_job(backend, name, args.scope) for name in names]}
    readers = [SeriesReader(job, backend, of=len(jobs), most=2 * READ) for job in jobs.values()]
    await asyncio.gather(*(reader.read() for reader in readers))
    known = series_names(reader.series.by_name for reader in readers)
    wanted = known if args.series == _ALL else [args.series]
    if known and not set(wanted) & set(known):
        raise _unknown(args.series, known)
    if args.output == "csv":
        print_block(compare_csv(readers, wanted))
        _print_notes(readers, wanted)
    elif args.output == "name":
        for job in jobs.values():
            print_data(job.name)
    elif not print_as(args.output, lambda: _plain(readers, wanted)):
        _print_tables(readers, wanted, known)
    return 0


def _unknown(name: str, known: Sequence[str]) -> NotFound:
    likely = closest_match(name.lower(), known)
    hint = f"Did you mean {likely}? " if likely else ""
    return NotFound(f"There is no series {name} in these logs.", f"{hint}They tell {', '.join(known)}.")


def _print_tables(readers: Sequence[SeriesReader], wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if len(wanted) > 1:
            print_data(f"{'' if name == wanted[0] else chr(10)}{clean(name, 60)}")
        rows = [
            [
                letter,
                reader.job.name,
                *figure_cells(name, reader.series.by_name.get(name)),
                note(reader, name),
            ]
            for letter, reader in zip(LETTERS, readers, strict=False)
        ]
        Table(["", "JOB", *figure_titles(name), "NOTE"], rows).print()
    differing = spec_differences([reader.job.spec for reader in readers])
    if differing:
        print_data("")
        rows = [[field, *both] for field, texts in differing.items() for both in who_has(texts, LETTERS)]
        Table(["DIFFERS", "JOB", "VALUE"], rows).print()
    elif len(readers) > 1:
        print_message("their specs differ in nothing but their names")
    if others := [name for name in known if name not in wanted]:
        print_message(f"also told: {', '.join(others)}; --series NAME or {_ALL} shows them")


def _print_notes(readers: Sequence[SeriesReader], wanted: Sequence[str]) -> None:
    """Print to stderr what a CSV file has no place for."""
    for reader in readers:
        said = [note(reader, name) for name in wanted]
        if any(points.is_thinned for _, points in told(reader, wanted)):
            said.append("of a series this long not every point is printed")
        for sentence in dict.fromkeys(filter(None, said)):
            print_message(f"{reader.job.name}: {sentence}")


def _plain(readers: Sequence[SeriesReader], wanted: Sequence[str]) -> dict[str, Any]:
    """Return all of it as plain data."""
    jobs = [reader.job for reader in readers]
    differing = spec_differences([job.spec for job in jobs])
    return {
        "jobs": [
            {
                **_identity(reader.job),
                "note": note(reader, wanted[0] if wanted else LOSS),
                "series": {name: _plain_series(name, points) for name, points in told(reader, wanted)},
            }
            for reader in readers
        ],
        "differences": [
            {
                "field": field,
                "values": [{**_identity(job), "value": text} for job, text in zip(jobs, texts, strict=True)],
            }
            for field, texts in differing.items()
        ],
    }


def _identity(job: Job) -> dict[str, str]:
    return {"name": job.name, "uid": job.ref.uid}


def _plain_series(name: str, points: Points) -> dict[str, Any]:
    ends = {"last": points.last, "lowest": points.lowest, "highest": points.highest}
    not_finite = points.not_finite
    return {
        **{end: point and _plain_point(point) for end, point in ends.items()},
        "best": best_end(name) or None,
        "not_finite": not_finite and {**_plain_point((not_finite[0], 0.0)), "value": not_finite[1]},
        "points": [
            {"step": step, "time": time, "value": figure} for step, time, figure in point_rows(points)
        ],
    }


def _plain_point(point: tuple[int, float]) -> dict[str, Any]:
    return {"step": None if point[0] == NO_STEP else point[0], "value": point[1]}


COMPARE = BackendHandler(compare, add_compare_flags)
