"""Many tabs, going back, and a server that goes away and comes back."""

from tests.backend_client.server.support.running import running
from tests.browser.conftest import SETTINGS
from tests.browser.support.browsers import hide, show
from tests.support.wait import async_until

MANY = 7
"""More than the connections that a browser has to a server of HTTP/1.1: a stream in each would leave none."""


def names(page):
    return page.locator("tr[data-uid] th").all_inner_texts()


async def test_many_tabs_load_and_those_that_are_not_seen_hold_no_stream(browser, server):
    ann = await browser("ann")

    async def until_streams(count):
        await async_until(lambda: sum(server.app.state.open_streams.values()) == count)

    tabs = [ann.page]
    for _ in range(MANY - 1):
        await until_streams(1)
        await hide(tabs[-1])
        await until_streams(0)
        tabs.append(await ann.new_page())
        await tabs[-1].goto("/jobs")
    await ann.submit("sleep 600", name="bert")
    await tabs[-1].get_by_role("link", name="bert").wait_for()
    assert await names(tabs[0]) == []
    await hide(tabs[-1])
    await show(tabs[0])
    await tabs[0].get_by_role("link", name="bert").wait_for()
    await until_streams(1)


async def test_after_the_log_out_going_back_shows_nothing(browser):
    ann = await browser("ann")
    await ann.submit("sleep 600", name="bert")
    page = await ann.open("/jobs")
    await page.get_by_role("link", name="bert").click()
    await page.get_by_role("heading", level=1, name="bert").wait_for()
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/login*")
    for _ in range(2):
        await page.go_back()
        await page.get_by_role("heading", name="Log in").wait_for()
        assert await page.get_by_text("bert", exact=True).count() == 0


async def test_a_page_of_parts_says_that_it_is_old_until_it_is_read_again(browser):
    ann = await browser("ann", expected=("ERR_",))
    page = await ann.open("/queue")
    await ann.context.route("**/*", lambda route: route.abort())
    await show(page)  # upon which it is read again
    await page.locator("#stale").get_by_text("the server does not answer").wait_for()
    await ann.context.unroute("**/*")
    await show(page)
    await page.locator("#stale").wait_for(state="hidden")


async def test_a_list_goes_on_by_itself_when_its_server_is_back(browser, server, tmp_path):
    ann = await browser("ann", expected=("ERR_", "Failed to load"))
    page = await ann.open("/jobs")
    await page.evaluate("window.stays = true")
    await ann.submit("sleep 600", name="before")
    await page.get_by_role("link", name="before").wait_for()
    port = server.port
    server.stop()
    await page.locator("#stale").wait_for()
    with running(tmp_path / "server", port=port, **SETTINGS):
        await page.locator("#stale").wait_for(state="hidden")
        await ann.submit("sleep 600", name="after")
        await page.get_by_role("link", name="after").wait_for()
        assert sorted(await names(page)) == ["after", "before"]
        assert await page.evaluate("window.stays"), "without being loaded again"
