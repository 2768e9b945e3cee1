"""Pictures of a server's pages in a real browser, over the same jobs as those of the program."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, async_playwright

from tests.backend_client.server.support.running import PASSWORD, running
from tests.browser.conftest import CHROMIUMS

PAGES = ("jobs", "job", "log", "new", "gpus")
SIZES: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2},
}


async def shoot_pages(here: Path, bodies: list[dict[str, Any]], training: str) -> None:
    """Write page-NAME-SIZE.png of every page, once the job `training` has gone half its way."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(
            Path(folder), people={"root": "admin", "ann": "researcher"}, local=True, local_gpus=4
        ) as server,
    ):
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            login = await client.post("/api/auth/login", json={"user": "ann", "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {login.raise_for_status().json()['token']}"
            for body in bodies:
                (await client.post("/api/jobs", json=body)).raise_for_status()
            try:
                trains = await _training(client, training)
                await _shoot(here, server.url, trains)
            finally:
                for body in bodies:
                    await client.delete(f"/api/jobs/{body['name']}")


async def _training(client: httpx.AsyncClient, name: str) -> str:
    """Wait until a job has gone half its way; return the address of its page."""
    while True:
        job = (await client.get(f"/api/jobs/{name}")).raise_for_status().json()
        await client.post("/api/look", json={"screen": "pictures", "uids": [job["ref"]["uid"]]})
        progress = job.get("progress") or {}
        if progress.get("total") and progress["step"] * 2 > progress["total"]:
            return f"/jobs/{name}?cluster={job['ref']['context']}&uid={job['ref']['uid']}"
        await asyncio.sleep(0.5)


async def _shoot(here: Path, url: str, trains: str) -> None:
    addresses = {
        "jobs": "/jobs",
        "job": trains,
        "log": trains.replace("?", "/log?"),
        "new": "/new",
        "gpus": "/gpus",
    }
    async with async_playwright() as playwright:
        program = next(filter(None, map(shutil.which, CHROMIUMS)))
        browser: Browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for size, options in SIZES.items():
            context = await browser.new_context(base_url=url, **options)
            page = await context.new_page()
            await page.goto("/login")
            await page.get_by_label("User").fill("ann")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Log in").click()
            await page.wait_for_url("**/jobs")
            for name in PAGES:
                await page.goto(addresses[name])
                await asyncio.sleep(1.5)  # for what comes by its stream
                await page.screenshot(path=here / f"page-{name}-{size}.png")
        await browser.close()
