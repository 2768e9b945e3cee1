"""The page of the machines with GPUs."""

from datetime import UTC, datetime, timedelta

from backend.web.pages import gpus
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor

HOSTILE = "<script>alert(1)</script>\u202e"


async def test_a_machine_names_ones_own_jobs_and_of_others_figures_alone(app):
    ann = await enter(app, "ann")
    made = await ann.submit(name="bert", gpus=1)
    await ann.until("bert", lambda job: job and job["state"] == "Running")
    page = await (await Visitor.enter(app, "ann")).get("/gpus")
    (row,) = page.one("table").one("tbody").all("tr")
    assert made["ref"]["uid"] in row.one("a")["href"]
    assert row.one("svg")["aria-label"] == "1 mine, 1 free"
    assert [one["class"] for one in row.all("rect")] == ["fill-mine", "fill-free"]
    other = await (await Visitor.enter(app, "bob")).get("/gpus")
    (row,) = other.one("table").one("tbody").all("tr")
    assert row.one("svg")["aria-label"] == "1 others', 1 free"
    assert row.text.endswith("# others 1")
    assert "bert" not in other.text
    assert "ann" not in other.text
    await ann.ask("POST", "/jobs/bert/stop")


async def test_order_filter_what_is_unsure_and_what_is_hostile(app, monkeypatch):
    until = datetime.now(UTC) + timedelta(hours=1)
    holder = Holder(gpus=3, whose=Whose.TEAM, name=HOSTILE, owner=HOSTILE, until=until)
    nodes = (
        GpuNode(name="a", cluster="big", product=HOSTILE, total=4, free=1, holders=(holder,)),
        GpuNode(name=f"b{HOSTILE}", cluster="big", product="A100", total=400, free=9, taints=(HOSTILE,)),
    )
    found = GpuNodes(nodes, "", f"small does not answer {HOSTILE}")

    async def read(_service, _caller, _cluster):
        return found

    monkeypatch.setattr(gpus.cluster_reading, "nodes", read)
    visitor = await Visitor.enter(app, "ann")

    async def names(query=""):
        page = await visitor.get(f"/gpus{query}")
        assert all(one["src"] for one in page.all("script"))
        assert "\u202e" not in page.raw_text
        assert "small does not answer <script>" in page.one("section", id="machines").text
        return [cell.text.partition("<")[0] for cell in page.all("th", class_="name")]

    assert await names() == ["big/b", "big/a"]
    assert await names("?order=name") == ["big/a", "big/b"]
    assert await names("?q=a100") == ["big/b"]
    page = await visitor.get("/gpus?q=nowhere%22%3E")
    assert page.one("input", id="q")["value"] == 'nowhere">'
    assert "No machine has these words." in page.text


async def test_machines_that_are_not_known_say_why(app, monkeypatch):
    async def read(_service, _caller, _cluster):
        return GpuNodes(unknown_because="nodes may not be listed")

    monkeypatch.setattr(gpus.cluster_reading, "nodes", read)
    page = await (await Visitor.enter(app, "ann")).get("/gpus")
    assert "The machines are not known: nodes may not be listed." in page.text
    assert not page.all("table")
