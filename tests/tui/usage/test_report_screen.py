"""The screen of what was held and used, over a scripted backend; its texts, and the CSV."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backend_client.errors import Refused
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
