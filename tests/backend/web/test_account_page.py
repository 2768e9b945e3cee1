"""The page of one's own account."""

from backend.accounts.own_logins import list_logins
from tests.backend.conftest import PASSWORD, logged_in
from tests.backend.support.visitor import Visitor, parse

NEW = "another long password"


async def test_ones_logins_are_listed_and_ended(app):
    ann = await Visitor.enter(app, "ann")
    others = [await logged_in(app, "ann") for _ in range(3)]
    bob = await Visitor.enter(app, "bob")
    await bob.send(f"/account/logins/{others[0][1].token_id}/end", 404)
    page = await ann.get("/account")
    assert [row.text for row in page.all("strong")] == ["this one"]
    end = page.one("form", action=f"/account/logins/{others[0][1].token_id}/end")
    await ann.submit(end)
    assert "The login has ended." in (await ann.get(ann.last.headers["location"])).text
    await Visitor(app, others[0][0]).get("/account", 303)
    await ann.submit((await ann.get("/account")).one("form", action="/account/logins/end-others"))
    await Visitor(app, others[1][0]).get("/account", 303)
    await ann.get("/account")
    await bob.get("/account")


async def test_a_new_password_ends_the_other_logins(app):
    ann = await Visitor.enter(app, "ann")
    other = Visitor(app, (await logged_in(app, "ann"))[0])
    form = (await ann.get("/account")).one("form", action="/account/password")
    wrong = {"old": PASSWORD, "password": NEW, "again": NEW}
    page = parse((await ann.submit(form, 403, **(wrong | {"old": "open sesame"}))).text)
    assert "The old password is wrong." in page.one(role="alert").text
    for change, field in (({"again": "x"}, "again"), ({"password": "short", "again": "short"}, "password")):
        page = parse((await ann.submit(form, 422, **(wrong | change))).text)
        assert [one["name"] for one in page.all("input", aria_invalid="true")] == [field]
        assert not any(one["value"] for one in page.all("input", type="password"))
    await other.get("/account")
    await ann.submit(form, **wrong)
    await ann.get("/account")
    await other.get("/account", 303)
    await Visitor(app).send("/login", user="ann", password=NEW)


async def test_a_token_for_a_program_costs_the_password_and_is_shown_once(app):
    ann = await Visitor.enter(app, "ann")
    form = (await ann.get("/account")).one("form", action="/account/logins")
    hostile = '<img src=x onerror="alert(1)">\u202e nightly'
    page = parse((await ann.submit(form, 401, name=hostile, password="open sesame")).text)
    assert page.one("input", name="name")["value"] == hostile
    assert len(await list_logins(app.state.runtime, ann.caller)) == 1
    answer = await ann.submit(form, 200, name=hostile, password=PASSWORD)
    token = parse(answer.text).one("pre", id="token").text
    assert (answer.headers["cache-control"], "content-encoding" in answer.headers) == ("no-store", False)
    await Visitor(app, token).get("/jobs")
    page = await ann.get("/account")
    assert token not in ann.last.text
    assert not page.all("img", src="x")
    assert "\u202e" not in page.raw_text
    assert hostile[:30] in page.raw_text


async def test_an_account_is_its_persons_alone(app):
    page = await (await Visitor.enter(app, "eve", "viewer")).get("/account")
    assert "viewer" in page.all("dl", class_="facts")[0].text
    await Visitor(app).get("/account", 303)
