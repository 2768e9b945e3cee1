"""The page of what was held and used, and its CSV."""

import csv
import io

from sqlalchemy import update

from backend.db.models import AttemptRow
from tests.backend.support.people import enter
from tests.backend.support.visitor import Visitor


async def test_one_sees_ones_own_sums_and_downloads_the_same(app):
    ann = await enter(app, "ann")
    await ann.submit("sleep 60", name="bert", gpus=2)
    await ann.until("bert", lambda job: job and job["state"] == "Running")
    visitor = await Visitor.enter(app, "ann")
    await ann.until("", lambda report: report and report["rows"], "/usage")
    async with app.state.runtime.database.write() as session:
        await session.execute(update(AttemptRow).values(gpu_type="=cmd|<b>"))
    page = await visitor.get("/usage?by=gpu_type&since=1d")
    (row,) = page.one("tbody").all("tr")
    assert row.one("th").text == "=cmd|<b>"
    assert row.all("td")[-1].text == "1"
    assert not page.all("b")
    (link,) = [one for one in page.all("a") if one.text == "Download as CSV"]
    answer = await visitor.client.get(link["href"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    titles, line = csv.reader(io.StringIO(answer.text))
    assert titles[0] == "gpu_type"
    assert line[0] == "'=cmd|<b>", "no spreadsheet runs it"
    bob = await Visitor.enter(app, "bob")
    for path in ("/usage", "/usage?user=ann"):
        assert "Nothing was held in that time." in (await bob.get(path)).text
    root = await Visitor.enter(app, "root", "admin")
    page = await root.get("/usage?user=ann")
    assert page.one("tbody").one("th").text == "ann"
    await ann.ask("POST", "/jobs/bert/stop")


async def test_what_is_wrong_with_the_question_stands_at_its_field(app):
    ann = await Visitor.enter(app, "ann")
    typed = "since=soon&until=%22%3E%3Cb%3E&zone=Europe"
    page = await ann.get(f"/usage?{typed}", 422)
    assert {one["name"] for one in page.all("input", aria_invalid="true")} == {"since", "until"}
    assert page.one("input", name="until")["value"] == '"><b>'
    assert page.one("input", name="zone")["value"] == "Europe"
    for query, name in (
        ("zone=../../etc", "zone"),
        ("since=2001-01-01", "since"),
        ("since=1500-01-01", "since"),
    ):
        page = await ann.get(f"/usage?{query}", 422)
        assert [one["name"] for one in page.all("input", aria_invalid="true")] == [name]
        await ann.get(f"/usage.csv?{query}", 422)
    await ann.get("/usage?by=password", 422)
