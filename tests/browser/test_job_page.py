"""One job in a browser: its page turns by itself, and its loss comes when it is looked at."""

import re

from tests.browser.support.browsers import PHONE

LOSSES = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "step $i/300 loss: 0.$((900-i))"; done; sleep 600'


async def test_a_page_of_a_job_turns_by_itself(browser):
    ann = await browser("ann")
    job = await ann.submit(LOSSES, name="bert")
    page = await ann.open(f"/jobs/bert?cluster={job['ref']['context']}&uid={job['ref']['uid']}")
    heading = page.get_by_role("heading", level=1)
    await heading.get_by_text("Running").wait_for()
    await page.locator("#loss").scroll_into_view_if_needed()
    await page.get_by_role("img", name=re.compile("loss: first")).wait_for()
    assert await ann.barriers() == []
    await page.get_by_role("link", name="Stop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    await heading.get_by_text("Stopped").wait_for()
    await page.set_viewport_size(PHONE)
    assert await ann.overflow() <= 0


async def test_who_looks_on_sees_it_end_and_go(browser):
    ann = await browser("ann")
    job = await ann.submit("sleep 600", name="bert")
    page = await ann.open(f"/jobs/bert?cluster={job['ref']['context']}&uid={job['ref']['uid']}")
    await page.evaluate("window.stays = true")
    heading = page.get_by_role("heading", level=1)
    await ann.ask("POST", "/jobs/bert/stop")
    await heading.get_by_text("Stopped").wait_for()
    await ann.ask("DELETE", "/jobs/bert")
    await heading.get_by_text("deleted").wait_for()
    assert await page.evaluate("window.stays"), "without being loaded again"
