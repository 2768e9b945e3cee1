"""The form for a new job in a browser: judged while it is typed, kept when the login ends, sent once."""

from tests.browser.support.browsers import PHONE


async def test_what_is_typed_is_judged_at_once_and_outlives_a_login(browser):
    ann = await browser("ann", viewport=PHONE)
    page = await ann.open("/new")
    await page.get_by_label("GPUs").fill("many")
    await page.locator("#m-gpus .message").wait_for()
    assert await page.get_by_label("GPUs").get_attribute("aria-invalid") == "true"
    await page.get_by_label("GPUs").fill("")
    await page.get_by_label("name", exact=True).fill("from-a-browser")
    await page.get_by_label("command").fill("sleep 60 | cat")
    await page.locator("#m-command").get_by_text("no shell reads it").wait_for()
    await page.locator("#place").get_by_text("from-a-browser").wait_for()
    assert await page.locator("#m-gpus .message").count() == 0
    assert await ann.barriers() == []
    assert await ann.overflow() <= 0

    await ann.context.clear_cookies()
    await page.get_by_role("button", name="Create").click()
    await page.wait_for_url("**/login?next=*")
    await ann.log_in("ann")
    await ann.open("/new")
    await page.get_by_text("What you had typed is back").wait_for()
    assert await page.get_by_label("command").input_value() == "sleep 60 | cat"
    await page.get_by_label("name", exact=True).press("Enter")
    await page.get_by_role("heading", name="What would be made").wait_for()
    await page.get_by_role("button", name="Create").dblclick()
    await page.wait_for_url("**/jobs/from-a-browser?*")
    await ann.open("/new")
    assert await page.get_by_label("command").input_value() == ""
    assert await page.get_by_text("What you had typed is back").is_hidden()
    await page.goto("/jobs")
    assert await page.locator("th.name").all_inner_texts() == ["from-a-browser"]
