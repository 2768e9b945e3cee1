"""Jobs compared in a browser: marked in the list, by keys, without a script, on a phone and in the dark."""

from backend_client.models import JobState
from tests.browser.support.browsers import DESK
from tests.browser.test_every_page import NARROW, judge
from tests.support.wait import async_until

FALLING = "for i in 1 2 3 4 5 6 7 8 9 10; do echo step $i loss: 0.$((95-i*SLOPE)) lr=0.0$i; done"
NAMES = ("lr-1", "lr-2", "lr-3")


async def three(ann):
    for slope, name in enumerate(NAMES, start=1):
        await ann.submit(FALLING, name=name, env={"SLOPE": str(slope)})

    async def ended():
        jobs = (await ann.ask("GET", "/jobs"))["items"]
        return [job["state"] for job in jobs] == [JobState.SUCCEEDED] * len(NAMES)

    await async_until(ended)


async def test_marked_jobs_are_compared_by_keys(browser, server):
    one = await browser("ann")
    await three(one)
    page = await one.open("/jobs")
    for _ in NAMES:
        await page.keyboard.press("j")
        await page.keyboard.press(" ")
    await page.keyboard.press("v")
    await page.wait_for_url("**/compare?*")
    assert await page.locator("svg.chart polyline").count() == len(NAMES)
    await page.keyboard.press("v")
    await page.wait_for_url("**series=lr*")
    await page.keyboard.press("l")
    await page.wait_for_url("**scale=log*")
    assert await page.locator("#series").input_value() == "lr"
    address = page.url.removeprefix(server.url)
    await page.set_viewport_size(NARROW)
    assert await judge(one, address, twice=True) == []


async def test_the_form_works_without_a_script(browser, server):
    one = await browser("ann")
    await three(one)
    bare = await browser("ann", java_script_enabled=False, viewport=DESK)
    page = await bare.open("/jobs")
    for name in NAMES[:2]:
        await page.get_by_label(f"Mark {name}").check()
    await page.get_by_role("button", name="Compare marked").click()
    await page.get_by_label("Axis below").select_option("time")
    await page.get_by_role("button", name="Show").click()
    assert await page.locator("svg.chart polyline").count() == 2
