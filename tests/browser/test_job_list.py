"""The list in a browser: live, in its order, with marks and a cursor that stay with their jobs."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend.auth.users import get_user
from backend.clusters.hub import Owner
from backend_client.models import JobState
from backend_client.protocol import Changed, Gone
from tests.browser.support.browsers import PHONE
from tests.support.scripted import make_job
from tests.support.wait import async_until

BORN = datetime(2026, 1, 5, tzinfo=UTC)


class Cluster:
    """Jobs of ann in the server's hub, which run nowhere. `name`: of their cluster."""

    def __init__(self, server):
        self.name = "scripted"
        self._server = server
        self._hub = server.app.state.runtime.jobs.hub

    def add(self, *numbers):
        async def claim():
            async with self._server.app.state.runtime.database.read() as session:
                owner = Owner((await get_user(session, "ann")).id, "ann")
            for number in numbers:
                self._hub.claim(owner, self._job(number))

        self._server.do(claim())

    def change(self, number, state):
        self._apply(Changed((self._job(number, state),)))

    def remove(self, number):
        self._apply(Gone((self._job(number).ref,)))

    def _apply(self, event):
        async def apply():
            self._hub.apply(self.name, [event])

        self._server.do(apply())

    def _job(self, number, state=JobState.RUNNING):
        job = make_job(f"job-{number}", state, created=BORN + timedelta(minutes=number))
        return replace(job, ref=replace(job.ref, context=self.name))


@pytest.fixture
def cluster(server):
    return Cluster(server)


async def names(page, rows="tr[data-uid]"):
    return await page.eval_on_selector_all(f"{rows} th a", "all => all.map((one) => one.textContent)")


async def until_names(page, *wanted):
    async def are_there():
        return (True,) if await names(page) == list(wanted) else ()

    await async_until(are_there)


async def test_rows_come_move_and_go_and_marks_stay(browser, cluster):
    cluster.add(1, 2, 3)
    ann = await browser("ann")
    page = await ann.open("/jobs?order=attention")
    assert await names(page) == ["job-3", "job-2", "job-1"]
    stop = page.get_by_role("button", name="Stop marked")
    assert not await stop.is_visible()
    for key in ("j", "j", " "):
        await page.keyboard.press(key)
    assert await stop.is_visible()

    cluster.add(4)
    await until_names(page, "job-4", "job-3", "job-2", "job-1")
    cluster.change(2, JobState.FAILED)
    await until_names(page, "job-2", "job-4", "job-3", "job-1")
    cluster.remove(4)
    await until_names(page, "job-2", "job-3", "job-1")
    assert await names(page, "tr.cursor") == ["job-2"]
    assert await names(page, "tr:has(input:checked)") == ["job-2"]
    assert await page.inner_text("#marked") == "1 marked"
    assert await page.inner_text("caption") == "3 jobs"
    assert await ann.barriers() == []


async def test_a_full_page_takes_in_what_belongs_there_alone(browser, cluster):
    cluster.add(*range(250))
    ann = await browser("ann", viewport=PHONE)
    page = await ann.open("/jobs?order=newest")
    cluster.change(3, JobState.FAILED)
    cluster.add(250)
    await page.get_by_role("link", name="job-250").wait_for()
    shown = await names(page)
    assert (len(shown), shown[0], shown[-1]) == (100, "job-250", "job-151")
    await page.get_by_text("251 jobs").wait_for()
    assert await ann.overflow() <= 0


async def test_the_question_comes_in_a_dialog_and_gives_the_focus_back(browser, cluster):
    cluster.name = "local"  # one that the server can ask whether that may be done
    cluster.add(1, 2)
    ann = await browser("ann")
    page = await ann.open("/jobs")
    for key in ("j", " ", "j", " ", "d"):
        await page.keyboard.press(key)
    await page.get_by_role("dialog", name="Delete these 2 jobs?").wait_for()
    assert await page.evaluate("document.activeElement.textContent") == "Cancel"
    assert await ann.barriers() == []
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement.textContent") == "job-1"
    assert await page.inner_text("#marked") == "2 marked"


async def test_a_list_that_is_not_live_says_so(browser, server, cluster):
    cluster.add(1)
    ann = await browser("ann", expected=("ERR_", "Failed to load"))
    page = await ann.open("/jobs")
    cluster.add(2)
    await until_names(page, "job-2", "job-1")
    server.stop()
    await page.locator("#stale").wait_for()
    assert await names(page) == ["job-2", "job-1"]
