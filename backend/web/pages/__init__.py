"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import account, audit, clusters, jobs, login, people

PAGES: tuple[APIRouter, ...] = (
    assets.router,
    login.router,
    jobs.router,
    account.router,
    people.router,
    clusters.router,
    audit.router,
)
"""The routers of all pages."""
