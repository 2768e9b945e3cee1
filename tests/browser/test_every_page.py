"""Every page, at two widths, light and dark: whole, quiet, and for everybody to use."""

import pytest

from backend.db.models import EVERY_TEAM, ChannelRow
from backend.auth.users import get_user
from backend_client.models import JobState
from tests.backend.routes.test_matrix import an_alert
from tests.backend.support.people import enter
from tests.browser.support.addresses import OF_A_JOB, addresses, routes
from tests.browser.support.browsers import DESK
from tests.support.wait import async_until

NARROW = {"width": 360, "height": 780}
JOBS = {
    "ended": "echo '\x1b[31mdone\x1b[0m https://example.org/'",
    "failed": "echo Traceback; exit 3",
    "running": "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo step $i loss: 0.$((900-i)); done; sleep 600",
    "stopped": "sleep 600",
    "waiting": "sleep 600",
}
GPUS = {"running": 2, "waiting": 2}
STATES = {
    "ended": JobState.SUCCEEDED,
    "failed": JobState.FAILED,
    "running": JobState.RUNNING,
    "stopped": JobState.STOPPED,
    "waiting": JobState.QUEUED,
}


def test_the_list_of_pages_is_complete():
    assert set(addresses("local", "uid", "name")) == routes()


async def fill(server, ann):
    """Give ann jobs in several states, an alert and a channel; let vera see them. Return name -> job."""
    jobs = {name: await ann.submit(script, name=name, gpus=GPUS.get(name, 0)) for name, script in JOBS.items()}
    await ann.ask("POST", "/jobs/stopped/stop")

    async def are_so():
        found = await ann.ask("GET", "/jobs")
        return {job["spec"]["name"]: job["state"] for job in found["items"]} == STATES

    await async_until(are_so)
    server.do(an_alert(server.app, "failed"))

    async def write():
        async with server.app.state.runtime.database.write() as session:
            for name in ("ann", "root"):
                user = await get_user(session, name)
                session.add(ChannelRow(user_id=user.id, name="pager", kind="webhook", shown="https://example.org/…", address=b"", created=user.created))
            (await get_user(session, "vera")).team = EVERY_TEAM

    server.do(write())
    return jobs


def pages_of(jobs, name):
    """Return the addresses of all pages, and of a job's pages for each of its states."""
    found = {}
    for job in jobs.values():
        ref = job["ref"]
        found |= {address: address for address in addresses(ref["context"], ref["uid"], ref["name"]).values()}
    return found


@pytest.mark.parametrize("who", ["root", "vera"])
async def test_every_page(browser, server, who):
    jobs = await fill(server, await browser("ann"))
    one = await browser(who, expected=("403",) if who == "vera" else ())
    wrong = []
    for address in pages_of(jobs, who):
        found = await judge(one, address)
        wrong += [f"{address}: {sentence}" for sentence in found]
    assert not wrong, "\n".join(wrong)


async def judge(one, address):
    """Open a page and return what is wrong with it."""
    page = await one.open(address)
    found = [] if await page.locator("h1").count() == 1 else ["has no h1 of its own"]
    found += [f"no focus is seen: {node}" for node in await one.unseen_focus()]
    rules = ()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for size in (DESK, NARROW):
            await page.set_viewport_size(size)
            where = f"{scheme}, {size['width']} px"
            if (wide := await one.overflow()) > 0:
                found.append(f"{where}: {wide} px too wide")
            found += [f"{where}: {line}" for line in await one.barriers(*rules)]
        rules = ("color-contrast",)  # all else is the same in the dark
    return found + one.take_complaints()
