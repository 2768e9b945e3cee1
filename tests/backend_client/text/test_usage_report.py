"""A report of what was held, as cells and as CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.text.usage_report import cells, csv_cell, csv_text, group_text, notes
from backend_client.usage_report import ReportRow, UsageReport

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def row(group="ann", **more):
    return ReportRow(**{"group": group, "held": 12.34, "running": 10.0, "jobs": 3, **more})


def report(*rows, by="user", **total):
    return UsageReport(by=by, rows=rows, total=row("", **total), since=NOW - timedelta(days=7), until=NOW)


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
