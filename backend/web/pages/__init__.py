"""The routes of the pages, one module for each part of the site."""

from fastapi import APIRouter

from backend.web import assets
from backend.web.pages import job, jobs, log, login, loss

PAGES: tuple[APIRouter, ...] = tuple(part.router for part in (assets, login, jobs, job, log, loss))
"""The routers of all pages."""
