"""Series of several jobs as CSV: a line for each point. Pure."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from backend_client.progress.points import NO_STEP, Points
from backend_client.progress.series_reader import SeriesReader
from backend_client.text.usage_report import csv_cell


def compare_csv(readers: Sequence[SeriesReader], wanted: Sequence[str]) -> str:
    """Return the series of these names, of all jobs; an unknown step or time is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["step", "time", "job", "series", "value"])
    for reader in readers:
        for name, points in told(reader, wanted):
            job, series = csv_cell(reader.job.name), csv_cell(name)
            for step, time, figure in point_rows(points):
                writer.writerow(["" if step is None else step, time or "", job, series, repr(figure)])
    return out.getvalue().rstrip("\n")


def told(reader: SeriesReader, wanted: Sequence[str]) -> Iterator[tuple[str, Points]]:
    """Yield those of the series that a job tells, with their names."""
    by_name = reader.series.by_name
    return ((name, by_name[name]) for name in wanted if name in by_name)


def point_rows(points: Points) -> Iterator[tuple[int | None, str | None, float]]:
    """Yield step, time and figure of each point; None for what is not known."""
    for (step, figure), seconds in zip(points.points, points.times, strict=True):
        time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else None
        yield None if step == NO_STEP else step, time, figure
