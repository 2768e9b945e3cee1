"""Pages of alerts: whose they are, what is done to them, wishes and channels."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.db.models import AlertRow, JobRow
from tests.backend.support.receivers import receiver
from tests.backend.support.visitor import Visitor

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


async def alert(app, visitor, sentence="bert failed: exit 3", **fields):
    """Write an alert of a job of somebody; return its id."""
    async with app.state.runtime.database.write() as session:
        job = JobRow(
            uid=f"u-{sentence}", key=sentence, user_id=visitor.caller.user_id, cluster="local", namespace="",
            name=f"bert{HOSTILE}", kind="job", spec="{}", state="Failed", created=datetime.now(UTC),
        )  # fmt: skip
        session.add(job)
        await session.flush()
        fired = datetime.now(UTC) - timedelta(hours=2)
        row = AlertRow(
            rule="failed", job_id=job.id, attempt=1, episode=1, sentence=sentence, fired=fired, **fields
        )
        session.add(row)
        await session.flush()
        return row.id


def stands(page):
    return [row.all("td")[1].text for row in page.one("tbody").all("tr")]


async def test_one_sees_ones_own_and_an_admin_everybodys(app):
    ann, bob, root = [
        await Visitor.enter(app, name, role)
        for name, role in (("ann", "researcher"), ("bob", "researcher"), ("root", "admin"))
    ]
    await alert(app, ann, HOSTILE)
    page = await ann.get("/alerts")
    assert page.one("nav", aria_label="Pages").one("span", class_="count").text == "1 firing"
    assert (await ann.get("/jobs")).one("nav", aria_label="Pages").one(
        "span", class_="count"
    ).text == "1 firing", "on all pages"
    assert page.one("summary").text == HOSTILE.replace("\u202e", "\ufffd")
    assert len(page.all("img")) == 1, "the brand's alone"
    assert "u-" in page.one("tbody").one("th").one("a")["href"]
    assert "everybody" not in page.text
    (when,) = page.one("details").all("time")
    assert when["datetime"].endswith("Z")
    for path, visitor in (("/alerts?everybody=1", bob), ("/alerts", root), ("/alerts", bob)):
        assert "Nothing has fired." in (await visitor.get(path)).text
    page = await root.get("/alerts?everybody=1")
    assert "of ann" in page.one("tbody").text
    assert not page.all("span", class_="count"), "it counts one's own"


async def test_seen_and_snoozed_by_forms_and_by_nobody_else(app):
    ann, bob = await Visitor.enter(app, "ann"), await Visitor.enter(app, "bob")
    first, second = await alert(app, ann, "a"), await alert(app, ann, "b")
    page = await ann.get("/alerts")
    forms = {form.one("button").text: form for form in page.one("tbody").all("tr")[0].all("form")}
    assert [*forms] == ["Seen", "Snooze 1 hour", "Snooze 4 hours", "Snooze until tomorrow"]
    answer = await ann.submit(forms["Snooze until tomorrow"])
    assert answer.headers["location"] == "/alerts"
    page = await ann.get("/alerts")
    assert stands(page) == ["snoozed", "firing"]
    await ann.submit(next(form for form in page.all("form") if form.one("button").text == "All seen"))
    assert stands(await ann.get("/alerts")) == ["snoozed", "seen"]
    await ann.send("/alerts/snooze", 422, id=str(first), **{"for": "ever"})
    for path in ("/alerts/acknowledge", "/alerts/snooze"):
        await bob.send(path, 404, id=str(second), **{"for": "1 hour"})
    eve = await Visitor.enter(app, "eve", "viewer")
    await alert(app, eve, "c")
    page = await eve.get("/alerts")
    assert all(form.one("button")["title"] for form in page.one("section").all("form"))
    assert "Viewers change nothing" in page.text
    await eve.send("/alerts/acknowledge", 403, id="1")


async def test_wishes_are_kept_or_stay_as_typed_with_a_sentence_at_the_field(app):
    ann = await Visitor.enter(app, "ann")

    async def form():
        page = await ann.get("/alerts/wishes")
        return next(one for one in page.all("form") if one["class"] == "fields")

    wrong = {"gpu-idle": f'"{HOSTILE}', "pending": "2h"}
    answer = await ann.submit(await form(), 422, **wrong)
    assert "&lt;img" in answer.text
    assert "<img src=x" not in answer.text
    answer = await ann.submit(await form(), 422, **{"quiet.start": "25:99", "quiet.end": "7", "loss": "off"})
    assert answer.text.count("write a time as 22:00") == 2
    assert 'value="25:99"' in answer.text
    await ann.submit(await form(), **{"gpu-idle": "45m", "quiet.start": "23:00", "quiet.end": "06:30"})
    kept = {field["name"]: field["value"] for field in (await form()).all("input")}
    assert (kept["gpu-idle"], kept["quiet.start"], kept["loss"]) == ("45m", "23:00", "")


@pytest.fixture
async def there():
    async with receiver() as made:
        yield made


@pytest.fixture
def settings(settings, there):
    return settings.model_copy(update={"alert_hosts": (f"http://127.0.0.1:{there.port}",)})


async def test_a_channel_is_added_tried_and_removed_and_its_address_never_told(app, there):
    ann, bob = await Visitor.enter(app, "ann"), await Visitor.enter(app, "bob")
    address = f"http://127.0.0.1:{there.port}/secret-path"
    page = await ann.get("/alerts/channels/add?kind=webhook")
    assert page.one("input", name="address")["type"] == "password"
    form = page.one("form", class_="fields")
    answer = await ann.submit(form, 422, name="hook", address="ftp://elsewhere/secret-path")
    assert 'value="hook"' in answer.text
    assert "secret-path" not in answer.text
    await ann.get("/alerts/channels/add?kind=webhook")
    answer = await ann.submit(form, 200, name="hook", address=address)
    assert "The signing key of" in answer.text
    page = await ann.get("/alerts/wishes")
    row = page.one("section", id="channels").one("tbody").one("tr")
    assert [cell.text for cell in row.all("td")[:2]] == ["webhook", f"127.0.0.1:{there.port}"]
    assert "secret-path" not in page.raw_text
    there.answers = [200, 404]
    for words in ("sent", "given up after 1 try: 127.0.0.1 answers 404."):
        assert words in (await ann.submit(row.one("form"), 200)).text
    await bob.send("/alerts/channels/test", 404, name="hook")
    await bob.send("/alerts/channels/remove", 404, name="hook")
    page = await ann.get(row.one("a", class_="bad")["href"])
    assert page.one("h1").text == "Remove hook?"
    await ann.submit(page.one("form", class_="actions"))
    assert "None yet, so that nothing is sent." in (await ann.get("/alerts/wishes")).text
