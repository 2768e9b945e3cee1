"""What a browser makes of the list of 100 jobs over a slow link: bytes, and when it paints first.

A real Chromium (make browser), held to 100 ms and 200 kB/s each way, with an empty cache.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from backend.auth.tokens import issue
from backend.auth.users import get_user
from backend.clusters.hub import Owner
from benchmarks.server import Row, ms
from tests.backend_client.server.support.running import Running, running
from tests.browser.conftest import CHROMIUMS
from tests.support.scripted import make_jobs

JOBS = 100
LATENCY_MS, BYTES_A_SECOND = 100, 200_000
TRIES = 7
_FIRST_PAINT = """new Promise((told) =>
  new PerformanceObserver((list) => told(list.getEntries().at(-1).startTime))
    .observe({type: "paint", buffered: true}))"""


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    try:
        from playwright import async_api  # noqa: PLC0415  only there after `make browser`
    except ImportError:
        program = None
    if program is None:
        return [("pages over a slow link", "left out: needs Chromium, and `make browser`", "")]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), people={"ann": "admin"}) as server:
        token = server.do(fill(server, JOBS))
        bytes_, times = asyncio.run(_measure(async_api, program, server, token))
    link = f"{LATENCY_MS} ms, {BYTES_A_SECOND // 1000} kB/s"
    return [
        (
            f"the list of {JOBS} jobs: page, style and scripts, compressed",
            f"{bytes_ / 1000:.1f} kB",
            "<= 60 kB",
        ),
        (f"first paint over {link}", f"{ms(median(times))}, at most {ms(max(times))}", "<= 500 ms"),
    ]


async def fill(server: Running, count: int) -> str:
    """Give a server jobs, as its hub keeps them, whose owner is ann; return a login of hers."""
    runtime = server.app.state.runtime
    async with runtime.database.write() as session:
        user = await get_user(session, "ann")
        token, _ = await issue(session, user.id, "bench", runtime.settings)
    runtime.known_logins.add(token.reveal())
    for job in make_jobs(count):
        runtime.jobs.hub.claim(Owner(user.id, "ann"), job)
    return token.reveal()


async def _measure(async_api: Any, program: str, server: Running, token: str) -> tuple[int, list[float]]:
    """Return the bytes of a first visit, and the seconds to the first paint of each try."""
    times, received = [], 0
    async with async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for _ in range(TRIES):
            context = await browser.new_context(
                base_url=server.url,
                viewport={"width": 1280, "height": 800},
                extra_http_headers={"Authorization": f"Bearer {token}"},
            )
            page = await context.new_page()
            network = await context.new_cdp_session(page)
            sizes: list[int] = []
            network.on(
                "Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"])
            )
            await network.send("Network.enable")
            await network.send(
                "Network.emulateNetworkConditions",
                {
                    "offline": False,
                    "latency": LATENCY_MS,
                    "downloadThroughput": BYTES_A_SECOND,
                    "uploadThroughput": BYTES_A_SECOND,
                },
            )
            await page.goto("/jobs")
            assert await page.locator("tr[data-uid]").count() == JOBS
            times.append(await page.evaluate(_FIRST_PAINT) / 1000)
            received = sum(sizes)
            await context.close()
        await browser.close()
    return int(received), times
