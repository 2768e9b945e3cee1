"""The pages of the accounts, for admins."""

import pytest

from backend.accounts.people import get_person
from backend.audit import list_lines
from tests.backend.conftest import PASSWORD, logged_in
from tests.backend.support.visitor import Visitor, parse

NEW = {"user": "ann", "role": "researcher", "team": "vision", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
async def root(app):
    return await Visitor.enter(app, "root", "admin")


@pytest.mark.parametrize("path", ["/people", "/people/root", "/people/root/disable", "/audit"])
async def test_they_are_for_admins(app, path):
    for role in ("viewer", "researcher"):
        visitor = await Visitor.enter(app, role, role)
        page = await visitor.get(path, 403)
        assert page.one("h1").text == f"{role} is a {role}; this is for admins."
        if path != "/audit":
            await visitor.send(path, 405 if path == "/audit" else 403)
    await Visitor(app).get(path, 303)


async def test_somebody_is_added_and_what_was_typed_is_kept_but_passwords(app, root):
    form = (await root.get("/people")).one("form", action="/people")
    hostile = '"><script>alert(1)</script>'
    for change, status, field in (
        ({"user": hostile}, 422, "user"),
        ({"team": hostile}, 422, "team"),
        ({"again": "x"}, 422, "again"),
        ({"password": "short", "again": "short"}, 422, "password"),
        ({"user": "root"}, 409, None),
    ):
        typed = NEW | change
        page = parse((await root.submit(form, status, **typed)).text)
        assert [one["name"] for one in page.all("input", aria_invalid="true")] == [field] * (
            field is not None
        )
        assert page.one("input", name="user")["value"] == typed["user"]
        assert page.one("input", name="team")["value"] == typed["team"]
        assert page.one("option", selected="").text == "researcher"
        assert PASSWORD not in root.last.text
        assert len(page.all("script")) == 1
    assert (await root.submit(form, **NEW)).headers["location"] == "/people/ann?done=added"
    page = await root.get("/people")
    assert [cell.text for cell in page.all("th", class_="name")] == ["ann", "root"]
    await Visitor(app).send("/login", user="ann", password=PASSWORD)


async def test_only_what_differs_is_changed(app, root):
    await root.send("/people", **NEW)
    form = (await root.get("/people/ann")).one("form", action="/people/ann")
    page = parse((await root.submit(form, 422, max_gpus="-1", max_jobs="9" * 30, team="lab")).text)
    wrong = {one["name"]: one["value"] for one in page.all("input", aria_invalid="true")}
    assert wrong == {"max_gpus": "-1", "max_jobs": "9" * 30}
    assert page.one("input", name="team")["value"] == "lab"
    await root.submit(form, role="viewer", max_gpus="4")
    await root.submit((await root.get("/people/ann")).one("form", action="/people/ann"))
    ann = await get_person(app.state.runtime, "ann")
    assert (ann.role, ann.team, ann.max_gpus, ann.max_jobs) == ("viewer", "vision", 4, None)
    async with app.state.runtime.database.read() as session:
        lines = [line.object for line in await list_lines(session) if line.verb == "change user"]
    assert lines == ["ann: max_gpus=4, role=viewer"]


async def test_disabling_asks_and_ends_all_logins(app, root):
    ann = await Visitor.enter(app, "ann")
    question = await root.get("/people/ann/disable")
    await ann.get("/jobs")
    await root.submit(question.one("form", action="/people/ann/disable"))
    assert "is disabled" in (await root.get("/people/ann")).text
    await ann.get("/jobs", 303)
    await root.submit((await root.get("/people/ann")).one("form", action="/people/ann/enable"))
    assert "is disabled" not in (await root.get("/people/ann")).text
    page = parse((await root.send("/people/root/disable", 409)).text)
    assert "the last admin" in page.one("h1").text
    await root.get("/people/nobody", 404)


async def test_a_new_password_ends_the_logins_of_that_person(app, root):
    ann = await Visitor.enter(app, "ann")
    form = (await root.get("/people/ann")).one("form", action="/people/ann/password")
    await root.submit(form, 422, password="", again="")
    await ann.get("/jobs")
    await root.submit(form, password="another long password", again="another long password")
    await ann.get("/jobs", 303)
    await Visitor(app).send("/login", user="ann", password="another long password")


async def test_the_audit_log_is_read_part_by_part(app, root, monkeypatch):
    monkeypatch.setattr("backend.web.pages.audit.PAGE", 2)
    for name in ("ann", "bob", "cem"):
        await root.send("/people", **(NEW | {"user": name}))
    await logged_in(app, "ann")
    first = await root.get("/audit")
    older = first.one("nav", aria_label="Parts of the log").one("a")["href"]
    second = await root.get(older)
    objects = [cell.text for page in (first, second) for cell in page.all("td", class_="sentence")]
    assert objects == [f"{name} researcher vision" for name in ("cem", "bob", "ann")]
    await root.get("/audit?after=x", 422)
