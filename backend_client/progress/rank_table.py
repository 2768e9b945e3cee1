"""The ranks of one job side by side at one moment: the end of each log, what each uses, and who is slow."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from backend_client.logs.follow import follow
from backend_client.models import Job
from backend_client.progress.rank_pace import KEPT, RankPace, RankPaces
from backend_client.progress.slow_rank import SlowRank, slow_rank
from backend_client.protocol import Feature, JobBackend, Lines, LogQuery
from backend_client.usage import HasUsage, Usage, UsageHistory

HISTORY = timedelta(hours=1)
"""Over which the use of ranks is compared, where they print no steps."""


class RankTable(Struct, frozen=True, kw_only=True):
    """The ranks of one job."""

    paces: tuple[RankPace, ...] = ()
    """Without the single steps."""
    usage: Usage | None = None
    """None where the context tells of no use."""
    slow: SlowRank | None = None


async def read_ranks(backend: JobBackend, job: Job) -> RankTable:
    """Read the ranks of a job once. Raises a BackendError where its log cannot be read."""
    paces = RankPaces()
    async with aclosing(follow(backend, LogQuery(ref=job.ref, tail=KEPT))) as batches:
        async for items in batches:
            for batch in items:
                if isinstance(batch, Lines):
                    paces.feed(batch)
    usage: Usage | None = None
    history: UsageHistory | None = None
    if isinstance(backend, HasUsage) and Feature.METRICS in backend.features:
        usage = await backend.usage(job.ref)
        history = await backend.usage_history(job.ref, datetime.now(UTC) - HISTORY)
    ranks = paces.ranks.values()
    return RankTable(
        paces=tuple(replace(pace, steps=()) for pace in ranks), usage=usage, slow=slow_rank(ranks, history)
    )
