"""The ranks of one job side by side: the end of each log, what each uses, and who is slow."""

from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from backend_client.job_use import measuring, read_use
from backend_client.logs.follow import follow_lines
from backend_client.models import Job
from backend_client.progress.rank_pace import KEPT, RankPace, RankPaces
from backend_client.progress.slow_rank import SlowRank, slow_rank
from backend_client.protocol import JobBackend, LogQuery
from backend_client.usage import Usage, UsageHistory


class RankTable(Struct, frozen=True, kw_only=True):
    """The ranks of one job."""

    paces: tuple[RankPace, ...] = ()
    """Without the single steps."""
    usage: Usage | None = None
    """None where the context tells of no use."""
    slow: SlowRank | None = None


async def read_ranks(backend: JobBackend, job: Job) -> RankTable:
    """Read the ranks of a job once. Raises a BackendError where its log or its use cannot be read."""
    paces = RankPaces()
    async with aclosing(follow_lines(backend, LogQuery(ref=job.ref, tail=KEPT))) as batches:
        async for batch in batches:
            paces.feed(batch)
    metered = measuring(backend)
    usage, history = await read_use(metered, job) if metered else (None, None)
    return put_together(paces, usage, history)


def put_together(paces: RankPaces, usage: Usage | None, history: UsageHistory | None) -> RankTable:
    """Return the ranks as their logs tell of them so far, with what they use, where that is known."""
    ranks = paces.ranks.values()
    return RankTable(
        paces=tuple(replace(pace, steps=()) for pace in ranks), usage=usage, slow=slow_rank(ranks, history)
    )
