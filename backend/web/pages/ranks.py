"""The ranks of one job side by side, with the one that sets the pace."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from backend.jobs import reading
from backend.jobs.ranks_reading import paces_of
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.web.deps import SiteDep
from backend.web.job.questions import Answer, Answers, answer, ask_use
from backend_client.progress.rank_pace import RankPaces
from backend_client.progress.rank_table import RankTable, put_together
from backend_client.text.empty_reason import LOG_DELETED, empty_reason
from backend_client.text.ranks import TITLES, rank_rows_of, slow_words
from backend_client.text.usage import source_lines

router = APIRouter(include_in_schema=False)
_LOG_SECONDS = 5.0
"""So long does the page wait for the log."""


@router.get("/jobs/{name}/ranks")
async def ranks(  # noqa: PLR0917  one for each part of the request
    name: str, request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, selector: SelectedJob
) -> Response:
    """Show how far each rank is, what it uses, and which is slow."""
    known = await reading.known_job(runtime.jobs, caller, name, selector)
    found, now = known.job, datetime.now(UTC)
    started = not known.deleted and bool(found.attempts or found.started)
    paces, use = Answer[RankPaces](), Answers()
    if started:
        use = await ask_use(runtime.jobs, caller, found)
        paces = await answer(paces_of(runtime.jobs, found), _LOG_SECONDS)
    table = _table(paces, use)
    return site.page(
        request,
        "ranks.html",
        caller=caller,
        job=found,
        deleted=known.deleted,
        why="" if started else LOG_DELETED if known.deleted else empty_reason(found),
        paces=paces,
        titles=TITLES,
        rows=rank_rows_of(found, table, now) if started else [],
        slow=table.slow,
        slow_words=slow_words(table.slow, found),
        sources=source_lines(use.reading, now) if use.reading else [],
        no_use=use.no_use,
        zone=f"{now.astimezone():%Z}",
    )


def _table(paces: Answer[RankPaces], use: Answers) -> RankTable:
    read = use.reading
    return put_together(
        paces.value or RankPaces(), read.usage if read else None, read.history if read else None
    )
