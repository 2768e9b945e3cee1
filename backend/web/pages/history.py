"""The jobs that the server remembers, deleted ones too: newest first, by a filter line."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import replace

from backend.jobs import history_query
from backend.routes.deps import CanSee, RuntimeDep
from backend.routes.request_text import in_range
from backend.web.deps import COUNTED, SiteDep
from backend_client.history import HistoryEntry, HistoryPage, HistoryQuery
from backend_client.models import JobRef
from backend_client.text.history import EXAMPLE, TITLES, cells, nothing_found, parse_query

LIMIT = 100
"""Jobs on one page."""
router = APIRouter(include_in_schema=False, dependencies=COUNTED)


@router.get("/history")
async def history(  # noqa: PLR0917  one for each part of the request
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    q: Annotated[str, Query(max_length=400)] = "",
    after: str = "",
) -> Response:
    """One page; `after` is the cursor of the one before. What is wrong with the filter is said there."""
    query, wrong = HistoryQuery(), ""
    try:
        query = _read(q)
    except ValueError as error:
        wrong = str(error)
    found = (
        HistoryPage(()) if wrong else await history_query.page(runtime.database, caller, query, after, LIMIT)
    )
    now = datetime.now(UTC)
    return site.page(
        request,
        "history.html",
        caller=caller,
        status=422 if wrong else 200,
        q=q,
        wrong=wrong,
        rows=[(entry, _ref_of(entry), cells(entry, now)) for entry in found.items],
        after=after,
        older=found.next,
        titles=TITLES,
        example=EXAMPLE,
        nothing="" if wrong else nothing_found(query),
    )


def _read(words: str) -> HistoryQuery:
    """Read a filter line; its days are those of UTC, as all times of a page are. Raises ValueError."""
    query = parse_query(words, UTC)
    since, until = (when and in_range(when) for when in (query.since, query.until))
    return replace(query, since=since, until=until)


def _ref_of(entry: HistoryEntry) -> JobRef | None:
    """Return which job an entry is; None where it never came to be."""
    if not entry.uid:
        return None
    return JobRef(entry.cluster, entry.namespace, entry.kind, entry.name, entry.uid)
