"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import job, jobs, log, login, loss, new_job

PAGES: tuple[APIRouter, ...] = tuple(part.router for part in (assets, job, jobs, log, login, loss, new_job))
"""The routers of all pages."""
