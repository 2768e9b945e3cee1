"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import alerts, gpus, history, jobs, login, usage, wishes

PAGES: tuple[APIRouter, ...] = (
    assets.router,
    login.router,
    jobs.router,
    gpus.router,
    alerts.router,
    wishes.router,
    history.router,
    usage.router,
)
"""The routers of all pages."""
