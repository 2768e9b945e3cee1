"""The page with the list of jobs."""

import json
from datetime import UTC, datetime, timedelta

from backend.clusters.event_log import Audience
from backend.clusters.hub import Owner
from backend_client.models import JobState
from backend_client.protocol import Changed, Gone
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor, parse
from tests.support.scripted import make_job

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
BORN = datetime(2026, 1, 5, tzinfo=UTC)


def claim(app, visitor, count, **more):
    """Let somebody own so many jobs that run nowhere, the first the oldest; return the hub."""
    hub = app.state.runtime.jobs.hub
    for number in range(count):
        job = make_job(f"job-{number}", created=BORN + timedelta(minutes=number), **more)
        hub.claim(Owner(visitor.caller.user_id, visitor.caller.name), job)
    return hub


def names(page):
    return [cell.one("a").text for cell in page.all("th", class_="name")]


async def test_one_sees_ones_own_jobs_in_order_with_links(app):
    ann = await enter(app, "ann")
    await ann.submit(name="first")
    second = await ann.submit(name="second")
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get("/jobs?order=name")
    links = [cell.one("a") for cell in page.all("th", class_="name")]
    assert [link.text for link in links] == ["first", "second"]
    assert second["ref"]["uid"] in links[1]["href"]
    other = await (await Visitor.enter(app, "bob")).get("/jobs")
    assert not other.all("th", class_="name")
    assert "There are no jobs yet" in other.text


async def test_a_long_list_has_pages_in_its_order(app):
    visitor = await Visitor.enter(app, "ann")
    claim(app, visitor, 250)
    first = await visitor.get("/jobs?order=newest")
    assert (len(names(first)), names(first)[0], first.one("table")["data-last"]) == (100, "job-249", "3")
    last = await visitor.get("/jobs?order=newest&page=9")
    assert (len(names(last)), names(last)[-1], last.one("table")["data-page"]) == (50, "job-0", "3")
    assert names(await visitor.get("/jobs?order=name"))[:3] == ["job-0", "job-1", "job-2"]
    found = await visitor.get("/jobs?q=JOB-24+running&order=name")
    assert names(found) == ["job-24", *(f"job-{number}" for number in range(240, 250))]
    assert "11 jobs with" in found.text


async def test_jobs_stand_in_groups_under_their_state(app):
    visitor = await Visitor.enter(app, "ann")
    hub = claim(app, visitor, 3)
    hub.apply("scripted", [Changed((make_job("job-1", JobState.FAILED, created=BORN),))])
    page = await visitor.get("/jobs?group=state")
    bodies = [(body["data-group"], names(body)) for body in page.one("table").all("tbody")]
    assert bodies == [("Failed", ["job-1"]), ("Running", ["job-2", "job-0"])]


async def test_what_comes_from_outside_is_text(app):
    visitor = await Visitor.enter(app, "ann")
    claim(app, visitor, 1, reason=HOSTILE)
    hub = app.state.runtime.jobs.hub
    hub.apply("scripted", [Changed((make_job("job-0", JobState.FAILED, reason=HOSTILE, created=BORN),))])
    page = await visitor.get("/jobs", params={"q": "alert(1)"})
    assert names(page) == ["job-0"]
    assert "<script>alert(1)</script>" in page.one("table").one("tbody").text
    assert "\u202e" not in visitor.last.text
    assert "\x1b" not in visitor.last.text
    await visitor.get("/jobs", params={"q": '"><script>'})
    assert '"><script>' not in visitor.last.text


async def test_a_stream_has_the_rows_as_the_page_has_them(app):
    visitor = await Visitor.enter(app, "ann")
    hub = claim(app, visitor, 2)
    page = await visitor.get("/jobs")
    audience = Audience(frozenset({visitor.caller.user_id}))
    job = make_job("job-0", JobState.FAILED, reason=HOSTILE, created=BORN)
    hub.apply("scripted", [Changed((job,)), Gone((make_job("job-1").ref,))])
    frames = hub.frames(audience, page.one("table")["data-after"], app.state.job_pages.frames)
    events = {}
    async for part in frames:
        for block in part.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "event" in lines:
                events[lines["event"]] = json.loads(lines["data"])
        if {"rows", "gone"} <= events.keys():
            break
    assert events["gone"] == ["uid-job-1"]
    (row,) = events["rows"]
    assert row["fields"]["state"] == "Failed"
    streamed = parse(row["html"]).one("tr")
    shown = (await visitor.get("/jobs")).one("tr", data_uid="uid-job-0")
    assert streamed.text.replace("<1m", "") == shown.text.replace(shown.one("time").text, "")
    await frames.aclose()
