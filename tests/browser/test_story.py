"""What people do in a browser from the beginning to the end, while others look on."""

import shlex

import pytest

from backend.auth import tokens
from backend.auth.users import get_user
from tests.support.wait import async_until

WAITS = "echo first line; while [ ! -e {go} ]; do sleep 0.05; done; echo last line"
# What a stream of the list tells, kept in the page: it is asked as the page's own script does.
LISTEN = """() => new Promise((resolve) => {
    window.told = [];
    const source = new EventSource("/live/jobs");
    source.onopen = resolve;
    const tell = (event) => told.push(event.data);
    for (const name of ["rows", "gone", "step"]) source.addEventListener(name, tell);
})"""


def row_of(page, name):
    return page.locator("tr[data-uid]").filter(has=page.get_by_role("link", name=name, exact=True))


async def make(page, name, script):
    """Make a job by the form, and look first at what would be made."""
    await page.goto("/new")
    await page.get_by_label("name", exact=True).fill(name)
    await page.get_by_label("command").fill(shlex.join(["sh", "-c", script]))
    await page.get_by_role("button", name="See what would be made").click()
    await page.get_by_role("heading", name="What would be made").wait_for()
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("heading", level=1, name=name).wait_for()


def address_of(job, part=""):
    ref = job["ref"]
    return f"/jobs/{ref['name']}{part}?cluster={ref['context']}&uid={ref['uid']}"


async def test_a_job_from_the_form_to_its_end_and_what_others_see(browser, tmp_path):
    ann, bob = await browser("ann"), await browser("bob", expected=("404",))
    await bob.page.evaluate(LISTEN)
    watched = await ann.new_page()
    await watched.goto("/jobs")
    await watched.evaluate("window.stays = true")

    page = ann.page
    await make(page, "bert", WAITS.format(go=tmp_path / "go"))
    await row_of(watched, "bert").get_by_text("Running", exact=True).wait_for()

    await page.get_by_role("link", name="Log", exact=True).click()
    await page.locator("#log").get_by_text("first line", exact=True).wait_for()
    await page.evaluate("window.stays = true")
    assert await page.get_by_text("last line", exact=True).count() == 0
    (tmp_path / "go").touch()
    await page.locator("#log").get_by_text("last line", exact=True).wait_for()
    await page.locator("#following").get_by_text("ended").wait_for()
    await row_of(watched, "bert").get_by_text("Succeeded", exact=True).wait_for()

    job = await ann.submit("sleep 600", name="late")
    await row_of(watched, "late").get_by_text("Running", exact=True).wait_for()
    await row_of(watched, "late").get_by_role("checkbox").check()
    await watched.get_by_role("button", name="Stop marked").click()
    for path in ("", "/log", "/stop", "/spec.yaml", "/again"):
        answer = await bob.context.request.get(address_of(job, path))
        assert answer.status == 404, path
    assert (await bob.context.request.get(f"/live{address_of(job, '/log')}")).status == 404
    await bob.open(address_of(job))
    await bob.page.get_by_role("heading", name="There is no job late").wait_for()
    assert await watched.evaluate("window.stays"), "without being loaded again"
    assert await page.evaluate("window.stays"), "without being loaded again"
    await watched.get_by_role("dialog").get_by_role("button", name="Stop").click()
    await row_of(watched, "late").get_by_text("Stopped", exact=True).wait_for()

    await bob.open("/jobs")
    await bob.page.evaluate(LISTEN)
    await page.goto(address_of(job))
    await page.get_by_role("link", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await page.wait_for_url("**/jobs?done=delete*")
    await row_of(watched, "late").wait_for(state="detached")
    await bob.submit("true", name="own")
    await row_of(bob.page, "own").wait_for()
    told = await bob.page.evaluate("told.join()")
    assert "own" in told
    assert "late" not in told
    assert await bob.page.locator("tr[data-uid]").count() == 1


@pytest.mark.parametrize("by", ["a person", "another process"])
async def test_open_pages_go_to_the_log_in_when_a_login_ends(browser, server, by):
    ann = await browser("ann", expected=("401",))
    job = await ann.submit("echo here; sleep 600", name="bert")
    pages = [ann.page, await ann.new_page(), await ann.new_page()]
    for page, path in zip(pages, ("/jobs", address_of(job), address_of(job, "/log")), strict=True):
        await page.goto(path)
    await pages[2].locator("#log").get_by_text("here", exact=True).wait_for()
    await async_until(lambda: sum(server.app.state.open_streams.values()) == len(pages))

    if by == "a person":
        root = await browser("root")
        page = await root.open("/people/ann")
        await page.get_by_role("link", name="Disable").click()
        await page.get_by_role("dialog").get_by_role("button", name="Disable").click()
        await page.get_by_text("This account is disabled").wait_for()
    else:
        server.do(_revoke_unsaid(server.app.state.runtime, "ann"))
    for page in pages:
        await page.wait_for_url("**/login?next=*")
        await page.get_by_text("This login has ended").wait_for()


async def _revoke_unsaid(runtime, name):
    """End the logins of a user in the database alone: the server has to find out."""
    async with runtime.database.write() as session:
        user = await get_user(session, name)
        await tokens.revoke(session, user.id)


async def test_all_of_it_without_a_script(browser, tmp_path):
    ann = await browser("ann", java_script_enabled=False)
    page = ann.page

    async def until_it_is(state):
        async def is_so():
            await page.reload()
            return state in await page.get_by_role("heading", level=1).inner_text()

        await async_until(is_so)

    await make(page, "bert", WAITS.format(go=tmp_path / "go") + "; sleep 600")
    await until_it_is("Running")
    (tmp_path / "go").touch()
    await page.get_by_role("link", name="Log", exact=True).click()

    async def is_written():
        await page.reload()
        return await page.locator("#log").get_by_text("last line", exact=True).count()

    await async_until(is_written)
    await page.get_by_role("link", name="bert").click()
    await page.get_by_role("link", name="Stop", exact=True).click()
    await page.get_by_role("heading", name="Stop").wait_for()
    await page.get_by_role("button", name="Stop").click()
    await page.get_by_role("heading", level=1, name="bert").wait_for()
    await until_it_is("Stopped")
    await page.get_by_role("link", name="Delete").click()
    await page.get_by_role("button", name="Delete").click()
    await page.wait_for_url("**/jobs?done=delete*")
    await page.get_by_role("button", name="Log out").click()
    await page.get_by_role("heading", name="Log in").wait_for()
