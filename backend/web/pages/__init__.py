"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import jobs, login, new_job

PAGES: tuple[APIRouter, ...] = (assets.router, login.router, jobs.router, new_job.router)
"""The routers of all pages."""
