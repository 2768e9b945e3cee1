"""The page of what was: whose jobs, by which words, page by page."""

from datetime import UTC, datetime

from backend.db.models import JobRow
from backend.web.pages import history
from tests.backend.support.visitor import Visitor

HOSTILE = "<b>x</b>\u202e"


async def remember(app, visitor, *names, state="Failed", reason="exit 1"):
    async with app.state.runtime.database.write() as session:
        for name in names:
            row = JobRow(
                uid=f"u-{name}", key=name, user_id=visitor.caller.user_id, cluster="local", namespace="",
                name=name, kind="job", spec="{}", state=state, reason=reason, created=datetime.now(UTC),
            )  # fmt: skip
            session.add(row)
            await session.flush()


def names(page):
    return [cell.text for cell in page.all("th", class_="name")]


async def test_ones_own_by_words_and_in_pages(app, monkeypatch):
    monkeypatch.setattr(history, "LIMIT", 2)
    ann, bob = await Visitor.enter(app, "ann"), await Visitor.enter(app, "bob")
    await remember(app, ann, "one", "two", HOSTILE, reason=HOSTILE)
    page = await ann.get("/history")
    assert names(page) == ["<b>x</b>\ufffd", "two"]
    assert not page.all("b")
    link = page.all("th", class_="name")[1].one("a")["href"]
    assert link == "/jobs/two?cluster=local&uid=u-two"
    (older,) = [one for one in page.all("a", class_="button") if one.text == "Older"]
    page = await ann.get(older["href"])
    assert names(page) == ["one"]
    assert "Older" not in page.text
    assert names(await ann.get("/history?q=state:fail+user:ann+since:1h+two")) == ["two"]
    assert "There was no job like that." in (await ann.get("/history?q=until:2020-01-01")).text
    assert "No job yet." in (await bob.get("/history")).text
    assert not names(await bob.get("/history?q=user:ann"))
    root = await Visitor.enter(app, "root", "admin")
    assert names(await root.get("/history?q=user:ann+one")) == ["one"]


async def test_a_filter_that_cannot_be_read_stays_with_a_sentence(app):
    ann = await Visitor.enter(app, "ann")
    for typed, words in (
        ("state:%22%3E%3Cb%3E", "state: write one of"),
        ("since:soon", "write 12h, 7d, 2w"),
        ("since:0001-01-01", "write"),
        ("until:9999-12-31", "write a moment after 1970"),
    ):
        page = await ann.get(f"/history?q={typed}", 422)
        assert words in page.one("span", id="q-wrong").text
        assert page.one("input", id="q")["value"].startswith(typed[:6])
        assert not page.all("b")
    await ann.get("/history?after=x", 422)
