"""What a cluster, a row or a person says is text on every page: nothing of it runs, leads away or hides."""

from urllib.parse import quote

from backend.web.assets import assets
from backend_client.models import JobState
from backend_client.protocol import DeleteStep, FreshnessState
from backend_client.text.sanitize import UNSAFE
from tests.browser.support.addresses import addresses
from tests.browser.support.hostile_server import EVERYTHING, PERSON, SHORT, SUM, make_hostile

SEEN = "alert(1)"
SILENT = {"/alerts/channels/add", "/login", "/register"}
"""Pages that show nothing of what others say."""
FOR_ADMINS = {"/audit", "/clusters/{name}/remove", "/people", "/people/{name}", "/people/{name}/disable"}
READ = """style => {
    const wrong = [], here = location.origin;
    const texts = [document.title];
    for (const node of document.querySelectorAll("*")) {
        const where = node.outerHTML.slice(0, 100);
        const ours = node.src?.startsWith?.(`${here}/static/`) && !node.textContent;
        if (node.matches("script") && !ours) wrong.push(where);
        if (node.matches("iframe, object, embed, base, meta[http-equiv]")) wrong.push(where);
        if (node.matches("style") && node.textContent !== style) wrong.push(where);
        for (const {name, value} of node.attributes) {
            if (/^(on.*|style|srcdoc)$/.test(name)) wrong.push(`${name}: ${where}`);
            if (/^(href|src|action|formaction|data-stream|data-from|data-look|data-check)$/.test(name)) {
                const {origin, protocol} = new URL(value, document.baseURI);
                const may = name === "href" ? /^https?:$/.test(protocol) : origin === here;
                if (!may) wrong.push(`${name}: ${where}`);
            }
            if (/^(title|aria-label|alt|placeholder|data-label)$/.test(name)) texts.push(value);
        }
    }
    // What a form would send again is kept as it was; all else is to be read.
    const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        if (!walker.currentNode.parentElement.closest("textarea, style")) texts.push(walker.currentNode.data);
    }
    return {wrong, texts};
}"""


async def read(page):
    """Return what is wrong on a page, and all its text."""
    found = await page.evaluate(READ, assets()["traindeck.css"].content.decode())
    wrong = found["wrong"]
    for text in found["texts"]:
        hidden = {sign for sign in UNSAFE.findall(text) if sign not in "\n\t"}
        if hidden or str(SUM) in text:
            wrong.append(f"{sorted(hidden)} in {text[:200]!r}")
    return wrong, " ".join(found["texts"])


def addresses_of(job):
    """Return (route, address) of every page about a job, and of the ways to look at some."""
    for route, address in addresses("local", job.ref.uid, job.name, person=PERSON, channel=SHORT).items():
        yield route, address
        if route == "/alerts":
            yield route, f"{address}?everybody=1"
        if route == "/usage":
            yield from ((route, f"{address}?by={by}") for by in ("gpu_type", "queue"))
    yield "none", f"/jobs/{quote(job.name, '')}?uid=none"


async def open_all(one, job, *, admin=False):
    """Open every page about a job; return what is wrong, and the routes whose pages show what was said."""
    wrong, showing = [], set()
    for route, address in addresses_of(job):
        if admin or route not in FOR_ADMINS:
            page = await one.open(address)
            found, text = await read(page)
            wrong += [f"{route}: {sentence}" for sentence in (*found, *one.take_complaints())]
            if SEEN in text:
                showing.add(route)
    return wrong, showing


async def test_nothing_that_is_said_is_more_than_text(browser, server):
    ann, root = await browser("ann", expected=("404",)), await browser("root", expected=("404",))
    cluster = server.do(make_hostile(server.app))
    wrong, showing = await open_all(ann, cluster.jobs["live"])
    more, to_root = await open_all(root, cluster.job, admin=True)
    assert not wrong + more, "\n".join(wrong + more)
    every = {*addresses("", "", ""), "none"}
    assert every - showing == SILENT | FOR_ADMINS
    assert every - to_root == SILENT | {"/clusters/{name}/remove", "/new"}  # of root's own jobs
    server.do(_in_loop(cluster.set_link, FreshnessState.STALE, EVERYTHING))
    await ann.open("/clusters")
    wrong, text = await read(ann.page)
    assert SEEN in text
    assert not wrong, "\n".join(wrong)


async def _in_loop(change, *args):
    change(*args)


async def test_what_comes_while_one_looks_is_text_too(browser, server):
    ann = await browser("ann")
    cluster = server.do(make_hostile(server.app))
    page, job = await ann.open("/jobs"), cluster.jobs["live"]
    row = page.locator('tr[data-uid="live"]')
    await row.wait_for()
    server.do(_in_loop(cluster.set_link, FreshnessState.STALE, EVERYTHING))
    await page.locator("#links p").wait_for()
    server.do(_in_loop(lambda: cluster.change("live", state=JobState.FAILED)))
    await row.get_by_text("Failed", exact=True).wait_for()
    await page.locator("#said").get_by_text(": Failed").wait_for(state="attached")
    server.do(_step(server.app.state.runtime.jobs.hub))
    await row.get_by_text("deleting: ").wait_for()
    wrong, _ = await read(page)
    for key, marked in (("d", False), ("d", True)):
        await row.get_by_role("checkbox").set_checked(marked)
        await row.get_by_role("link").focus()
        await page.keyboard.press("j" if not marked else "k")
        await page.keyboard.press(key)
        await page.get_by_role("dialog").wait_for()
        found, text = await read(page)
        assert SEEN in text
        wrong += found
        await page.keyboard.press("Escape")

    cluster.change("live", state=JobState.RUNNING)
    await ann.open(f"/jobs/{quote(job.name, '')}/log?cluster=local&uid=live")
    said = EVERYTHING.encode()
    server.do(cluster.write_log("live", *said.split(b"\n"), b"written at last"))
    await page.get_by_text("written at last").wait_for()
    found, text = await read(page)
    assert SEEN in text
    assert not wrong + found, "\n".join(wrong + found)


async def _step(hub):
    hub.publish_step("local", "live", DeleteStep(EVERYTHING))
