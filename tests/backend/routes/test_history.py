"""Jobs stay as history: how they ended, and what they cost."""

from datetime import UTC, datetime, timedelta

from tests.backend.support.people import DEADLINE
from tests.support.wait import async_until


async def items(person, **query):
    return (await person.ask("GET", "/history", params=query))["items"]


async def known(person, name, holds):
    """Wait for what the history says of a job."""

    async def look():
        found = next((one for one in await items(person) if one["name"] == name), None)
        return found if found and holds(found) else False

    return await async_until(look, DEADLINE)


async def test_a_job_is_remembered_when_it_is_gone(ann, bob, root):
    await ann.submit("sleep 0.3; exit 3", name="bert-ft", gpus=2)
    done = await known(ann, "bert-ft", lambda past: past["finished"])
    assert (done["state"], done["exit_code"], done["owner"], done["gpus"]) == ("Failed", 3, "ann", 2)
    assert 0.5 < done["gpu_seconds"] < 20
    assert done["deleted"] is None
    await ann.ask("DELETE", "/jobs/bert-ft", 204)
    gone = await known(ann, "bert-ft", lambda past: past["deleted"])
    assert {key: gone[key] for key in done if key != "deleted"} == {
        key: value for key, value in done.items() if key != "deleted"
    }
    assert await items(bob) == await items(bob, user="ann") == []
    assert [one["name"] for one in await items(root, user="ANN")] == ["bert-ft"]


async def test_it_is_searched_by_text_state_and_time(ann):
    await ann.submit("exit 0", name="good")
    await ann.submit("exit 1", name="bad-one")
    for name in ("good", "bad-one"):
        await known(ann, name, lambda past: past["finished"])

    async def names(**query):
        return [one["name"] for one in await items(ann, **query)]

    assert await names() == ["bad-one", "good"]
    assert await names(text="GOO") == ["good"]
    assert await names(text="exit 1") == ["bad-one"]
    assert await names(text="d-o") == ["bad-one"]
    assert (
        await names(text="d_o")
        == await names(text="%")
        == await names(text="\\")
        == await names(text="'")
        == []
    )
    assert await names(state="Succeeded") == ["good"]
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert await names(until=soon) == ["bad-one", "good"]
    assert await names(since=soon) == []
    first = await ann.ask("GET", "/history", params={"limit": 1})
    second = await ann.ask("GET", "/history", params={"limit": 1, "after": first["next"]})
    assert [page["items"][0]["name"] for page in (first, second)] == ["bad-one", "good"]
    assert second["next"] == ""
    assert "after" in (await ann.ask("GET", "/history", 422, params={"after": "x"}))["fields"]
    assert (await ann.ask("GET", "/history", 422, params={"state": "x"}))["kind"] == "Invalid"


async def test_what_was_deleted_while_it_ran_says_so(ann):
    await ann.submit("sleep 60", name="short")
    await ann.until("short", lambda found: found["state"] == "Running")
    await ann.ask("DELETE", "/jobs/short", 204)
    gone = await known(ann, "short", lambda past: past["deleted"])
    assert gone["state"] == "Stopped"
    assert gone["finished"]
