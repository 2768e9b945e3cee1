"""Jobs of people, on this machine: made once, owned, stopped, deleted."""

import asyncio

import pytest
from sqlalchemy import func, select

from backend.db.models import AuditRow, Idempotency, JobRow
from tests.backend.support.people import DEADLINE, enter
from tests.support.wait import async_until

SLEEP = {"kind": "job", "command": ["sleep", "60"]}


async def count(app, table):
    async with app.state.runtime.database.read() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def test_a_job_is_made_found_and_ends(ann):
    made = await ann.submit("echo hello; exit 3", name="probe", labels={"team": "nlp"})
    assert (made["ref"]["name"], made["owner"], made["ref"]["context"]) == ("probe", "ann", "local")
    assert ann.last.headers["location"].startswith("/api/jobs/probe?")
    done = await ann.ended("probe")
    assert (done["state"], done["owner"]) == ("Failed", "ann")
    assert done["attempts"][-1]["exit_code"] == 3
    assert await ann.names(label="team=nlp") == await ann.names(state="Failed") == ["probe"]
    assert await ann.names(label="team=cv") == await ann.names(state="Running") == []
    listed = await ann.ask("GET", "/jobs")
    assert listed == {"items": [done], "next": ""}


async def test_a_list_comes_in_pages_newest_first(ann):
    for number in range(5):
        await ann.submit("exit 0", name=f"job-{number}")
    found, after = [], ""
    while True:
        page = await ann.ask("GET", "/jobs", params={"limit": 2, "after": after})
        found += [job["ref"]["name"] for job in page["items"]]
        if not (after := page["next"]):
            break
    assert found == [f"job-{number}" for number in reversed(range(5))]
    assert await ann.names(limit=5) == found


async def test_what_a_query_says_wrong_is_said(ann):
    for query, field in (
        ({"state": "Nowhere"}, "state"),
        ({"label": "x"}, "label"),
        ({"after": "x"}, "after"),
    ):
        problem = await ann.ask("GET", "/jobs", 422, params=query)
        assert field in problem["fields"]


async def test_the_same_key_is_the_same_job_also_at_once(app, ann, bob):
    answers = await asyncio.gather(*(ann.submit(key="k", name="once") for _ in range(8)))
    assert len({answer["ref"]["uid"] for answer in answers}) == 1
    assert await count(app, JobRow) == await count(app, Idempotency) == 1
    problem = await ann.submit(key="k", name="other", status=422)
    assert "Idempotency-Key" in problem["fields"]
    await bob.submit(key="k", name="another")  # keys are each person's own


async def test_a_refused_create_leaves_nothing_and_its_key_free(app, ann):
    await ann.submit("exit 0", name="mine")
    problem = await ann.submit(key="k", name="mine", status=409)
    assert "mine" in problem["title"]
    assert await count(app, JobRow) == 1
    assert await count(app, Idempotency) == 0
    await ann.ended("mine")
    await ann.ask("DELETE", "/jobs/mine", 204)
    await ann.gone("mine")
    await ann.submit(key="k", name="mine")


async def test_another_ones_job_is_not_there(ann, bob, root):
    made = await ann.submit(name="secret")
    uid = made["ref"]["uid"]
    assert await bob.names() == await bob.names(owner="ann") == []
    for method, path in (
        ("GET", "/jobs/secret"),
        ("GET", f"/jobs/secret?uid={uid}"),
        ("GET", "/jobs/secret?owner=ann"),
        ("DELETE", "/jobs/secret"),
        ("POST", "/jobs/secret/stop"),
        ("POST", "/jobs/secret/resume"),
        ("POST", "/jobs/secret/hold"),
        ("POST", "/jobs/secret/release"),
        ("GET", "/jobs/secret/logs"),
        ("GET", "/jobs/secret/events"),
        ("GET", "/jobs/secret/receipt"),
        ("GET", f"/jobs/secret/receipt?uid={uid}"),
        ("GET", "/jobs/secret/why"),
        ("GET", "/jobs/secret/usage"),
        ("GET", f"/jobs/secret/usage/history?uid={uid}"),
    ):
        assert (await bob.ask(method, path, 404))["kind"] == "NotFound"
    ask = {"verb": "stop", "ref": made["ref"]}
    assert await bob.ask("POST", "/access", json=[ask]) == [
        {"allowed": None, "why": "There is no such job of yours."}
    ]
    assert (await ann.ask("POST", "/access", json=[ask]))[0]["allowed"] is True
    assert await root.names() == await root.names(owner="ann") == ["secret"]
    assert await root.names(owner="bob") == []


async def test_a_viewer_sees_and_changes_nothing(app):
    eve = await enter(app, "eve", "viewer")
    assert "iewers change nothing" in (await eve.submit(status=403))["title"]
    assert await eve.names() == []
    verdict = (await eve.ask("POST", "/access", json=[{"verb": "create"}]))[0]
    assert verdict["allowed"] is False
    assert "researcher" in verdict["why"]


async def test_stop_is_audited_and_the_log_stays(app, ann):
    await ann.submit("echo up; sleep 60", name="long")
    await ann.until("long", lambda job: job["state"] == "Running")
    assert (await ann.ask("POST", "/jobs/long/stop"))["state"] in ("Stopping", "Stopped")
    assert (await ann.ended("long"))["state"] == "Stopped"
    assert "up" in await ann.ask("GET", "/jobs/long/logs")
    events = await ann.ask("GET", "/jobs/long/events")
    assert events["items"][0]["reason"] == "Stopping"
    async with app.state.runtime.database.read() as session:
        lines = [(row.user, row.verb, row.object) for row in await session.scalars(select(AuditRow))]
    assert [line for line in lines if line[2] == "long"] == [
        ("ann", "create", "long"),
        ("ann", "stop", "long"),
    ]


async def test_resume_where_there_is_none_is_refused_in_words(ann):
    await ann.submit("exit 0", name="a")
    await ann.ended("a")
    assert "run it again" in (await ann.ask("POST", "/jobs/a/resume", 400))["detail"]


async def test_a_deletion_is_accepted_and_goes_on_by_itself(ann):
    made = await ann.submit("sleep 60", name="doomed")
    await ann.until("doomed", lambda job: job["state"] == "Running")
    await ann.ask("DELETE", f"/jobs/doomed?uid={made['ref']['uid']}", 204)
    await ann.gone("doomed")
    again = await ann.submit("exit 0", name="doomed")
    problem = await ann.ask("DELETE", f"/jobs/doomed?uid={made['ref']['uid']}", 404)
    assert made["ref"]["uid"] in problem["title"]
    assert (await ann.ask("GET", "/jobs/doomed"))["ref"] == again["ref"]


async def test_an_ambiguous_name_is_a_conflict_with_its_candidates(app, ann, root):
    """Two clusters may each have a job of one name; this machine alone cannot, so the rows say so."""
    made = await ann.submit("sleep 60", name="twin")
    async with app.state.runtime.database.write() as session:
        row = await session.scalar(select(JobRow))
        values = {
            column.name: getattr(row, column.name)
            for column in JobRow.__table__.columns
            if column.name != "id"
        }
        session.add(JobRow(**{**values, "key": "other", "uid": "other", "cluster": "elsewhere"}))
    problem = await ann.ask("GET", "/jobs/twin", 409)
    assert problem["fields"] == {
        made["ref"]["uid"]: "cluster=local owner=ann",
        "other": "cluster=elsewhere owner=ann",
    }
    assert (await ann.ask("GET", "/jobs/twin?cluster=local"))["ref"] == made["ref"]
    assert (await root.ask("GET", "/jobs/twin?uid=other"))["ref"]["context"] == "elsewhere"
    assert sorted(await ann.names()) == ["twin", "twin"]


async def test_quotas_hold_also_at_once(app, root):
    await root.ask(
        "POST", "/users", 201, json={"user": "kim", "password": "a long password 1", "role": "researcher"}
    )
    await root.ask("PATCH", "/users/kim", json={"max_jobs": 3, "max_gpus": 1})
    kim = await enter(app, "kim")
    answers = await asyncio.gather(*(kim.ask_status("POST", "/jobs", json=SLEEP) for _ in range(8)))
    assert sorted(answers) == [201] * 3 + [400] * 5
    names = await kim.names()
    assert len(set(names)) == 3
    assert "3 at a time" in (await kim.submit(status=400))["title"]
    await kim.ask("POST", f"/jobs/{names[0]}/stop")
    await kim.ended(names[0])

    async def freed():
        return "gpus" in (await kim.ask("POST", "/jobs", 400, json=SLEEP | {"gpus": 2}))["fields"]

    assert await async_until(freed, DEADLINE)
    await kim.submit(gpus=1)


async def test_what_a_machine_does_not_take_is_refused_by_name(ann):
    problem = await ann.submit(status=400, image="pytorch:2", namespace="kube-system")
    assert set(problem["fields"]) == {"image", "namespace"}
    problem = await ann.submit(status=422, cluster="nowhere")
    assert "local" in problem["fields"]["cluster"]


async def test_a_plan_makes_nothing(app, ann):
    plan = await ann.ask("POST", "/plan", json={"kind": "job", "command": ["true"], "secrets": {"A": None}})
    assert plan["errors"] == []
    assert "true" in plan["yaml"]
    assert await count(app, JobRow) == 0


async def test_secrets_reach_the_job_and_no_row(app, ann):
    await ann.submit("test ${#TOKEN} = 12", name="s", secrets={"TOKEN": "s3cr3t-value"}, key="k")
    assert (await ann.ended("s"))["state"] == "Succeeded"
    async with app.state.runtime.database.read() as session:
        for table in (JobRow, Idempotency, AuditRow):
            for row in await session.scalars(select(table)):
                assert "s3cr3t" not in repr(vars(row))
    problem = await ann.submit(status=422, secrets={"TOKEN": None})
    assert "TOKEN" in problem["fields"]["secrets"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"name": {"a": [1]}}', b"[" * 100_000])
async def test_no_body_is_a_defect(ann, body):
    problem = await ann.ask("POST", "/jobs", 422, content=body)
    assert problem["kind"] == "Invalid"
    await ann.ask("POST", "/plan", 422, content=body)
    if body != b"[]":
        await ann.ask("POST", "/access", 422, content=body)
