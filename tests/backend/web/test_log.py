"""The page with a job's log."""

import json

from backend.web.log_part import SHOWN
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor

COUNT = "i=0; while [ $i -lt {} ]; do echo line $i; i=$((i+1)); done"


def texts(page):
    """Return the text of each line of a page, in order."""
    return [line.raw_text for line in page.all("div", class_="line")]


async def written(app, script, name="job", **fields):
    """Let ann's job write and end; return her page's address and her visitor."""
    ann = await enter(app, "ann")
    job = await ann.submit(script, name=name, **fields)
    await ann.ended(name)
    return f"/jobs/{name}/log?cluster=local&uid={job['ref']['uid']}", await Visitor.enter(app, "ann")


async def events(visitor, address, headers=None):
    """Read a stream to its end: (event, data, id)."""
    answer = await visitor.client.get(address, headers=headers or {})
    assert answer.status_code == 200, answer.text
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return found


async def test_the_end_of_a_log_with_links_to_its_lines_and_to_older_ones(app):
    address, visitor = await written(app, COUNT.format(SHOWN + 300))
    page = await visitor.get(address)
    shown = texts(page)
    assert shown[0] == "line 300"
    assert shown[-2] == f"line {SHOWN + 299}"
    assert shown[-1].startswith("-- Succeeded")
    older = await visitor.get(page.one("p", id="older").one("a")["href"])
    assert texts(older) == [f"line {number}" for number in range(300)]
    assert "hidden" in older.one("p", id="older").attributes
    link = page.all("a", class_="no")[5]
    linked = await visitor.get(link["href"].partition("#")[0])
    assert linked.one("div", id=link["href"].partition("#")[2]).text == "line 305"
