"""The log of a job: its end, live; older lines, a line that a link names, what matches; all of it as text."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from markupsafe import Markup

from backend.auth.caller import Caller
from backend.jobs.log_reading import healed_log, started
from backend.jobs.log_text import text_parts
from backend.jobs.rows import JobSelector, find_row, job_of
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.routes.streams import StreamCaller, text_stream
from backend.runtime import Runtime
from backend.web.deps import SiteDep, page_stream
from backend.web.log.find import Found, find_before, find_end, find_line, found_none
from backend.web.log.part import MOST_READ, SHOWN
from backend.web.log.place import parse_place
from backend.web.log.stream import log_frames
from backend.web.log.view import LogView, Shown, ViewDep
from backend.web.rendering import Site
from backend_client.errors import BackendError, NotFound
from backend_client.logs import Search
from backend_client.logs.search import TOO_SLOW
from backend_client.protocol import JobBackend
from backend_client.text.empty_reason import LOG_DELETED, empty_reason
from backend_client.text.sanitize import clean

router = APIRouter(include_in_schema=False)
_SEARCH_SECONDS = 0.5
"""What a search may take for all lines of a page, whoever has written them and the expression."""


async def _shown(runtime: Runtime, caller: Caller, name: str, selector: JobSelector) -> Shown:
    async with runtime.database.read() as session:
        row, owner = await find_row(session, caller, name, selector, deleted=True)
    cached = runtime.jobs.hub.get(row.cluster, row.uid or "")
    return Shown(cached.job if cached else job_of(row, owner), row.deleted is not None)


@router.get("/jobs/{name}/log")
async def log(  # noqa: PLR0917  one for each part of the request
    name: str,
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    selector: SelectedJob,
    view: ViewDep,
    at: Annotated[str, Query(max_length=80)] = "",
    before: Annotated[str, Query(max_length=80)] = "",
    tail: Annotated[int, Query(ge=1, le=MOST_READ)] = 2 * SHOWN,
) -> Response:
    """Show the newest lines, and what comes next; those `before` a line; or, `at` one, what is around it."""
    shown = await _shown(runtime, caller, name, selector)
    runtime.jobs.hub.note_look()
    if shown.is_deleted:
        found = found_none(LOG_DELETED)
    elif at:
        found = await find_line(runtime.jobs, shown, view, at)
    elif before:
        found = await find_before(runtime.jobs, shown, view, before, tail)
    else:
        found = await find_end(runtime.jobs, shown, view)
    context = await asyncio.to_thread(_lines, site, shown, view, found)
    context |= _state(runtime.jobs, shown, found) | _links(site, shown, view)
    context["failure_url"] = _failure_url(site, shown, view, found)
    return site.page(
        request, "log.html", caller=caller, job=shown.job, shown=shown, view=view, at=at, **context
    )


def _search(text: str) -> tuple[Search | None, str]:
    try:
        return (Search.parse(text, seconds=_SEARCH_SECONDS) if text else None), ""
    except ValueError as error:
        return None, clean(error, 200)


def _lines(site: Site, shown: Shown, view: LogView, found: Found) -> dict[str, Any]:
    """Return the lines as HTML, and what a search found in them."""
    search, mistake = _search(view.q)
    reading, part, html = found.reading, found.part, shown.html(site, view, search)
    rendered, hits = html.lines(part.lines, part.names, reading.failure.number if reading.failure else -1)
    count = len(rendered)
    first = next(filter(None, part.names[len(part.names) - count :]), "")
    is_first = part.is_first and count == len(part.lines)
    reach = min(MOST_READ, part.behind + count + 2 * SHOWN)
    if view.only and search:
        rendered = [line for line in rendered if " hit" in line[: line.index(">")]]
    return {
        "lines": Markup("".join(rendered)),  # noqa: S704  each was rendered
        "unfinished": Markup(html.unfinished(reading.buffer)) if part.is_last else "",  # noqa: S704  as above
        "count": count,
        "hits": hits,
        "mistake": mistake,
        "searched": search,
        "too_slow": TOO_SLOW,
        "older": "" if is_first or not first else shown.url(site, view, before=first, tail=reach),
    }


def _failure_url(site: Site, shown: Shown, view: LogView, found: Found) -> str:
    """Return the address of the line with the first error, "" where none was read."""
    failure = found.reading.failure
    if not failure:
        return ""
    lines, names = found.reading.finished
    name = names[failure.number - lines[0].number]
    return f"#{name}" if name in found.part.names else f"{shown.url(site, view, at=name)}#{name}"


def _state(service: JobService, shown: Shown, found: Found) -> dict[str, Any]:
    """Return what is said of the reading, and whether the page goes on."""
    reading, part = found.reading, found.part
    ended = shown.job.ended and reading.is_whole
    live = part.is_last and reading.error is None and not ended
    return {
        "error": reading.error,
        "lost": clean(reading.lost, 200),
        "missing": found.missing,
        "failure": reading.failure,
        "live": live,
        "after": str(reading.place),
        "empty": empty_reason(shown.job, _backend(service, shown), reading=live and not reading.is_whole),
        "end": reading.end if part.is_last and ended and part.lines else "",
    }


def _backend(service: JobService, shown: Shown) -> JobBackend | None:
    try:
        return service.clusters.get(shown.job.ref.context).backend
    except BackendError:
        return None


def _links(site: Site, shown: Shown, view: LogView) -> dict[str, str]:
    """Return the addresses of the same log shown in another way, of its stream and its text."""
    ref, ranks = shown.job.ref, ["", *map(str, shown.ranks)]
    rank, times = view.lines["rank"], view.query["times"]
    place = ranks.index(rank) if rank in ranks else 0
    several = len(ranks) > 2
    return {
        "newest_url": shown.url(site, view),
        "times_url": shown.url(site, view, times="" if view.times else "1"),
        "wrap_url": shown.url(site, view, wrap="0" if view.wrap else ""),
        "rank_before": shown.url(site, view, rank=ranks[place - 1]) if several else "",
        "rank_after": shown.url(site, view, rank=ranks[(place + 1) % len(ranks)]) if several else "",
        "download": site.job_url(ref, "log.txt", **view.lines, times=times),
        "stream": site.url(
            f"/live/jobs/{quote(ref.name, '')}/log",
            cluster=ref.context,
            uid=ref.uid,
            **view.lines,
            times=times,
            wrap=view.query["wrap"],
        ),
    }


@router.get("/jobs/{name}/log.txt")
async def text(
    name: str, runtime: RuntimeDep, caller: StreamCaller, selector: SelectedJob, view: ViewDep
) -> Response:
    """Send the whole log as text, to be saved."""
    shown = await _shown(runtime, caller, name, selector)
    if shown.is_deleted:
        raise NotFound(LOG_DELETED)
    batches = await started(runtime.revocations, caller, healed_log(runtime.jobs, shown.log_query(view)))
    answer = text_stream(runtime.revocations, caller, text_parts(batches, timestamps=view.times))
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(shown.job.name, '')}.log"
    return answer


@router.get("/live/jobs/{name}/log")
async def live(  # noqa: PLR0917  one for each part of the request
    name: str,
    runtime: RuntimeDep,
    caller: StreamCaller,
    site: SiteDep,
    selector: SelectedJob,
    view: ViewDep,
    after: Annotated[str, Query(max_length=50_000)] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """Send `lines` as HTML with the unfinished ones, `lost` where the link breaks, `closed` at the end.

    The id of an event is the place behind it: `Last-Event-ID`, or `after`, goes on there.
    """
    shown = await _shown(runtime, caller, name, selector)
    place = parse_place(last_event_id or after)
    tail = None if place.cursor else shown.tail(view)
    log_items = healed_log(runtime.jobs, shown.log_query(view, follow=True, tail=tail), place.cursor)
    return page_stream(runtime, caller, log_frames(log_items, place, shown.html(site, view)))
