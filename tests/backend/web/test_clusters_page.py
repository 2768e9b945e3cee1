"""The pages of the clusters."""

import pytest
import yaml
from sqlalchemy import select

from backend.clusters.registry import ClusterRegistry
from backend.db.models import Cluster
from tests.backend.support.visitor import Visitor, parse

TOKEN = "t0p-secret"


def pasted(user):
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "lab",
        }
    )


FIELDS = {"name": "big", "kubeconfig": pasted({"token": TOKEN}), "namespace": "training"}


@pytest.fixture
async def root(app):
    return await Visitor.enter(app, "root", "admin")


async def rows(app):
    async with app.state.runtime.database.read() as session:
        return [*await session.scalars(select(Cluster))]


async def test_everybody_sees_them_and_admins_alone_change_them(app):
    for role in ("viewer", "researcher"):
        visitor = await Visitor.enter(app, role, role)
        page = await visitor.get("/clusters")
        assert page.one("th", class_="name").text == "local"
        assert not page.all("textarea")
        assert not page.all("a", href="/clusters/local/remove")
        await visitor.send("/clusters", 403, **FIELDS)
        await visitor.get("/clusters/local/remove", 403)
        await visitor.send("/clusters/local/remove", 403)
    await Visitor(app).get("/clusters", 303)


async def test_after_an_error_all_but_the_secrets_is_kept(app, root, tmp_path):
    file = tmp_path / "token"
    file.write_text("of this machine")
    form = (await root.get("/clusters")).one("form", action="/clusters")
    for change, status, words in (
        ({}, 503, "big"),
        ({"name": "", "context": "lab"}, 422, "missing"),
        ({"kubeconfig": "\n"}, 422, "missing"),
        ({"kubeconfig": pasted({"tokenFile": str(file)})}, 400, "names a file"),
        ({"kubeconfig": pasted({"exec": {"command": "sh"}})}, 400, "a program"),
        ({"kubeconfig": f"token: [{TOKEN}"}, 400, "no YAML"),
        ({"context": "<script>"}, 404, "No context <script>"),
        ({"token": "an other\none"}, 422, "token"),
    ):
        typed = FIELDS | change
        page = parse((await root.submit(form, status, **typed)).text)
        assert words in page.one("section", class_="panel").text
        assert "paste the kubeconfig once more" in page.text
        kept = {name: page.one("input", name=name)["value"] for name in ("name", "context", "namespace")}
        assert kept == {name: typed.get(name, "") for name in kept}
        assert page.one("textarea").raw_text == ""
        assert page.one("input", name="token")["value"] == ""
        assert not {TOKEN, "of this machine", "an other"} & set(root.last.text.split('"'))
        assert TOKEN not in root.last.text
    assert await rows(app) == []


async def test_one_that_answers_is_added_and_removed_after_a_question(app, root, monkeypatch):
    async def answers(_registry, _registration):
        """Say that the cluster answers."""

    monkeypatch.setattr(ClusterRegistry, "probe", answers)
    form = (await root.get("/clusters")).one("form", action="/clusters")
    assert (await root.submit(form, **FIELDS)).headers["location"] == "/clusters?done=added"
    (row,) = await rows(app)
    assert (row.name, row.server, row.namespace) == ("big", "https://127.0.0.1:1", "training")
    assert TOKEN.encode() not in row.credential
    page = await root.get("/clusters")
    assert [cell.text for cell in page.all("th", class_="name")] == ["local", "big"]
    question = await root.get(page.one("a", href="/clusters/big/remove")["href"])
    assert await rows(app)
    await root.submit(question.one("form", action="/clusters/big/remove"))
    assert await rows(app) == []
    page = parse((await root.send("/clusters/local/remove", 400)).text)
    assert "cannot be removed" in page.one("h1").text
