"""The list of jobs: in order, filtered, in groups, and live."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from markupsafe import Markup
from msgspec import Struct

from backend.authorization import Action, may
from backend.clusters.event_log import CachedJob
from backend.clusters.hub import Hub
from backend.jobs.reading import audience_of
from backend.routes.deps import CanSee, RuntimeDep
from backend.routes.streams import StreamCaller
from backend.web.deps import SiteDep, page_stream
from backend.web.rendering import Site
from backend.web.rows import COLUMNS, RowFrames, RowRenderer
from backend_client.job_order import Group, Order, group_key, matches, order_key
from backend_client.models import Job, JobState
from backend_client.protocol import Verb
from backend_client.server.bodies import VisibleJobs
from backend_client.text.clusters import link_sentence
from backend_client.text.job_cells import states_text
from backend_client.text.questions import under_way

PAGE = 100
"""Jobs on one page of the list."""
MOST_DONE = 1_000
"""Jobs in one question."""
SCREEN = "browser"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
router = APIRouter(include_in_schema=False)


class Listing(Struct, frozen=True):
    """How a list is shown, as its address says."""

    q: str = ""
    """Words that each job of the list has."""
    order: Order = Order.ATTENTION
    group: Group = Group.NONE
    page: int = 1

    @property
    def query(self) -> dict[str, object]:
        """The same as an address has it; what is as usual is left out."""
        usual = Listing()
        named = {"q": self.q, "order": self.order.name.lower(), "group": self.group.name.lower()}
        return {name: word for name, word in named.items() if getattr(self, name) != getattr(usual, name)}

    @property
    def address(self) -> dict[str, object]:
        """The same with the page."""
        return self.query | ({"page": self.page} if self.page > 1 else {})

    def select(self, jobs: Sequence[CachedJob]) -> list[CachedJob]:
        """Return the jobs that have all words, in order."""
        words = tuple(self.q.lower().split())
        chosen = [cached for cached in jobs if not words or matches(cached.job, words)]
        return sorted(chosen, key=lambda cached: self._key(cached.job))

    def heading(self, job: Job) -> str:
        """Return the heading of the group that a job is in; "" where there are none."""
        return group_key(self.group, job)[1]

    def _key(self, job: Job) -> tuple[object, ...]:
        return group_key(self.group, job), order_key(self.order, job)


def parse_listing(
    q: Annotated[str, Query(max_length=200)] = "",
    order: str = "",
    group: str = "",
    page: Annotated[int, Query(ge=1, le=10**6)] = 1,
) -> Listing:
    """Read from the query how the list is shown; a word that is none means the usual."""
    orders = {one.name.lower(): one for one in Order}
    groups = {one.name.lower(): one for one in Group}
    return Listing(q, orders.get(order, Order.ATTENTION), groups.get(group, Group.NONE), page)


ListingDep = Annotated[Listing, Depends(parse_listing)]


def done_query(verb: Verb, names: Sequence[str]) -> dict[str, object]:
    """Return what the list's address says of what was just done to jobs of these names."""
    if len(names) == 1:
        return {"done": verb, "name": names[0]}
    return {"done": verb, "count": len(names)} if names else {}


def parse_done(done: str = "", name: str = "", count: Annotated[int, Query(ge=1, le=MOST_DONE)] = 1) -> str:
    """Read from the query what was just done, as a sentence; no words of a link's maker are in it."""
    verb = next((verb for verb in (Verb.STOP, Verb.RESUME, Verb.DELETE) if verb == done), None)
    if verb is None or (count == 1 and not _NAME.fullmatch(name)):
        return ""
    return under_way(verb, name, count)


class JobPages:
    """What the list's routes share for all who look: the rows, and how they are streamed."""

    def __init__(self, site: Site, hub: Hub) -> None:
        self.rows = RowRenderer(site, hub)
        self.frames = RowFrames(self.rows)


def _job_pages(request: Request) -> JobPages:
    pages: JobPages = request.app.state.job_pages
    return pages


JobPagesDep = Annotated[JobPages, Depends(_job_pages)]


@router.get("/")
async def start(site: SiteDep) -> Response:
    """Send on to the list, where one begins."""
    return site.redirect("/jobs")


@router.get("/jobs")
async def jobs(  # noqa: PLR0917  one for each part of the request
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    pages: JobPagesDep,
    listing: ListingDep,
    said: Annotated[str, Depends(parse_done)],
) -> Response:
    """Show one page of the list."""
    hub, audience = runtime.jobs.hub, await audience_of(runtime.jobs, caller)
    last_id = hub.last_id(audience)
    chosen = listing.select(hub.jobs_for(audience))
    last = max(1, -(-len(chosen) // PAGE))
    number = min(listing.page, last)
    shown = chosen[(number - 1) * PAGE : number * PAGE]
    hub.note_look()
    uids = tuple(cached.job.ref.uid for cached in shown)
    await runtime.jobs.visible_jobs.set_visible_jobs(caller, VisibleJobs(SCREEN, uids))
    return site.page(
        request,
        "jobs.html",
        caller=caller,
        listing=listing,
        groups=[*_groups(listing, shown, pages.rows)],
        counts=_counts(listing, chosen),
        count=len(chosen),
        number=number,
        last=last,
        last_id=last_id,
        columns=COLUMNS,
        orders=Order,
        groupings=Group,
        links=[*filter(None, map(link_sentence, hub.links_for(audience)))],
        said=said,
        barred=may(caller, Action.STOP).why,
        own=audience.users == frozenset({caller.user_id}),
        page_size=PAGE,
    )


@router.get("/live/jobs")
async def live(
    runtime: RuntimeDep,
    caller: StreamCaller,
    pages: JobPagesDep,
    after: str = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """`rows` that changed, uids that are `gone`, each `link`; `reread` for a list that is too old."""
    audience = await audience_of(runtime.jobs, caller)
    frames = runtime.jobs.hub.frames(audience, last_event_id or after, pages.frames)
    return page_stream(runtime, caller, frames)


def _counts(listing: Listing, chosen: Sequence[CachedJob]) -> dict[str, str]:
    """Return heading -> how many of a sweep's jobs are in which state, on whatever page they are."""
    if listing.group is not Group.SWEEP:
        return {}
    found: dict[str, list[JobState]] = {}
    for cached in chosen:
        if cached.job.spec.sweep.name:
            found.setdefault(listing.heading(cached.job), []).append(cached.job.state)
    return {heading: states_text(states) for heading, states in found.items()}


def _groups(
    listing: Listing, shown: Sequence[CachedJob], rows: RowRenderer
) -> Iterator[tuple[str, list[Markup]]]:
    """Yield (heading, rows) of each group; without groups one whose heading is empty."""
    now = datetime.now(UTC)
    for heading, jobs in groupby(shown, key=lambda cached: listing.heading(cached.job)):
        yield heading, [rows.row(cached).html(now) for cached in jobs]
