"""What jobs use now as the rows of a table, and what stands below it. Pure.

An empty cell is a figure that nobody told.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.models import Job, JobUsage
from backend_client.models.names import natural_key
from backend_client.text.figures import (
    bytes_text,
    celsius_text,
    cores_text,
    of_bytes,
    share_text,
    short_local_time,
    time_left,
    watts_text,
)
from backend_client.text.sanitize import clean
from backend_client.usage import GpuUsage, Measure, RankUsage, Usage, UsageSource

Rows = list[list[str]]
"""The titles, then the rows."""
_SHORTEST_NAME, _SOURCE = 12, 11
"""Cells that a name, and a source, have at least where there is little room."""


def job_rows(
    jobs: Iterable[Job],
    usages: Mapping[str, JobUsage],
    now: datetime,
    *,
    namespaces: bool,
    wide: bool = False,
) -> Rows:
    """Return a row for each running job, by name. `namespaces`: the name has its namespace before it."""
    titles = ["NAME", "GPUS", "UTIL", "MIN", "GPUMEM", "POWER", "CPU", "MEM", "SEEN"]
    rows = [[*titles, *(["OWNER", "NODE"] if wide else []), "SOURCE"]]
    for job in sorted(jobs, key=lambda job: (natural_key(job.name), job.ref.uid)):
        used = usages.get(job.ref.uid, JobUsage())
        name = f"{job.ref.namespace}/{job.name}" if namespaces else job.name
        rows.append(
            [
                clean(name, 300),
                str(job.spec.gpus * job.spec.nodes * job.spec.replicas),
                share_text(used.gpu),
                share_text(used.gpu_min),
                share_text(used.gpu_memory),
                watts_text(used.power),
                cores_text(used.cpu),
                bytes_text(used.memory),
                _seen(used.as_of, now),
                *([job.owner, job.attempts[-1].node if job.attempts else ""] if wide else []),
                clean(used.source, 100),
            ]
        )
    return _figures_right(rows, range(1, 9))


def shorten_names(rows: Rows, width: int) -> Rows:
    """Cut the names in the first column so that all others have their room in `width` cells."""
    others = [max(map(len, column)) for column in list(zip(*rows, strict=True))[1:]]
    others[-1] = min(others[-1], _SOURCE)
    room = max(_SHORTEST_NAME, width - sum(others) - 2 * len(others))
    return [[clean(row[0], room), *row[1:]] for row in rows]


class _Column(NamedTuple):
    """A column of the ranks' table: what a GPU, or a rank, has to say there."""

    title: str
    of_gpu: Callable[[GpuUsage], str] | None = None
    of_rank: Callable[[RankUsage], str] | None = None
    """Said once for each rank, in the row of its first GPU."""
    always: bool = False
    """It stands there even where nothing is known."""
    wide: bool = False
    right: bool = True


def _columns(now: datetime) -> tuple[_Column, ...]:
    return (
        _Column("RANK", of_rank=lambda rank: str(rank.rank), always=True),
        _Column("GPU", lambda gpu: clean(gpu.gpu, 40), always=True, right=False),
        _Column("UTIL", lambda gpu: share_text(gpu.utilisation), always=True),
        _Column("ACTIVE", lambda gpu: share_text(gpu.activity)),
        _Column("GPUMEM", lambda gpu: of_bytes(gpu.memory, gpu.memory_total), always=True),
        _Column("POWER", lambda gpu: watts_text(gpu.power)),
        _Column("TEMP", lambda gpu: celsius_text(gpu.temperature)),
        _Column("CPU", of_rank=lambda rank: cores_text(rank.cpu), always=True),
        _Column("MEM", of_rank=lambda rank: of_bytes(rank.memory, rank.memory_limit), always=True),
        _Column("SEEN", of_rank=lambda rank: _seen(_oldest(rank), now)),
        _Column("NODE", of_rank=lambda rank: clean(rank.node, 60), right=False),
        _Column("PRODUCT", lambda gpu: clean(gpu.product, 60), wide=True, right=False),
        _Column("UUID", lambda gpu: clean(gpu.uuid, 60), wide=True, right=False),
        _Column("POD", of_rank=lambda rank: clean(rank.pod, 253), wide=True, right=False),
    )


def rank_rows(usage: Usage, now: datetime, *, wide: bool = False) -> Rows:
    """Return a row for each GPU of each rank; a rank without GPUs has one too."""
    columns = [column for column in _columns(now) if wide or not column.wide]
    cells = [
        [_cell(column, rank, gpu, place) for column in columns]
        for rank in sorted(usage.ranks, key=lambda rank: rank.rank)
        for place, gpu in enumerate(rank.gpus or (None,))
    ]
    kept = [n for n, column in enumerate(columns) if column.always or any(row[n] for row in cells)]
    rows = [[columns[n].title for n in kept], *([row[n] for n in kept] for row in cells)]
    return _figures_right(rows, [place for place, n in enumerate(kept) if columns[n].right])


def _cell(column: _Column, rank: RankUsage, gpu: GpuUsage | None, place: int) -> str:
    if column.of_rank:
        return column.of_rank(rank) if not place else ""
    return column.of_gpu(gpu) if gpu and column.of_gpu else ""


def _oldest(rank: RankUsage) -> datetime | None:
    """Return when the oldest of a rank's figures was read."""
    return min(filter(None, [rank.as_of, *(gpu.as_of for gpu in rank.gpus)]), default=None)


def _figures_right(rows: Rows, columns: Iterable[int]) -> Rows:
    for column in columns:
        width = max(len(row[column]) for row in rows)
        for row in rows:
            row[column] = row[column].rjust(width)
    return rows


def _seen(when: datetime | None, now: datetime) -> str:
    return time_left((now - when).total_seconds()) if when else ""


def job_notes(jobs: Iterable[Job], usages: Mapping[str, JobUsage]) -> list[str]:
    """Return what no column says of jobs: errors of their GPUs."""
    return [
        f"{job.name}: a GPU has reported the error XID {usages[job.ref.uid].xid}"
        for job in jobs
        if job.ref.uid in usages and usages[job.ref.uid].xid
    ]


_WORDS = {Measure.MEMORY: "GPU memory", Measure.CPU: "CPU", Measure.RSS: "memory"}


def source_notes(sources: Sequence[UsageSource]) -> list[str]:
    """Return where figures come from, then why others are missing."""
    told = [
        f"{source.name}: {', '.join(_WORDS.get(measure, measure) for measure in source.gives)}"
        for source in sources
        if source.gives
    ]
    missing = [f"{source.name}: {source.missing}{_since(source)}" for source in sources if source.missing]
    return [*([f"Figures from {'; '.join(told)}"] if told else []), *missing]


def _since(source: UsageSource) -> str:
    return f", since {short_local_time(source.since)}" if source.since else ""
