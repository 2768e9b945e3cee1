"""The page that compares jobs: whose, what is drawn, what is said of the rest, and as CSV."""

import csv

from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor

STEPS = "for i in 1 2 3 4 5; do echo step $i loss: $((START-i)) lr=0.0$i; done"


def mark(job):
    return ("job", f"{job['ref']['context']}/{job['ref']['uid']}")


async def two_jobs(app):
    ann = await enter(app, "ann")
    jobs = [
        await ann.submit(STEPS, name=name, env={"START": start})
        for name, start in (("lr-1", "20"), ("lr-2", "30"))
    ]
    for name in ("lr-1", "lr-2"):
        await ann.ended(name)
    return [mark(job) for job in jobs]


async def test_series_stand_over_one_another_with_their_figures_and_what_differs(app):
    marks = await two_jobs(app)
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get("/compare", params=marks)
    lines = [shape["class"] for shape in page.one("svg", class_="chart").all("polyline")]
    assert lines == ["line-a", "line-b"]
    figures, specs = (table for table in page.all("table", class_="cards"))
    rows = [[cell.text for cell in row.all("td")] for row in figures.one("tbody").all("tr")]
    assert rows == [["15 (5)", "15 (5)", ""], ["25 (5)", "25 (5)", ""]]
    assert [row.text for row in specs.one("tbody").all("tr")] == ["env STARTA20", "env STARTB30"]
    assert [option["value"] for option in page.one(id="series").all("option")] == ["loss", "lr"]
    for view in (("over", "time"), ("scale", "log"), ("smooth", "0.9"), ("series", "lr")):
        page = await visitor.get("/compare", params=[*marks, view])
        assert len(page.one("svg", class_="chart").all("polyline")) == 2, view
        chosen = page.one(id=view[0]).one("option", selected="")
        assert chosen["value"] == view[1]


async def test_the_figures_are_there_as_csv(app):
    marks = await two_jobs(app)
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get("/compare", params=marks)
    (link,) = [link for link in page.all("a", class_="button") if "CSV" in link.text]
    answer = await visitor.client.get(link["href"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = [*csv.DictReader(answer.text.splitlines())]
    assert len(rows) == 2 * 2 * 5
    last = [row["value"] for row in rows if (row["job"], row["series"]) == ("lr-2", "loss")][-1]
    assert last == "25.0"


async def test_jobs_of_others_are_as_none(app):
    marks = await two_jobs(app)
    bob = await enter(app, "bob")
    own = mark(await bob.submit("true", name="own"))
    visitor = await Visitor.enter(app, "bob")
    await visitor.get("/compare", 404, params=marks)
    await visitor.get("/compare.csv", 404, params=marks)
    page = await visitor.get("/compare", params=[*marks, own])
    assert "2 of the jobs are not there" in page.text
    assert "lr-1" not in page.text


async def test_too_many_are_refused_in_words(app):
    visitor = await Visitor.enter(app, "ann")
    page = await visitor.get("/compare", 422, params=[("job", f"local/{number}") for number in range(9)])
    assert "At most 8 jobs are compared at a time; these are 9." in page.text
