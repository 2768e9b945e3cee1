"""The queues over the server: what each is told of whose jobs, and what is written to the audit log."""

import pytest

from tests.backend.support.queues import waits, with_queues


@pytest.fixture
async def queued(app):
    return with_queues(app)


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"queue_priorities": ("low",)})


async def test_others_are_figures(ann, bob, root, queued):
    jobs = [await ann.submit(name="anns"), await bob.submit(name="bobs")]
    stranger = {"ref": {"name": "made-by-kubectl", "uid": "somewhere"}}
    queued.waiting = [waits(job, number) for number, job in enumerate((*jobs, stranger), 1)]

    seen = await bob.ask("GET", "/queues")
    told = [
        (job["position"], job["name"], job["owner"], job["whose"], job["gpus"]) for job in seen["waiting"]
    ]
    assert told == [(1, "", "", "other", 2), (2, "bobs", "bob", "mine", 2), (3, "", "", "other", 2)]
    first = seen["waiting"][0]
    assert (first["uid"], first["kind"], first["namespace"], first["queue"]) == ("", "", "", "")
    assert (first["priority"], first["cluster"]) == (5, "local")
    for secret in ("anns", "made-by-kubectl", "written on it"):
        assert secret not in bob.last.text
    assert [queue["namespace"] for queue in seen["local_queues"]] == [""]
    assert [priority["name"] for priority in seen["priorities"]] == ["low"]
    assert seen["cluster_queues"][0]["quotas"][0]["nominal"] == 8
    assert seen["unknown"] == ["you may not list some"]

    everything = await root.ask("GET", "/queues", params={"cluster": "local"})
    assert [(job["name"], job["owner"], job["whose"]) for job in everything["waiting"][:2]] == [
        ("anns", "ann", "other"), ("bobs", "bob", "other"),
    ]  # fmt: skip
    assert [queue["namespace"] for queue in everything["local_queues"]] == ["", "x"]
    assert len(everything["priorities"]) == 2
    await bob.ask("GET", "/queues", 404, params={"cluster": "nowhere"})


async def test_a_setting_lets_others_be_named(app, ann, bob, queued):
    app.state.runtime.jobs.settings = app.state.runtime.settings.model_copy(update={"show_others": True})
    queued.waiting = [waits(await ann.submit(name="anns"), 1)]
    (job,) = (await bob.ask("GET", "/queues"))["waiting"]
    assert (job["name"], job["owner"], job["whose"]) == ("anns", "ann", "other")


async def test_changes_are_done_by_uid_and_audited(ann, bob, root, queued):
    await ann.submit(name="anns")
    for path in ("hold", "release"):
        assert (await ann.ask("POST", f"/jobs/anns/{path}"))["ref"]["name"] == "anns"
    await ann.ask("POST", "/jobs/anns/queue", json={"queue": "q2"})
    await ann.ask("POST", "/jobs/anns/priority", json={"priority": "low"})
    refused = await ann.ask("POST", "/jobs/anns/priority", 403, json={"priority": "urgent"})
    assert "there are: low" in refused["title"]
    await root.ask("POST", "/jobs/anns/priority", json={"priority": "urgent"})
    assert queued.done == [
        ("hold", "anns"), ("release", "anns"), ("move", "q2", "anns"),
        ("priority", "low", "anns"), ("priority", "urgent", "anns"),
    ]  # fmt: skip
    log = (await root.ask("GET", "/audit"))["items"]
    assert [(line["user"], line["verb"]) for line in log if line["object"] == "anns"][:5] == [
        ("root", "set priority"), ("ann", "set priority"), ("ann", "move"),
        ("ann", "release"), ("ann", "hold"),
    ]  # fmt: skip
    for path, body in (
        ("hold", None),
        ("release", None),
        ("queue", {"queue": "q"}),
        ("priority", {"priority": "low"}),
    ):
        assert (await bob.ask("POST", f"/jobs/anns/{path}", 404, json=body))["kind"] == "NotFound"
    await ann.ask("POST", "/jobs/anns/queue", 422, json={"queue": ""})
