"""Who follows a link from elsewhere: the first page has its style in it, the next one has it from a file."""

ELSEWHERE = "http://elsewhere.example/"
DRAWN = """() => {
    const {fontFamily, display} = getComputedStyle(document.querySelector("header.site > div"));
    return [document.querySelectorAll("style").length, fontFamily, display];
}"""


async def test_a_link_from_elsewhere_is_drawn_at_once_and_nothing_is_refused(browser, server):
    ann = await browser("ann")
    await ann.submit("sleep 600", name="bert")
    body = f'<!doctype html><link rel="icon" href="data:,"><a href="{server.url}/jobs">look</a>'
    await ann.page.route(
        ELSEWHERE, lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8")
    )
    await ann.page.goto(ELSEWHERE)
    await ann.page.get_by_role("link", name="look").click()
    await ann.page.get_by_role("link", name="bert").wait_for()
    first = await ann.page.evaluate(DRAWN)
    await ann.page.get_by_role("link", name="bert").click()
    await ann.page.get_by_role("heading", name="bert").wait_for()
    second = await ann.page.evaluate(DRAWN)
    assert (first[0], second[0]) == (1, 0)
    assert first[1:] == second[1:]
    assert first[2] == "flex"
    assert not ann.take_complaints()
