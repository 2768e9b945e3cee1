"""A real Chromium against a real server on this machine, and people with jobs on it."""

import shutil

import pytest

from backend_client.local.backend import LocalBackend
from tests.backend_client.server.support.running import running
from tests.browser.support.browsers import Browser
from tests.contract.support.harness import remove_all

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
SETTINGS = {"local": True, "local_gpus": 2, "local_grace": 1.0, "registration": "open"}
PEOPLE = {"root": "admin", "ann": "researcher", "bob": "researcher", "vera": "viewer"}


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture
async def chromium():
    """Start a browser."""
    async_api = pytest.importorskip("playwright.async_api", reason="needs Playwright: make browser")
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    async with async_api.async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        await launched.close()


@pytest.fixture
async def server(tmp_path, monkeypatch):
    """Run a server that runs jobs on this machine, with PEOPLE; none of them outlives the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running(tmp_path / "server", people=PEOPLE, **SETTINGS) as started:
        yield started
    await remove_all(LocalBackend(gpus=2, grace=0.5))


@pytest.fixture
async def browser(chromium, server):
    """Return a function that opens a browser of somebody, logged in by the form.

    At the end, what a console, a policy or a missing file complained of fails the test.
    """
    opened = []

    async def enter(name="", **options):
        made = await Browser.open_for(chromium, server, **options)
        opened.append(made)
        if name:
            await made.log_in(name)
        return made

    yield enter
    for made in opened:
        await made.close()
