"""The page of one job: what it shows, to whom, when its cluster is slow, and when the job is gone."""

import asyncio
import unicodedata
from datetime import UTC, datetime

import pytest

from backend.jobs import loss_reading
from backend.web.job import questions as job_questions
from backend_client.models import Event
from backend_client.why import Cause, Explanation, Failure, Offer
from tests.backend.support.people import DEADLINE, enter
from tests.backend.support.visitor import Visitor
from tests.support.hostile import TEXTS
from tests.support.wait import async_until

HOSTILE = "<script>alert(1)</script>\N{RIGHT-TO-LEFT OVERRIDE}\x1b[31m"
LOSSES = 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo "step $i/30 loss: 0.$((90-i))"; done'


def address(job, part=""):
    ref = job["ref"]
    return f"/jobs/{ref['name']}{part}?cluster={ref['context']}&uid={ref['uid']}"


async def test_a_failed_job_says_how_and_shows_all_about_it(app):
    ann = await enter(app, "ann")
    job = await ann.submit(f"echo 'RuntimeError: {HOSTILE}' >&2; exit 3", name="bert", labels={"a": "b"})
    await ann.ended("bert")
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get(address(job))
    assert page.one("h1").text == "bert x Failed"
    why = page.one(id="why").text
    assert "exit 3" in why
    assert "RuntimeError" in why
    assert "alert(1)" in page.one(id="spec").raw_text
    assert len(page.all("script")) == 2, "ours: what every page does, and this one"
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page.raw_text
    assert "\x1b" not in page.raw_text
    times = page.one(id="times")
    assert "ended: Failed" in times.text
    assert [row.one("th").text for row in times.one("tbody").all("tr")] == ["1"]
    labels = [link.text for link in page.one(id="head").all("a", class_="button")]
    assert labels == ["Log", "Why", "Loss", "Spec file", "Run again", "Delete"]
    assert "data-ask" in page.one("a", data_key="d").attributes


async def test_the_spec_file_is_for_saving_and_the_key_of_why_leads_to_its_part(app):
    ann = await enter(app, "ann")
    job = await ann.submit(name="bert", gpus=1)
    visitor = await Visitor.enter(app, "ann")
    answer = await visitor.client.get(address(job, "/spec.yaml"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="bert.yaml"'
    assert "gpus: 1" in answer.text
    answer = await visitor.client.get(address(job, "/why"))
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{address(job)}#why"


async def test_a_job_of_another_is_answered_like_one_that_is_not(app):
    ann = await enter(app, "ann")
    job = await ann.submit(name="bert")
    visitor = await Visitor.enter(app, "bob")
    for part in ("", "/why", "/loss", "/ranks", "/spec.yaml"):
        found = await visitor.get(address(job, part), 404)
        none = await visitor.get(address(job, part).replace("/bert", "/none"), 404)
        assert found.one("h1").text.replace("bert", "none") == none.one("h1").text


async def test_a_deleted_job_keeps_its_address(app):
    ann = await enter(app, "ann")
    job = await ann.submit("exit 0", name="bert", gpus=1)
    await ann.ended("bert")
    await ann.ask("DELETE", "/jobs/bert", 204)
    await ann.gone("bert")
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get(address(job))
    assert "deleted" in page.one("h1").text
    assert "gpus: 1" in page.one(id="spec").text
    assert "asked for" in page.one(id="times").text
    assert [link.text for link in page.one(id="head").all("a", class_="button")] == ["Spec file", "Run again"]
    assert "Its log was deleted" in (await visitor.get(address(job, "/loss"))).text
    await (await Visitor.enter(app, "bob")).get(address(job), 404)


async def test_what_a_viewer_may_not_do_is_greyed_and_says_why(app):
    ann, root = await enter(app, "ann"), await enter(app, "root", "admin")
    job = await ann.submit(name="bert")
    await root.ask("PATCH", "/users/ann", json={"role": "viewer"})
    page = await (await Visitor.enter(app, "ann", "viewer")).get(address(job))
    head = page.one(id="head")
    assert [button.text for button in head.all("button")] == ["Run again", "Stop", "Delete"]
    assert all("Viewers change nothing" in button["title"] for button in head.all("button"))
    assert "Run again, Stop, Delete: Viewers change nothing" in head.text


async def test_a_slow_cluster_does_not_hold_the_page(app, monkeypatch):
    ann = await enter(app, "ann")
    job = await ann.submit(name="bert")
    await ann.until("bert", lambda found: found and found["state"] == "Running")
    backend = app.state.runtime.jobs.clusters.get("local").backend
    answered = asyncio.Event()

    async def never(*_):
        await answered.wait()
        return ()

    monkeypatch.setattr(job_questions, "LIMIT_SECONDS", 0.3)
    for name in ("events", "explain_for", "usage_history"):
        monkeypatch.setattr(type(backend), name, never)
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get(address(job))
    assert "data-pending" in page.one(id="head").attributes
    assert "Why is not known: no answer within 0.3 seconds" in page.one(id="why").text
    assert "its events cannot be read: no answer within 0.3 seconds" in page.one(id="times").text
    assert "use unknown" in page.one(id="use").text
    answered.set()


@pytest.mark.parametrize("query", ["", "&scale=log", "&over=time"])
async def test_the_loss_is_read_out_of_the_log(app, query):
    ann = await enter(app, "ann")
    job = await ann.submit(LOSSES, name="bert")
    await ann.ended("bert")
    page = await (await Visitor.enter(app, "ann")).get(address(job, "/loss") + query)
    assert "loss 0.600 at step 30, lowest 0.600 at step 30" in page.text
    assert "first 0.890, last 0.600, lowest 0.600" in page.all("svg")[0]["aria-label"]


async def test_a_job_that_waits_offers_what_would_help(app):
    ann = await enter(app, "ann")
    await ann.submit(name="first", gpus=1)
    await ann.until("first", lambda found: found and found["state"] == "Running")
    job = await ann.submit(name="second", gpus=2)
    await ann.until("second", lambda found: found and found["state"] == "Queued")
    page = await (await Visitor.enter(app, "ann")).get(address(job))
    offers = [link["href"] for link in page.one(id="why").all("a", class_="button")]
    assert offers[0] == f"/new?from={job['ref']['uid']}&f.gpus=1"
    assert "gpus 2 -> 1" in page.one(id="why").text


async def test_the_ranks_are_read_out_of_the_log(app):
    ann = await enter(app, "ann")
    job = await ann.submit(LOSSES, name="bert")
    await ann.ended("bert")
    page = await (await Visitor.enter(app, "ann")).get(address(job, "/ranks"))
    row = page.one("tbody").one("tr")
    step, *_, silent, _node = [cell.text for cell in row.all("td")]
    assert (row.one("th").text, step, silent) == ("0", "30", "ended")


async def test_a_log_is_read_on_from_where_its_loss_was(app, monkeypatch, tmp_path):
    monkeypatch.setattr(loss_reading, "FRESH_SECONDS", 0.0)
    ann = await enter(app, "ann")
    job = await ann.submit(
        f"{LOSSES}; until [ -e more ]; do sleep .05; done; echo 'step 31/31 loss: 0.5'", workdir=str(tmp_path)
    )
    visitor = await Visitor.enter(app, "ann")
    await async_until(lambda: shows(visitor, job, "loss 0.600 at step 30"), DEADLINE)
    queries = []
    raw_log = loss_reading.raw_log

    def note(service, query, after):
        queries.append((query.tail, bool(after)))
        return raw_log(service, query, after)

    monkeypatch.setattr(loss_reading, "raw_log", note)
    (tmp_path / "more").touch()
    await async_until(lambda: shows(visitor, job, "loss 0.500 at step 31"), DEADLINE)
    await async_until(lambda: shows(visitor, job, "first 0.890"), DEADLINE)
    assert (None, True) in queries


async def shows(visitor, job, words):
    """Return something once the page of the loss has these words."""
    await visitor.get(address(job, "/loss"))
    return (words,) if words in visitor.last.text else ()


async def test_whatever_a_cluster_says_is_text(app, monkeypatch):
    ann = await enter(app, "ann")
    job = await ann.submit("exit 1", name="bert")
    await ann.ended("bert")
    said = f"<img src=x onerror=alert(1)> {' '.join(TEXTS.values())}"

    async def explain(*_):
        return Explanation(
            sentence=said,
            chain=(Cause(id="", sentence=said, object=said, raw=said),),
            offers=(Offer(id=said, sentence=said, changes={"gpus": "1"}),),
            failure=Failure(exit=said, where=said, said=said, facts=(said,)),
            unknown=(said,),
        )

    async def events(*_):
        return [Event(time=datetime.now(UTC), reason=said, message=said, warning=True)]

    backend = app.state.runtime.jobs.clusters.get("local").backend
    monkeypatch.setattr(type(backend), "explain_for", explain)
    monkeypatch.setattr(type(backend), "events", events)
    page = await (await Visitor.enter(app, "ann")).get(address(job))
    assert not page.all("img", src="x")
    assert page.raw_text.count("onerror=alert(1)") >= 9
    assert not [sign for sign in page.raw_text if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf")]
