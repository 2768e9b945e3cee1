"""The ranks of a job side by side: how far, how fast, what they use, how long silent. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.models import Attempt, Job
from backend_client.progress.rank_pace import RankPace
from backend_client.progress.rank_table import RankTable
from backend_client.progress.slow_rank import SlowRank
from backend_client.text.figures import short, span
from backend_client.text.sanitize import clean
from backend_client.usage import RankUsage

TITLES = ("RANK", "STEP", "PACE", "UTIL", "MEM", "SILENT", "NODE")
_SILENT = 120.0
"""Seconds without a line from which on a silence is said."""
_BASES = {
    "steps": "comes to each step last",
    "pace": "makes fewer steps",
    "utilisation": "its GPUs do less; the ranks print no steps to tell",
}


class RankRow(NamedTuple):
    """One rank; "" where nothing is known."""

    rank: int
    step: str
    pace: str
    util: str
    memory: str
    silent: str
    node: str


def rank_rows_of(job: Job, table: RankTable, now: datetime) -> list[RankRow]:
    """Return a row for each rank that the job, its log or its use tells of."""
    paces = {pace.rank: pace for pace in table.paces}
    used = {rank.rank: rank for rank in table.usage.ranks} if table.usage else {}
    newest = {attempt.rank: attempt for attempt in sorted(job.attempts, key=lambda one: one.number)}
    ranks = sorted({*newest, *used, *paces})
    return [_row(rank, newest.get(rank), paces.get(rank), used.get(rank), now) for rank in ranks]


def _row(
    rank: int, attempt: Attempt | None, pace: RankPace | None, used: RankUsage | None, now: datetime
) -> RankRow:
    silent = (now - pace.last_line).total_seconds() if pace and pace.last_line else 0.0
    ended = attempt is not None and attempt.finished is not None
    node = attempt.node if attempt and attempt.node else (used.node if used else "")
    return RankRow(
        rank=rank,
        step=short(pace.step) if pace and pace.step is not None else "",
        pace=pace_text(pace.rate) if pace and pace.rate else "",
        util=_mean_share([gpu.utilisation for gpu in used.gpus]) if used else "",
        memory=_memory_share(used) if used else "",
        silent="ended" if ended else span(silent) if silent >= _SILENT else "",
        node=clean(node, 60),
    )


def pace_text(rate: float) -> str:
    """Format steps a second as people say it: 3.2/s, and 12 s a step for slower ones."""
    return f"{rate:.3g}/s" if rate >= 1 else f"{1 / rate:.3g} s"


def _mean_share(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{100 * sum(known) / len(known):.0f}%" if known else ""


def _memory_share(used: RankUsage) -> str:
    known = [(gpu.memory, gpu.memory_total) for gpu in used.gpus if gpu.memory is not None]
    total = sum(total or 0 for _, total in known)
    return f"{100 * sum(memory for memory, _ in known) / total:.0f}%" if total else ""


def slow_words(slow: SlowRank | None, job: Job) -> str:
    """Name the rank that sets the pace: "rank 5 is 1.4 x slower than the median since 14:02, on gpu-12"."""
    if slow is None:
        return ""
    node = next((one.node for one in reversed(job.attempts) if one.rank == slow.rank and one.node), "")
    where = f", on {clean(node, 60)}" if node else ""
    since = f"{slow.since.astimezone():%H:%M}"
    if slow.basis == "utilisation":
        how = f"does {slow.factor:.1f} x less than the median" if slow.factor < 100 else "does nothing"
    else:
        how = f"is {slow.factor:.1f} x slower than the median"
    return f"rank {slow.rank} {how} since {since}{where} ({_BASES[slow.basis]})"
