"""The page with the form for a new job: what it says, what it keeps, what it makes, and for whom."""

import asyncio
from shlex import quote
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.web.new_job import offers
from backend.web.new_job.draft import absences, new_draft, shown_fields
from backend_client.errors import Forbidden
from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import FieldRule, Use
from backend_client.text.form_fields import FIRST
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor, parse

HOSTILE = "'\"><script>alert(1)</script>&amp;\n</textarea>\n  two"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=60)


@pytest.fixture
async def visitor(app):
    return await Visitor.enter(app, "ann")


async def send(visitor, status, path="/new", key="one", **fields):
    """Send the form's fields as its page does; return the page that answers."""
    named = {name if "." in name or name == "sure" else f"f.{name}": text for name, text in fields.items()}
    answer = await visitor.send(path, status, **{"key": key, "f.kind": "job"} | named)
    return parse(answer.text)


def field(page, name):
    """Return what a field is written into."""
    (found,) = page.all("input", id=f"f-{name}") + page.all("textarea", id=f"f-{name}")
    return found


def text(page, name):
    """Return what stands in a field, as a browser has it."""
    found = field(page, name)
    return found.raw_text.removeprefix("\n") if found.tag == "textarea" else found["value"]


def said(page, name):
    """Return what is said at a field."""
    return page.one("span", id=f"m-{name}").text


async def test_the_fields_stand_in_the_order_of_the_screen(visitor):
    page = await visitor.get("/new")
    names = [part["data-said"] for part in page.all("span", class_="said")]
    known = [name for name in (*FIRST, *(name for name in FIELD_NAMES if name not in FIRST)) if name in names]
    assert names == known
    assert {"name", "kind", "command", "gpus", "env", "cluster"} <= {*names}
    assert "local jobs run as plain processes" in page.one("form", id="job").text  # why there is no image
    assert [one["value"] for one in page.one("datalist", id="c-cluster").all("option")] == ["local"]


async def test_one_of_several_clusters_is_chosen_at_the_top_and_then_says_what_it_has(
    app, visitor, monkeypatch
):
    clusters = app.state.runtime.jobs.clusters
    local = clusters.resolve("")
    monkeypatch.setattr(type(clusters), "__iter__", lambda _: iter((local, local)))
    page = await visitor.get("/new")
    assert page.all("span", class_="said")[0]["data-said"] == "cluster"
    assert [one.text for one in page.one("select", id="f-cluster").all("option")][:2] == [
        "choose one",
        "local",
    ]
    page = await send(visitor, 200, "/new/edit", cluster="local", command="sleep 5")
    assert {one.text for one in page.all("option", selected="")} == {"local"}
    assert page.one("details", id="more")["open"] is not None
    assert text(page, "command") == "sleep 5"


@pytest.mark.parametrize(
    ("name", "written"),
    {
        "name": "Bad_Name",
        "command": "python 'x",
        "env": "1A=x",
        "gpus": "many",
        "max_runtime": "soon",
        "labels": "a",
        "secrets": "A=b",
        "alerts": "x=y",
        "cpu": "4",
        "image": "a b",
        "replicas": "3",
        "cluster": "elsewhere",
    }.items(),
)
async def test_a_field_says_what_the_api_says(app, visitor, name, written):
    ann = await enter(app, "ann")
    body = {"kind": "job", "command": "true", name: written}
    status = await ann.ask_status("POST", "/jobs", json=body)
    problem = await ann.ask("POST", "/jobs", status, json=body)
    page = await send(visitor, 422, **{"command": "true", name: written})
    assert said(page, name).startswith(problem["fields"][name])
    assert field(page, name)["aria-invalid"] == "true"
    assert text(page, name) == written
    checked = await send(visitor, 200, "/new/check", **{"command": "true", name: written})
    assert said(checked, name) == said(page, name)


async def test_what_lacks_is_said_and_what_the_plan_finds(visitor):
    assert said(await send(visitor, 422, name="a"), "command") == "must be filled in"
    many = {"command": "sleep 60", "gpus": "900"}
    assert said(await send(visitor, 400, **many), "gpus").startswith("asks for 900 GPUs; ")
    page = await send(visitor, 422, "/new/plan", **many)
    assert "asks for 900 GPUs; " in page.one("div", role="alert").text
    assert page.one("form", action="/new").one("button", class_="primary")["disabled"] is not None


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=TEXTS | st.just(HOSTILE))
async def test_what_was_typed_stays_as_it_was(visitor, written):
    page = await send(visitor, 422, name="Not A Name", command=written, env=written)
    assert (text(page, "name"), text(page, "command"), text(page, "env")) == ("Not A Name", written, written)
    assert not [script for script in page.all("script") if script["src"] is None]


async def test_the_plan_carries_all_of_it_to_the_create(app, visitor):
    script = f"echo {quote(HOSTILE)}; sleep 60"
    typed = {"name": "typed", "command": f"sh -c \\\n  {quote(script)}", "env": "A='x\ny'\nB=2"}
    page = await send(visitor, 200, "/new/plan", **typed)
    assert "typed" in page.one("pre", class_="plan").text
    form = page.one("form", action="/new")
    back = parse((await visitor.send("/new/edit", 200, **hidden(form))).text)
    assert {name: text(back, name) for name in typed} == typed
    answer = await visitor.submit(form)
    assert answer.headers["location"].startswith("/jobs/typed?cluster=local&uid=")
    job = await (await enter(app, "ann")).ask("GET", "/jobs/typed")
    assert job["spec"]["env"] == {"A": "x\ny", "B": "2"}
    assert job["spec"]["command"] == ["sh", "-c", script]


async def test_what_is_sent_twice_makes_one_job(app, visitor):
    ann = await enter(app, "ann")
    page = await visitor.get("/new")
    key = page.one("form", id="job").one("input", name="key")["value"]
    fields = {"f.kind": "job", "f.command": "sleep 60", "f.name": "once", "key": key, "sure": "1"}
    answers = await asyncio.gather(*(visitor.send("/new", **fields) for _ in range(4)))
    assert {answer.headers["location"] for answer in answers} == {answers[0].headers["location"]}
    again = await visitor.send("/new", **fields)  # the page is read again
    assert again.headers["location"] == answers[0].headers["location"]
    assert await ann.names() == ["once"]
    other = parse((await visitor.send("/new", 400, **fields | {"key": "another form"})).text)
    assert "once" in said(other, "name")


async def test_the_value_of_a_secret_is_asked_for_and_never_shown(app, visitor):
    page = await send(visitor, 200, command="sleep 60", name="safe", secrets="TOKEN OTHER")
    form = page.one("form", action="/new")
    assert [one["name"] for one in form.all("input", type="password")] == ["secret.TOKEN", "secret.OTHER"]
    values = {"secret.TOKEN": "hush-hush"}
    page = parse((await visitor.submit(form, 422, **values)).text)
    assert "must be filled in" in page.text
    assert "hush-hush" not in visitor.last.text
    await visitor.submit(page.one("form", action="/new"), **values, **{"secret.OTHER": "x"})
    job = await (await enter(app, "ann")).ask("GET", "/jobs/safe")
    assert job["spec"]["secrets"] == ["TOKEN", "OTHER"]


async def test_a_job_is_run_again_under_the_next_name_and_with_what_an_offer_changes(app, visitor):
    ann = await enter(app, "ann")
    made = await ann.submit("sleep 60", name="bert-ft", gpus=1, env={"A": HOSTILE})
    uid = made["ref"]["uid"]
    page = await visitor.get(f"/jobs/bert-ft/again?{urlencode({'uid': uid, 'cluster': 'local'})}")
    assert page.one("h1").text == "Run bert-ft again"
    assert (text(page, "name"), field(page, "name")["placeholder"]) == ("", "bert-ft-2")
    page = await visitor.get(f"/new?{urlencode({'from': uid, 'f.gpus': '2', 'f.nope': 'x'})}")
    assert (text(page, "gpus"), said(page, "gpus")[:17]) == ("2", "changed; it was 1")
    assert "nope: there is no such field here" in page.one("div", role="alert").text
    marked = [part for part in page.all("div", class_="field") if "marked" in part["class"].split()]
    assert [part.one("label")["for"] for part in marked] == ["f-gpus"]
    await visitor.submit(page.one("form", id="job"), 200)
    answer = await visitor.submit(parse(visitor.last.text).one("form", action="/new"))
    assert answer.headers["location"].startswith("/jobs/bert-ft-2?")
    again = await ann.ask("GET", "/jobs/bert-ft-2")
    assert (again["spec"]["env"], again["spec"]["gpus"]) == ({"A": HOSTILE}, 2)
    bob = await Visitor.enter(app, "bob")
    await bob.get(f"/jobs/bert-ft/again?uid={uid}", 404)
    await bob.get(f"/new?from={uid}", 404)


async def test_a_spec_file_fills_it_in_and_its_faults_are_said_by_field(visitor):
    file = "name: from-file\ncommand: [echo, a b]\nenv: {A: x}\n"
    page = parse((await visitor.send("/new/from-file", 200, file=file)).text)
    assert [text(page, name) for name in ("name", "command", "env")] == ["from-file", "echo 'a b'", "A=x"]
    wrong = "name: Bad_Name\ngpu: 2\ngpus: [1]\n"
    page = parse((await visitor.send("/new/from-file", 422, file=wrong)).text)
    assert text(page, "name") == "Bad_Name"
    assert "did you mean gpus?" in page.one("div", role="alert").text
    assert said(page, "gpus")
    page = parse((await visitor.send("/new/from-file", 422, file="a: 1\na: 2\n")).text)
    assert "this text in line 2: a stands in line 1 already" in page.text
    assert page.one("textarea", name="file").raw_text == "\na: 1\na: 2\n"


async def test_a_large_spec_file_is_refused_before_it_is_read(visitor):
    file = "\n".join(f"k{number}: 1" for number in range(20_000))
    answer = await visitor.send("/new/from-file", 422, file=file)
    assert "larger than 128 KiB" in answer.text


async def test_a_shell_is_put_around_the_command(visitor):
    page = await send(visitor, 200, "/new/edit", command="python a.py | tee log")
    assert said(page, "command").startswith("| is passed on as a word, no shell reads it")
    answer = await visitor.send("/new/edit", 200, **{"f.command": "python a.py | tee log", "shell": "1"})
    assert text(parse(answer.text), "command") == "sh -c 'python a.py | tee log'"


async def test_a_viewer_sees_the_form_grey_and_sends_nothing(app):
    viewer = await Visitor.enter(app, "eve", "viewer")
    page = await viewer.get("/new")
    assert all(one["disabled"] is not None for one in page.all("fieldset") if one["class"] in (None, "plain"))
    assert "Viewers change nothing" in page.text
    for path in ("/new", "/new/plan", "/new/edit", "/new/check", "/new/from-file"):
        await send(viewer, 403, path, command="true")


def hidden(form):
    return {one["name"]: one["value"] for one in form.all("input", type="hidden")}


async def test_choices_that_are_not_known_hold_nothing_up_and_say_why(visitor, monkeypatch):
    async def forbidden(*_):
        raise Forbidden("You may not list <queues>.")

    monkeypatch.setattr(offers, "choices_for", forbidden)
    page = await visitor.get("/new")
    why = "write it by hand: you may not list <queues>"
    assert why in page.one("span", id="h-cluster").text
    assert not page.all("datalist")

    async def silent(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(offers, "choices_for", silent)
    monkeypatch.setattr(offers, "PATIENCE", 0.05)
    page = await visitor.get("/new")
    assert "write it by hand: no answer in" in page.one("span", id="h-cluster").text


async def test_what_cannot_be_seen_in_a_link_is_said_and_a_suggested_name_is_checked(visitor):
    query = urlencode({"f.command": "echo \u202ehidden", "f.kind": "deployment"})
    page = await visitor.get(f"/new?{query}")
    assert "has a character that cannot be shown" in said(page, "command")
    assert page.one("input", value="deployment")["checked"] is not None
    answer = await visitor.send("/new", 422, **{"f.command": "true", "suggested": "../up"})
    assert "use small letters" in said(parse(answer.text), "name")


def test_a_browser_sends_no_folder_and_says_so_but_runs_old_code_again():
    rules = {name: FieldRule(Use.OPTIONAL) for name in FIELD_NAMES}
    plain, again = new_draft({}), new_draft({"code": f"sha256:{'0a' * 32}"})
    assert "code" not in shown_fields(plain, rules)
    assert absences(rules, shown_fields(plain, rules)) == [
        "code: a browser sends no folder; traindeck submit --code DIR does"
    ]
    assert "code" in shown_fields(again, rules)
    assert absences(rules, shown_fields(again, rules)) == []
    rules["code"] = FieldRule(Use.REFUSED, "no copy here")
    assert absences(rules, shown_fields(plain, rules)) == ["code: no copy here"]
