"""The page with the list of jobs."""

from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor


async def test_one_sees_ones_own_jobs_in_order_with_links(app):
    ann = await enter(app, "ann")
    await ann.submit(name="first")
    second = await ann.submit(name="second")
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get("/jobs?order=name")
    links = [cell.one("a") for cell in page.all("th", class_="name")]
    assert [link.text for link in links] == ["first", "second"]
    assert second["ref"]["uid"] in links[1]["href"]
    other = await (await Visitor.enter(app, "bob")).get("/jobs")
    assert not other.all("th", class_="name")
    assert "There are no jobs yet" in other.text
