"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import job, jobs, login, loss

PAGES: tuple[APIRouter, ...] = (assets.router, login.router, jobs.router, job.router, loss.router)
"""The routers of all pages."""
