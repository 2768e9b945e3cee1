"""The list by sweeps: each heading says how many of its jobs are in which state."""

from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor


async def test_the_heading_of_a_sweep_counts_its_states(app):
    ann = await enter(app, "ann")
    for name, script, sweep in (("a-1", "true", "a"), ("a-2", "exit 1", "a"), ("b", "true", "")):
        await ann.submit(script, name=name, **({"sweep": {"name": sweep}} if sweep else {}))
        await ann.ended(name)
    page = await (await Visitor.enter(app, "ann")).get("/jobs?group=sweep")
    headings = [row.text for row in page.all("tr", class_="group")]
    assert headings == ["a 2 jobs: 1 failed, 1 succeeded", "in no sweep"]
    assert [row["data-sweep"] for row in page.all("tr") if row["data-uid"]] == ["a", "a", ""]
