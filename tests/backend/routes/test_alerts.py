"""Alerts over REST: whose they are, wishes, channels, the audit log; from a failure to its message."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.backend.support.people import enter
from tests.backend.support.receivers import receiver
from tests.support.wait import async_until


@pytest.fixture
async def there():
    async with receiver() as made:
        yield made


@pytest.fixture
def settings(settings, there):
    hosts = (f"http://127.0.0.1:{there.port}",)
    return settings.model_copy(update={"alert_hosts": hosts, "alert_rules": {"finished": "on"}})


def hook(there, name="hook", path="secret-path"):
    return {"name": name, "kind": "webhook", "address": f"http://127.0.0.1:{there.port}/{path}"}


async def fired(person):
    async def look():
        return (await person.ask("GET", "/alerts"))["items"]

    return await async_until(look, 60)


async def test_from_a_failure_to_its_message(app, ann, bob, root, there):
    made = await ann.ask("POST", "/alerts/channels", 201, json=hook(there))
    assert (made["shown"], bool(made["signing_key"])) == (f"127.0.0.1:{there.port}", True)
    await ann.submit("exit 3", name="bert")
    (alert,) = await fired(ann)
    assert (alert["rule"], alert["job"]["name"], alert["state"]) == ("failed", "bert", "firing")
    await async_until(lambda: there.heard, 60)

    async def is_sent():
        (alert,) = (await ann.ask("GET", "/alerts"))["items"]
        return alert["deliveries"] and alert["deliveries"][0]["state"] == "sent"

    await async_until(is_sent)
    assert there.keys[0].endswith(f"-alert-{alert['id']}-fired")

    assert (await bob.ask("GET", "/alerts"))["items"] == []
    assert (await bob.ask("GET", "/alerts", params={"everybody": True}))["items"] == []
    assert (await root.ask("GET", "/alerts"))["items"] == []
    (seen,) = (await root.ask("GET", "/alerts", params={"everybody": True}))["items"]
    assert (seen["id"], seen["deliveries"]) == (alert["id"], []), "where ann is told is hers alone"
    assert seen["owner"] == alert["owner"] == "ann"

    path = f"/alerts/{alert['id']}"
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await bob.ask("POST", f"{path}/acknowledge", 404)
    await bob.ask("POST", f"{path}/snooze", 404, json={"until": tomorrow})
    await ann.ask("POST", f"{path}/snooze", 422, json={"until": "2020-01-01T00:00:00Z"})
    assert (await ann.ask("POST", f"{path}/snooze", json={"until": tomorrow}))["snoozed_until"]
    acknowledged = await ann.ask("POST", f"{path}/acknowledge")
    assert (acknowledged["acknowledged_by"], acknowledged["snoozed_until"]) == ("ann", None)
    for wrong in ("0", "x", "99999999999999999999", "-1"):
        await ann.ask("POST", f"/alerts/{wrong}/acknowledge", 404)


async def test_channels(ann, bob, root, there):
    await ann.ask("POST", "/alerts/channels", 201, json=hook(there))
    tried = await ann.ask("POST", "/alerts/channels/hook/test")
    assert (tried["state"], tried["channel"]) == ("sent", "hook")
    there.answers = [404]
    tried = await ann.ask("POST", "/alerts/channels/hook/test")
    assert (tried["state"], tried["why"]) == ("failed", "127.0.0.1 answers 404.")
    for _ in range(3):
        await ann.ask("POST", "/alerts/channels/hook/test")
    await ann.ask("POST", "/alerts/channels/hook/test", 400)
    assert len(there.heard) == 5

    await bob.ask("POST", "/alerts/channels/hook/test", 404)
    await bob.ask("DELETE", "/alerts/channels/hook", 404)
    seen = (await ann.ask("GET", "/alerts/wishes"))["channels"]
    assert [(each["name"], each["kind"], each["signing_key"]) for each in seen] == [("hook", "webhook", "")]
    assert "secret-path" not in ann.last.text
    await ann.ask("POST", "/alerts/channels", 201, json=hook(there, path="other"))
    for address in ("https://127.0.0.1/x", "https://2130706433/", "https://localhost/"):
        answer = await ann.ask_status(
            "POST", "/alerts/channels", json={**hook(there, "bad"), "address": address}
        )
        assert answer in (400, 422), address
    await ann.ask("POST", "/alerts/channels", 422, json=hook(there, " a/b "))
    await ann.ask("DELETE", "/alerts/channels/hook", 204)
    await ann.ask("DELETE", "/alerts/channels/hook", 404)

    lines = (await root.ask("GET", "/audit"))["items"]
    told = [(line["user"], line["verb"], line["object"]) for line in lines if "channel" in line["verb"]]
    assert told == [
        ("ann", "remove channel", "hook (webhook)"),
        ("ann", "change channel", "hook (webhook)"),
        ("ann", "add channel", "hook (webhook)"),
    ]
    assert "secret-path" not in root.last.text


async def test_at_most_so_many_channels(ann, there):
    for number in range(10):
        await ann.ask("POST", "/alerts/channels", 201, json=hook(there, f"hook{number}"))
    await ann.ask("POST", "/alerts/channels", 409, json=hook(there, "one-more"))
    await ann.ask("POST", "/alerts/channels", 201, json=hook(there, "hook3"))


async def test_wishes(app, ann, bob):
    wanted = {
        "rules": {"gpu-idle": "45m", "failed": "off"},
        "quiet": {"start": "22:00", "end": "07:00", "zone": "Asia/Tokyo"},
    }
    kept = await ann.ask("PUT", "/alerts/wishes", json=wanted)
    assert (kept["rules"], kept["quiet"], kept["channels"]) == (wanted["rules"], wanted["quiet"], [])
    assert (await ann.ask("GET", "/alerts/wishes")) == kept
    assert (await bob.ask("GET", "/alerts/wishes"))["rules"] == {}
    wrong = await ann.ask(
        "PUT", "/alerts/wishes", 422, json={"rules": {"gpu-idel": "45m", "pending": "soon"}}
    )
    assert wrong["fields"].keys() == {"rules.gpu-idel", "rules.pending"}
    wrong = await ann.ask("PUT", "/alerts/wishes", 422, json={"quiet": {"start": "25:00", "end": "07:00"}})
    assert wrong["fields"].keys() == {"quiet.start"}
    for body, field in (({"until": 1}, "until"), ({"quiet": {"from": "22:00"}}, "quiet.from")):
        wrong = await ann.ask("PUT", "/alerts/wishes", 422, json=body)
        assert wrong["fields"] == {field: "there is no such field"}
    assert (await ann.ask("GET", "/alerts/wishes")) == kept
    await ann.submit("exit 3", name="bad")
    await ann.submit("true", name="good")  # `finished` is on for all, by the server's settings
    (alert,) = await fired(ann)
    await ann.ended("bad")
    assert alert["rule"] == "finished"


async def test_a_viewer_changes_nothing(app, ann):
    eve = await enter(app, "eve", "viewer")
    await eve.ask("POST", "/alerts/1/acknowledge", 403)
