"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import job, job_actions, job_queue, jobs, log, login, loss, new_job, queue, selected

PAGES: tuple[APIRouter, ...] = tuple(
    part.router
    for part in (assets, job, job_actions, job_queue, jobs, log, login, loss, new_job, queue, selected)
)
"""The routers of all pages."""
