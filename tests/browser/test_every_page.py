"""Every page, at two widths, light and dark: whole, quiet, and for everybody to use."""

import asyncio

from backend.auth.users import get_user
from backend.db.models import EVERY_TEAM, ChannelRow
from backend_client.models import JobState
from tests.backend.routes.test_matrix import an_alert
from tests.browser.support.addresses import addresses, routes
from tests.browser.support.browsers import DESK
from tests.support.wait import async_until

NARROW = {"width": 360, "height": 780}
LOSSES = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo step $i loss: 0.$((900-i)); done; sleep 600"
JOBS = {
    "ended": ("echo '\x1b[31mdone\x1b[0m https://example.org/'", JobState.SUCCEEDED),
    "failed": ("echo Traceback; exit 3", JobState.FAILED),
    "running": (LOSSES, JobState.RUNNING),
    "stopped": ("sleep 600", JobState.STOPPED),
    "waiting": ("true", JobState.QUEUED),
}
"""Name -> what it runs, and what becomes of it."""
ON_ALL_GPUS = {"running", "waiting"}


def test_the_list_of_pages_is_complete():
    assert set(addresses("local", "uid", "name")) == routes()


async def fill(server, ann):
    """Give ann jobs in several states, an alert and a channel, and let vera see them.

    Return the addresses of all pages, one of each, and of those of jobs in other states.
    """
    refs = []
    for name, (script, _) in JOBS.items():
        job = await ann.submit(script, name=name, gpus=2 if name in ON_ALL_GPUS else 0)
        refs.append(job["ref"])
    await ann.ask("POST", "/jobs/stopped/stop")

    async def are_so():
        found = (await ann.ask("GET", "/jobs"))["items"]
        return {job["spec"]["name"]: job["state"] for job in found} == {
            name: state for name, (_, state) in JOBS.items()
        }

    await async_until(are_so)

    async def write():
        async with server.app.state.runtime.database.write() as session:
            user = await get_user(session, "root")
            row = ChannelRow(user_id=user.id, name="pager", kind="webhook", shown="https://example.org/…")
            row.address, row.created = b"", user.created
            session.add(row)
            (await get_user(session, "vera")).team = EVERY_TEAM
        await an_alert(server.app, "failed")

    server.do(write())
    running = refs.pop([*JOBS].index("running"))
    pages = addresses("local", running["uid"], "running").values()
    others = (addresses("local", ref["uid"], ref["name"]) for ref in refs)
    states = [each[path] for each in others for path in ("/jobs/{name}", "/jobs/{name}/log")]
    return [*pages, "/alerts?everybody=1"], states


async def judge(one, address, *, twice):
    """Open a page, narrow and light, then (`twice`) wide and dark; return what is wrong with it."""
    page = await one.open(address)
    found = [] if await page.locator("h1").count() == 1 else ["not one h1"]
    found += [f"no focus is seen: {node}" for node in await one.unseen_focus()]
    found += [*await too_wide(one), *await one.barriers()]
    if twice:
        await page.set_viewport_size(DESK)
        await page.emulate_media(color_scheme="dark")
        found += [*await too_wide(one), *await one.barriers("color-contrast", "target-size")]
        await page.set_viewport_size(NARROW)
        await page.emulate_media(color_scheme="light")
    return [f"{address}: {sentence}" for sentence in (*found, *one.take_complaints())]


async def too_wide(one):
    wide = await one.overflow()
    return [f"{wide} px wider than the window"] if wide > 0 else []


async def test_every_page_for_an_admin_and_a_viewer(browser, server):
    pages, states = await fill(server, await browser("ann"))
    root = await browser("root", viewport=NARROW)
    vera = await browser("vera", viewport=NARROW, expected=("403",))
    for_vera = [
        path for path in pages if not path.startswith(("/clusters/", "/people/"))
    ]  # refused as /audit is

    async def judge_all(one, addresses, *, twice):
        return [line for address in addresses for line in await judge(one, address, twice=twice)]

    found = await asyncio.gather(
        judge_all(root, [*pages, *states], twice=True), judge_all(vera, for_vera, twice=False)
    )
    wrong = [line for lines in found for line in lines]
    assert not wrong, "\n".join(wrong)
