"""The page with a job's log."""

import asyncio
import json

from backend.web.log import part as log_part
from backend.web.log.part import SHOWN
from backend_client.errors import Unreachable
from backend_client.protocol import Closed, Lines, LogSource, Opened
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor, parse
from tests.support.wait import async_until

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


async def test_a_page_and_its_stream_give_every_line_once_unfinished_ones_too(app, tmp_path):
    go = tmp_path / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.05; done"
    script = f"echo one; printf '10%%\\r20%%'; {wait}; printf '\\r30%%\\nthree\\n'"
    ann = await enter(app, "ann")
    job = await ann.submit(script, name="job")
    visitor = await Visitor.enter(app, "ann")
    address = f"/jobs/job/log?cluster=local&uid={job['ref']['uid']}"

    async def bar():
        page = await visitor.get(address)
        return [page] if texts(page) == ["one", "20%"] else []

    (page,) = await async_until(bar, 30)
    go.touch()
    log = page.one("div", id="log")
    lines, ended = [], False
    for name, data, _ in await events(visitor, f"{log['data-stream']}&after={log['data-after']}"):
        if name == "lines":
            lines += texts(parse(data["html"]))
        ended = ended or name == "closed"
    assert lines[:2] == ["30%", "three"]
    assert [line.split(":")[0].rstrip(" -") for line in lines[2:]] == ["-- Succeeded"]
    assert ended

    async def whole():
        page = await visitor.get(address)  # of a job that is known to have ended
        return page if page.one("div", id="log")["data-stream"] is None else None

    assert texts(await async_until(whole))[:-1] == ["one", "30%", "three"]


async def test_only_who_may_see_the_job_reads_its_log(app):
    address, ann = await written(app, "echo mine; echo; echo other")
    bob = await Visitor.enter(app, "bob")
    text = address.replace("/log?", "/log.txt?")
    for path in (address, text, f"/live{address}"):
        assert (await bob.client.get(path)).status_code == 404
        assert (await Visitor(app).client.get(path)).status_code in (303, 401)
    root = await Visitor.enter(app, "root", "admin")
    assert texts(await root.get(address))[0] == "mine"
    saved = await ann.client.get(text)
    assert saved.text == (await (await enter(app, "ann")).ask("GET", "/jobs/job/logs")) == "mine\n\nother\n"
    assert saved.headers["content-type"] == "text/plain; charset=utf-8"
    assert saved.headers["content-disposition"] == "attachment; filename*=UTF-8''job.log"
    assert saved.headers["x-content-type-options"] == "nosniff"


async def test_a_search_without_a_script_marks_its_hits_and_the_first_error_has_a_link(app):
    script = "echo loss 1; echo 'RuntimeError: CUDA out of memory'; echo Loss 2; exit 1"
    address, visitor = await written(app, script)
    page = await visitor.get(address + "&q=/loss+[0-9]/")
    assert [mark.text for mark in page.all("mark")] == ["loss 1", "Loss 2"]
    assert "2 matches in 3 lines" in page.one("span", id="hits").text
    error = page.one("a", id="first-error")["href"]
    assert page.one("div", id=error.removeprefix("#")).text.startswith("RuntimeError")
    assert "first error: out of GPU memory" in page.text
    assert texts(await visitor.get(address + "&q=L&only=1"))[:-1] == ["Loss 2"]
    assert "Not a regular expression" in (await visitor.get(address + "&q=/[/")).text


def answer_with(app, monkeypatch, batches):
    """Let the cluster give these batches, whatever is asked for; an error is raised. Return the queries."""
    queries = []

    async def logs(query, *, after=""):
        queries.append((query, after))
        for batch in batches:
            if isinstance(batch, Exception):
                raise batch
            if callable(batch):
                await batch()
            else:
                yield batch

    monkeypatch.setattr(app.state.runtime.jobs.clusters.get("local").backend, "logs", logs)
    return queries


async def test_ranks_and_attempts(app, monkeypatch):
    address, visitor = await written(app, "true")
    sources = [LogSource(2, rank) for rank in (0, 1)]
    batches = [
        [Opened(source), Lines(source=source, lines=[b"hi"], times=[10**18 + source.rank], cursor="c")]
        for source in sources
    ]
    queries = answer_with(app, monkeypatch, [*batches, [Closed("Succeeded")]])
    page = await visitor.get(address + "&rank=1&attempt=2&times=1")
    assert (queries[0][0].rank, queries[0][0].attempt) == (1, 2)
    assert [clock.text for clock in page.all("span", class_="when")] == ["01:46:40"] * 2
    links = [line["id"] for line in page.all("div", class_="line") if line["id"]]
    assert [link.split(".")[:2] for link in links] == [["L0", "2"], ["L1", "2"]]


async def test_a_cluster_that_does_not_answer_is_named_and_the_page_goes_on(app, monkeypatch):
    ann = await enter(app, "ann")
    job = await ann.submit("sleep 60", name="job")
    visitor = await Visitor.enter(app, "ann")
    address = f"/jobs/job/log?cluster=local&uid={job['ref']['uid']}"
    answer_with(app, monkeypatch, [Unreachable("The API server of lab does not answer.")])
    page = await visitor.get(address)
    assert "The API server of lab does not answer; trying again" in page.text.replace(" the API", " The API")
    assert page.one("div", id="log")["data-stream"]
    monkeypatch.setattr(log_part, "SECONDS", 0.1)
    answer_with(app, monkeypatch, [asyncio.Event().wait])
    page = await visitor.get(address)
    assert page.one("div", id="log")["data-stream"]
    assert page.one("p", id="empty").text


async def test_a_log_that_was_deleted_says_so(app):
    address, visitor = await written(app, "true")
    ann = await enter(app, "ann")
    await ann.ask("DELETE", "/jobs/job", 204)
    await ann.gone("job")
    assert "Its log was deleted." in (await visitor.get(address)).text


async def test_an_expression_that_takes_too_long_is_given_up_and_holds_nobody_up(app):
    line = "a" * 500 + "abcabc,=," * 100
    address, visitor = await written(app, f"yes '{line}' | head -n {SHOWN}")
    pauses, clock = [0.0], asyncio.get_running_loop().time

    async def listen():
        while True:
            began = clock()
            await asyncio.sleep(0.01)
            pauses.append(clock() - began)

    listening = asyncio.create_task(listen())
    began = clock()
    page = await visitor.get(address, params={"q": "/(?:aaaaaaaaaaaaaaaaaaaa){e<=30}b/"})
    listening.cancel()
    assert "too slow for some lines" in page.one("span", id="hits").text
    assert clock() - began < 15  # of a minute and more
    assert max(pauses) < 5
