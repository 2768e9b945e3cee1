"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import job_actions, job_queue, jobs, login, queue, selected

PAGES: tuple[APIRouter, ...] = (
    assets.router,
    login.router,
    jobs.router,
    job_actions.router,
    selected.router,
    queue.router,
    job_queue.router,
)
"""The routers of all pages."""
