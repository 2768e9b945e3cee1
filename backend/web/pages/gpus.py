"""The machines with GPUs: sums by product, a bar for each machine, who holds what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from backend.auth.caller import Caller
from backend.authorization import sees, visible_users
from backend.clusters.event_log import Audience
from backend.jobs import cluster_reading
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep
from backend.web.deps import SiteDep
from backend_client.errors import sentence
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder
from backend_client.models import JobRef
from backend_client.protocol import Capacity
from backend_client.text.clusters import link_sentence
from backend_client.text.gpus import (
    LABELS,
    SHARE_OF,
    SIGNS,
    TITLES,
    Order,
    Share,
    arranged,
    bar,
    counts_words,
    holder_name,
    nothing_words,
    product_sums,
    product_text,
    shares,
    state_words,
    unknown_words,
)
from backend_client.text.sanitize import clean

router = APIRouter(include_in_schema=False)


class Holding(NamedTuple):
    """What one job holds of a machine."""

    share: Share
    name: str
    gpus: int
    until: datetime | None
    ref: JobRef | None
    """Of a job that the caller may open."""


class Machine(NamedTuple):
    """A line of the table."""

    place: str
    product: str
    node: GpuNode
    cells: tuple[Share, ...]
    """Of its bar, from the left."""
    words: str
    """The bar in words."""
    state: str
    holdings: tuple[Holding, ...]


@router.get("/gpus")
async def gpus(  # noqa: PLR0917  one for each part of the request
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    q: Annotated[str, Query(max_length=200)] = "",
    order: str = "",
) -> Response:
    """Show all machines of all clusters."""
    found = await cluster_reading.nodes(runtime.jobs, caller, "")
    chosen = Order.NAME if order == Order.NAME.name.lower() else Order.FREE
    links = runtime.jobs.hub.links_for(Audience(visible_users(caller)))
    shown = arranged(found.nodes, chosen, q.lower().split())
    return site.page(
        request,
        "gpus.html",
        caller=caller,
        q=q,
        order=chosen,
        orders=Order,
        sums=product_sums(found.nodes),
        machines=[_machine(runtime.jobs, caller, node) for node in shown],
        count=len(found.nodes),
        empty=[] if shown else _empty_words(runtime.jobs, caller, found),
        unsure=[*filter(None, (*map(link_sentence, links), sentence(clean(found.unsure_because, 400))))],
        titles=TITLES,
        labels=LABELS,
        signs=SIGNS,
    )


def _machine(jobs: JobService, caller: Caller, node: GpuNode) -> Machine:
    counts = shares(node)
    return Machine(
        clean(f"{node.cluster}/{node.name}", 80),
        product_text(node),
        node,
        tuple(share for share, count in bar(counts) for _ in range(count)),
        counts_words(counts),
        state_words(node),
        tuple(_holding(jobs, caller, holder) for holder in node.holders),
    )


def _holding(jobs: JobService, caller: Caller, holder: Holder) -> Holding:
    found = jobs.hub.find_owner(holder.uid)
    cached = jobs.hub.get(found[0], holder.uid) if found else None
    ref = cached.job.ref if cached and sees(caller, cached.user_id) else None
    return Holding(SHARE_OF[holder.whose], holder_name(holder), holder.gpus, holder.until, ref)


def _empty_words(jobs: JobService, caller: Caller, found: GpuNodes) -> Sequence[str]:
    """Say why there is no machine; of all clusters together there is no quota that could be told."""
    if not found.unknown_because:
        return [nothing_words(found)]
    mine = jobs.hub.jobs_for(Audience(visible_users(caller)))
    return unknown_words(found, Capacity(), (cached.job for cached in mine))
