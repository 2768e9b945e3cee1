"""The pages to come in and to go: the cookie, where one is led, and what a form keeps."""

import base64
import hashlib
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from backend.auth.cookie import NAME
from backend.db.models import AuditRow, Token, User
from backend.web.browsers import browser_name
from tests.backend.auth.test_first_admin import code_of, empty_server
from tests.backend.conftest import PASSWORD, person
from tests.backend.support.visitor import Visitor, parse

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def cookie_of(answer):
    """Return (token, attributes) of the login cookie that an answer sets."""
    (line,) = (one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{NAME}="))
    value, *attributes = (part.strip() for part in line.partition("=")[2].split(";"))
    return value, {one.lower() for one in attributes}


async def come_in(visitor, user="ann", password=PASSWORD, status=303, **fields):
    return await visitor.send("/login", status, user=user, password=password, **fields)


async def rows(app, model):
    async with app.state.runtime.database.read() as session:
        return [*await session.scalars(select(model).order_by(model.id))]


async def test_a_password_gives_a_new_cookie_each_time_and_the_one_before_ends(app):
    await person(app, "ann")
    visitor = Visitor(app)
    visitor.client.headers["User-Agent"] = FIREFOX
    answer = await come_in(visitor, " ann ", next="/jobs?q=a")
    assert answer.headers["location"] == "/login/check?next=%2Fjobs%3Fq%3Da"
    first, attributes = cookie_of(answer)
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes
    assert not any(one.startswith("domain") for one in attributes)
    visitor.client.headers["Cookie"] = f"{NAME}={first}"
    await visitor.get("/login/check?next=/jobs%3Fq%3Da", 303)
    assert visitor.last.headers["location"] == "/jobs?q=a"
    page = await visitor.get("/login?next=/gpus")
    assert page.one("a", class_="button")["href"] == "/gpus"
    second, _ = cookie_of(await come_in(visitor))
    assert second != first
    await visitor.get("/jobs", 303)
    assert [row.name for row in await rows(app, Token)] == ["browser, Firefox on Linux"] * 2
    visitor.client.headers["Cookie"] = f"{NAME}={second}"
    await visitor.get("/jobs")


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"]
)
async def test_no_login_leads_to_another_server(app, goal):
    ann = await Visitor.enter(app, "ann")
    answer = await come_in(Visitor(app), next=goal)
    assert answer.headers["location"] == "/login/check"
    await ann.get(f"/login/check?next={quote(goal)}", 303)
    assert ann.last.headers["location"] == "/"
    page = await Visitor(app).get(f"/login?next={quote(goal)}")
    assert page.one("input", name="next")["value"] == "/"
    assert "evil" not in page.raw_text


async def test_a_wrong_password_keeps_the_user_alone_and_is_throttled(app):
    await person(app, "ann")
    visitor = Visitor(app)
    hostile = "<b>ann"
    page = parse((await come_in(visitor, hostile, "open sesame", 422, next="/gpus")).text)
    assert page.one("input", name="user")["value"] == hostile
    for _ in range(5):
        answer = await come_in(visitor, "ann", "open sesame", 401, next="/gpus")
    page = parse(answer.text)
    assert "sesame" not in answer.text
    assert "wrong" in page.one(role="alert").text
    assert (page.one("input", name="user")["value"], page.one("input", name="next")["value"]) == (
        "ann",
        "/gpus",
    )
    answer = await come_in(visitor, "ann", PASSWORD, 429)
    assert f"Wait {answer.headers['retry-after']} s" in parse(answer.text).one(role="alert").text
    assert "set-cookie" not in answer.headers
    assert {row.user for row in await rows(app, AuditRow) if row.result != "done"} == {"ann"}


async def test_a_disabled_account_is_told_why_also_when_its_login_was_there_before(app):
    ann = await Visitor.enter(app, "ann")
    async with app.state.runtime.database.write() as session:
        await session.execute(update(User).where(User.name == "ann").values(disabled=True))
    page = parse((await come_in(Visitor(app), status=403)).text)
    assert "The account ann is disabled." in page.text
    await ann.get("/jobs?q=a", 303)
    assert ann.last.headers["location"] == "/login?next=%2Fjobs%3Fq%3Da"
    page = await ann.get(ann.last.headers["location"])
    assert "The account ann is disabled." in page.text
    assert page.one("input", name="next")["value"] == "/jobs?q=a"
    assert not (await Visitor(app).get("/login")).all("div", class_="notice")


async def test_logging_out_ends_the_login_and_clears_what_the_browser_kept(app):
    ann = await Visitor.enter(app, "ann")
    await ann.get("/jobs")
    assert ann.last.headers["cache-control"] == "no-store"
    await ann.client.get("/logout")
    await ann.get("/jobs")
    for _ in range(2):  # also of a login that has ended
        answer = await ann.send("/logout")
        value, attributes = cookie_of(answer)
        assert (value.strip('"'), "max-age=0" in attributes) == ("", True)
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
    await ann.get("/jobs", 303)


async def test_a_browser_that_keeps_no_cookie_is_told_so(app):
    page = await Visitor(app).get("/login/check?next=/jobs", 400)
    assert "did not keep the login" in page.one("h1").text
    assert "https" in page.text


@pytest.mark.parametrize("path", ["/login", "/logout", "/register"])
@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}])
async def test_no_other_sites_form_gets_in(app, path, headers):
    ann = await Visitor.enter(app, "ann")
    fields = {"user": "ann", "password": PASSWORD}
    answer = await ann.client.post(path, data=fields, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    await ann.get("/jobs")


async def test_who_is_refused_a_page_keeps_the_way_to_all_others(app):
    ann = await Visitor.enter(app, "ann")
    for path, status in (("/people", 403), ("/jobs/nosuch", 404)):
        page = await ann.get(path, status)
        assert page.one("nav", aria_label="Pages").all("a", href="/gpus")
        assert page.one("a", href="/account").text == "ann"


async def test_the_first_admin_comes_in_by_the_code_of_the_terminal(settings):
    async with empty_server(settings) as (client, said):
        code = await code_of(said)
        visitor = Visitor(client.app)
        for path in ("/", "/jobs", "/login", "/people"):
            page = await visitor.get(path, 503)
            assert "set-up code" in page.text
            assert page.one("a", class_="primary")["href"] == "/register"
        page = await visitor.get("/register")
        style = page.one("link", rel="stylesheet")["href"]
        assert (await visitor.client.get(style)).status_code == 200
        fields = {"user": "root", "password": PASSWORD, "again": PASSWORD}
        await visitor.submit(page.one("form"), 422, **fields, code="")
        page = parse((await visitor.submit(page.one("form"), 403, **fields, code="A" * 24)).text)
        assert page.one("input", name="user")["value"] == "root"
        assert page.one("input", name="code")["value"] == "A" * 24  # not typed off a terminal again
        assert PASSWORD not in visitor.last.text
        token, _ = cookie_of(await visitor.submit(page.one("form"), **fields, code=code.lower()))
        visitor.client.headers["Cookie"] = f"{NAME}={token}"
        assert "People" in (await visitor.get("/jobs")).text


async def test_accounts_are_made_by_admins_unless_registration_is_open(app):
    visitor = Visitor(app)
    assert "An admin makes accounts" in (await visitor.get("/register", 403)).text
    fields = {"user": "eve", "password": PASSWORD, "again": PASSWORD}
    await visitor.send("/register", 403, **fields)
    assert not (await visitor.get("/login")).all("a", href="/register")
    app.state.runtime.settings.registration = "open"
    page = await visitor.get("/register")
    assert not page.all("input", name="code")
    answer = await visitor.submit(page.one("form"), 422, **(fields | {"again": "another one"}))
    assert parse(answer.text).one("input", name="again")["aria-invalid"] == "true"
    await visitor.submit(page.one("form"), **fields)
    assert (await rows(app, User))[-1].role == "viewer"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (FIREFOX, "browser, Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "browser, Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
            "browser, Edge on Windows",
        ),
        ("curl/8 <script>alert(1)</script>", "browser"),
        ("", "browser"),
    ],
)
def test_a_browser_is_named_by_the_words_of_a_table_alone(header, name):
    assert browser_name(header) == name


@pytest.mark.parametrize(("site", "inside"), [("none", True), ("cross-site", True), ("same-origin", False)])
async def test_who_comes_from_elsewhere_gets_the_style_in_the_page(app, site, inside):
    visitor = Visitor(app)
    page = await visitor.get("/login", headers={"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": site})
    styles = page.all("style")
    assert len(styles) == inside
    for style in styles:
        digest = base64.b64encode(hashlib.sha256(style.raw_text.encode()).digest()).decode()
        assert f"style-src 'self' 'sha256-{digest}';" in visitor.last.headers["content-security-policy"]
    (link,) = page.all("link", rel="stylesheet")
    assert link.attributes.get("media") == ("print" if inside else None)
