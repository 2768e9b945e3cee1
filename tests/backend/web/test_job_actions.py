"""Stop, resume and delete in a page: what is asked, who may, what is done and what is said then."""

import pytest

from backend_client.errors import Refused
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor, parse


@pytest.fixture
async def ann(app):
    return await enter(app, "ann")


@pytest.fixture
async def visitor(app):
    return await Visitor.enter(app, "ann")


def address(job, part):
    ref = job["ref"]
    return f"/jobs/{ref['name']}/{part}?cluster={ref['context']}&uid={ref['uid']}"


def marks(*jobs):
    return [f"{job['ref']['context']}/{job['ref']['uid']}" for job in jobs]


async def test_a_job_is_stopped_and_deleted_after_its_question(ann, visitor):
    job = await ann.submit(name="bert")
    page = await visitor.get(address(job, "stop"))
    assert page.one("h1").text == "Stop bert?"
    assert "Its log stays." in page.text
    form = page.one("div", id="question").one("form")
    answer = await visitor.submit(form)
    assert answer.headers["location"] == address(job, "").replace("/?", "?")
    await ann.ended("bert")

    page = await visitor.get(address(job, "stop"))
    assert "bert has ended already." in page.text
    assert page.one("div", id="question").one("button")["disabled"] is not None

    page = await visitor.get(address(job, "delete"))
    answer = await visitor.submit(page.one("div", id="question").one("form"))
    assert "bert is being deleted." in (await visitor.get(answer.headers["location"])).text
    await ann.gone("bert")


async def test_the_uid_is_a_precondition(ann, visitor):
    await ann.submit(name="bert")
    await visitor.send("/jobs/bert/stop", 404, cluster="local", uid="another")
    await visitor.send("/jobs/bert/stop", 422, cluster="local")
    assert (await ann.ask("GET", "/jobs/bert"))["finished"] is None


async def test_what_cannot_be_done_says_why_and_the_way_back(app, ann, visitor):
    job = await ann.submit(name="bert")
    page = await visitor.get(address(job, "resume"))
    assert "a local job that was stopped is over" in page.text
    assert page.one("div", id="question").one("button")["disabled"] is not None
    answer = await visitor.submit(page.one("div", id="question").one("form"), 400)
    assert any(link["href"] == address(job, "").replace("/?", "?") for link in parse(answer.text).all("a"))

    viewer = await Visitor.enter(app, "vic", "viewer")
    await viewer.get(address(job, "stop"), 404)
    await viewer.send("/jobs/bert/stop", 404, uid=job["ref"]["uid"])


async def test_a_viewer_sees_the_question_without_an_answer(app, ann):
    job = await ann.submit(name="bert")
    root = await enter(app, "root", "admin")
    await root.ask("PATCH", "/users/ann", json={"role": "viewer"})
    viewer = await Visitor.enter(app, "ann")
    for path in (address(job, "stop"), f"/selected?verb=stop&job={marks(job)[0]}"):
        page = await viewer.get(path)
        assert "Viewers change nothing" in page.text
        assert page.one("div", id="question").one("button")["disabled"] is not None
    await viewer.send("/jobs/bert/stop", 403, uid=job["ref"]["uid"])
    await viewer.send("/selected", 403, verb="stop", job=marks(job))
    page = await viewer.get("/jobs")
    assert "Viewers change nothing" in page.one("form", id="selected").text
    buttons = page.one("form", id="selected").all("button")
    assert {button.text for button in buttons if button["disabled"] is None} == {"Compare marked"}


async def test_marked_jobs_get_one_question(app, ann, visitor):
    jobs = [await ann.submit(name=f"job-{number}") for number in (1, 2)]
    ended = await ann.submit("true", name="done")
    await ann.ended("done")
    bobs = await (await enter(app, "bob")).submit(name="bobs")
    query = {"verb": "stop", "job": [*marks(*jobs, ended, bobs), "junk", "/", "local/<b>"], "q": "job"}
    page = await visitor.get("/selected", params=query)
    assert page.one("h1").text == "Stop these 2 jobs?"
    assert "job-1, job-2" in page.text
    assert "Left out: done has ended already; there is no such job." in page.text
    assert "bobs" not in page.text
    form = page.one("div", id="question").one("form")
    assert [field["value"] for field in form.all("input", name="job")] == marks(*jobs)

    answer = await visitor.send("/selected", verb="stop", job=marks(*jobs, bobs), q="job")
    assert answer.headers["location"] == "/jobs?q=job&done=stop&count=2"
    assert "2 jobs are being stopped." in (await visitor.get(answer.headers["location"])).text
    for job in jobs:
        await ann.ended(job["ref"]["name"])
    bob = await enter(app, "bob")
    assert (await bob.ask("GET", "/jobs/bobs"))["finished"] is None


async def test_failures_are_told_one_by_one_and_stop_no_other(app, ann, visitor):
    good, bad = await ann.submit(name="good"), await ann.submit(name="bad")
    cluster = app.state.runtime.jobs.clusters.get("local")

    class Picky:
        def __init__(self, backend):
            self._backend = backend

        def __getattr__(self, name):
            return getattr(self._backend, name)

        async def stop(self, ref):
            if ref.name == "bad":
                raise Refused("bad holds <b> still.", "Try again.")
            return await self._backend.stop(ref)

    cluster.backend = Picky(cluster.backend)
    page = parse((await visitor.send("/selected", 200, verb="stop", job=marks(good, bad))).text)
    assert page.one("h1").text == "1 of 2 jobs were not stopped"
    assert "bad: bad holds <b> still." in page.one("main").text
    await ann.ended("good")
    await visitor.send("/selected", 400, verb="stop", job=marks(bad))


async def test_too_many_and_strange_verbs_are_refused(visitor):
    await visitor.send("/selected", 422, verb="stop", job=[f"local/{number}" for number in range(1001)])
    answer = await visitor.send("/selected", verb="stop", job=[f"local/{number}" for number in range(1000)])
    assert answer.headers["location"] == "/jobs"
    await visitor.get("/selected?verb=burn", 422)
    page = await visitor.get("/selected?verb=stop")
    assert "No job is marked." in page.text


async def test_what_was_done_is_said_in_our_words_alone(visitor):
    page = await visitor.get("/jobs?done=delete&name=bert")
    assert "bert is being deleted." in page.text
    for junk in ("done=delete&name=your+account,+call+555", "done=pay&name=bert", "name=bert"):
        assert not (await visitor.get(f"/jobs?{junk}")).all("p", class_="good")
