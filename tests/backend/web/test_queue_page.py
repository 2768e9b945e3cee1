"""The page of the queues, and the one where a waiting job is held, moved, put ahead."""

import pytest

from backend_client.errors import Refused
from tests.backend.support.people import enter
from tests.backend.support.queues import waits, with_queues
from tests.backend.support.visitor import Visitor, parse


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"queue_priorities": ("low",)})


@pytest.fixture
async def queued(app):
    return with_queues(app)


async def test_others_are_figures_and_one_changes_ones_own(app, queued):
    ann, bob = await enter(app, "ann"), await enter(app, "bob")
    jobs = [await ann.submit(name="anns"), await bob.submit(name="bobs")]
    queued.waiting = [waits(job, number) for number, job in enumerate(jobs, 1)]
    visitor = await Visitor.enter(app, "bob")
    page = await visitor.get("/queue")
    assert "8 of 8" in page.text
    assert page.one("rect", class_="fill-own")["width"] == "200"
    assert "You may not list some." in page.text
    assert "anns" not in page.text
    own = page.one("a", class_="button", href=f"/jobs/bobs/queue?cluster=local&uid={jobs[1]['ref']['uid']}")

    page = await visitor.get(own["href"])
    hold, priority, move = page.one("main").all("form")
    assert hold.one("button").text == "Hold"
    assert [option["value"] for option in priority.all("option")] == ["", "low"]
    answer = await visitor.submit(hold)
    assert answer.headers["location"] == "/queue?done=hold"
    assert "held back" in (await visitor.get("/queue?done=hold")).one("div", role="status").text
    await visitor.submit(priority, priority="low")
    await visitor.submit(move, queue="q2")
    assert queued.done == [("hold", "bobs"), ("priority", "low", "bobs"), ("move", "q2", "bobs")]
    refused = parse((await visitor.submit(priority, 403, priority="urgent")).text)
    assert "does not allow the queue priority urgent" in refused.text
    wrong = parse((await visitor.submit(move, 422, queue="")).text)
    assert "is missing" in wrong.one("span", id="h-queue").text
    await visitor.get(f"/jobs/anns/queue?uid={jobs[0]['ref']['uid']}", 404)


async def test_a_refusal_keeps_what_was_chosen(app, queued):
    ann = await enter(app, "ann")
    job = await ann.submit(name="anns")
    queued.waiting = [waits(job, 1)]

    async def refuse(ref, queue):
        raise Refused(f"{ref.name} runs <b> already.", "Stop it first.")

    queued.move = refuse
    visitor = await Visitor.enter(app, "ann")
    answer = await visitor.send(
        "/jobs/anns/queue", 400, uid=job["ref"]["uid"], change="queue", queue="other-<i>"
    )
    page = parse(answer.text)
    assert "anns runs <b> already." in page.one("div", role="alert").text
    assert page.one("input", id="f-queue")["value"] == "other-<i>"


async def test_an_admin_is_told_whose_job_it_is(app, queued):
    job = await (await enter(app, "ann")).submit(name="anns")
    queued.waiting = [waits(job, 1)]
    root = await Visitor.enter(app, "root", "admin")
    page = await root.get(f"/jobs/anns/queue?uid={job['ref']['uid']}")
    assert "It is ann's." in page.text


async def test_where_there_are_no_queues_a_sentence_says_so(app):
    job = await (await enter(app, "ann")).submit(name="anns")
    visitor = await Visitor.enter(app, "ann")
    for path in ("/queue", f"/jobs/anns/queue?uid={job['ref']['uid']}"):
        assert "Local jobs wait for this machine's GPU slots only." in (await visitor.get(path)).text
    await visitor.send("/jobs/anns/queue", 400, uid=job["ref"]["uid"], change="hold")
