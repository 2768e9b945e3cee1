"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.deps import COUNTED
from backend.web.pages import (
    account,
    alerts,
    audit,
    clusters,
    compare,
    gpus,
    history,
    job,
    job_actions,
    job_queue,
    jobs,
    log,
    login,
    loss,
    new_job,
    people,
    queue,
    ranks,
    selected,
    usage,
    wishes,
)

_WITHIN = APIRouter(include_in_schema=False, dependencies=COUNTED)
"""The pages of who is logged in."""
for part in (
    account,
    alerts,
    audit,
    clusters,
    compare,
    gpus,
    history,
    job,
    job_actions,
    job_queue,
    jobs,
    log,
    loss,
    new_job,
    people,
    queue,
    ranks,
    selected,
    usage,
    wishes,
):
    _WITHIN.include_router(part.router)

PAGES: tuple[APIRouter, ...] = (assets.router, login.router, _WITHIN)
"""The routers of all pages."""
