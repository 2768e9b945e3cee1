"""The screen of what was held and used, over a scripted backend; its texts, and the CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend_client.errors import Refused
from backend_client.text.usage_report import cells, csv_cell, csv_text, group_text, notes
from backend_client.usage_report import ReportQuery, ReportRow, UsageReport
from tests.support.scripted import ScriptedBackend
from tests.tui.support.deck import deck
from tui.usage.local_zone import local_zone

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def row(group="ann", **more):
    return ReportRow(**{"group": group, "held": 12.34, "running": 10.0, "jobs": 3, **more})


def report(*rows, by="user", **total):
    return UsageReport(by=by, rows=rows, total=row("", **total), since=NOW - timedelta(days=7), until=NOW)


class Counting(ScriptedBackend):
    """`asked` are the queries."""

    def __init__(self):
        super().__init__()
        self.asked: list[ReportQuery] = []

    async def usage_report(self, query):
        self.asked.append(query)
        self._call("usage_report")
        return report(row(f"{query.by}-one", idle=0.25), row("two"), by=query.by, held=24.7)


async def test_the_screen_groups_and_looks_further_back(tmp_path: Path):
    backend = Counting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("dollar_sign")
        await running.until("user-one")
        lines = running.shown.splitlines()
        assert lines[0].strip() == "scripted  GPU-hours of 7 days, by User"
        assert lines[1].split() == "USER HELD RAN IDLE PREEMPTED FAILED WAITED JOBS".split()
        assert lines[2].split() == ["user-one", "12.3", "10.0", "25%", "0.0", "0.0", "0.0", "3"]
        assert lines[3].split()[3] == "-"
        await running.until("0% of them were measured")
        await running.press("g")
        await running.until("team-one")
        await running.press("p")
        await running.until("GPU-hours of 30 days, by Team")
        assert [query.by for query in backend.asked] == ["user", "team", "team"]
        assert backend.asked[0].zone == local_zone()
        backend.fail["usage_report"] = Refused("The server is busy.")
        await running.press("g")
        await running.until("The server is busy.")
        assert "team-one" in running.shown  # what was read before stays
        await running.press("escape")
        await running.until("No jobs yet")


def test_hours_whose_end_nobody_saw_are_marked():
    assert cells(row(uncertain=1.0))[0] == "~12.3"
    assert cells(row(held=1234.5))[0] == "1234" or cells(row(held=1234.5))[0] == "1235"
    assert notes(report(uncertain=1.0, coverage=0.5)) == [
        "~ 1.0 of the GPU-hours may not have been: nobody saw their end",
        "50% of them were measured; idle is told from 80% on",
    ]
    assert group_text("gpu_type", "") == "no gpu type"


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(text):
    assert csv_cell(text) == f"'{text}"
    assert csv_cell("ann") == "ann"


def test_csv_has_numbers_with_points_and_times_with_zones():
    found = list(csv.DictReader(io.StringIO(csv_text(report(row("=ann, bob", idle=0.25), row("two"))))))
    assert found[0]["user"] == "'=ann, bob"
    assert found[0]["since"] == "2026-11-23T12:00:00+00:00"
    assert found[0]["held_gpu_hours"] == "12.3400"
    assert [one["idle_share"] for one in found] == ["0.2500", ""]
    assert [one["jobs"] for one in found] == ["3", "3"]


@pytest.mark.parametrize(
    ("tz", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/Europe/Paris", "Europe/Paris"),
        ("/elsewhere", "UTC"),
    ],
)
def test_the_zone_of_this_machine(tz, zone, monkeypatch):
    monkeypatch.setenv("TZ", tz)
    assert local_zone() == zone
