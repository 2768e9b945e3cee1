"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import (
    account,
    alerts,
    audit,
    clusters,
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
    selected,
    usage,
    wishes,
)

PAGES: tuple[APIRouter, ...] = tuple(
    part.router
    for part in (
        assets,
        account,
        alerts,
        audit,
        clusters,
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
        selected,
        usage,
        wishes,
    )
)
"""The routers of all pages."""
