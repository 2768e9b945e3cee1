"""Alerts in the cells of a screen."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend_client.text.alerts import (
    row_cells,
)
from tests.support.scripted import make_alert
from tui.alerts.alerts_text import format_cells

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIRES = make_alert(fired=NOW - timedelta(minutes=10))


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_row_is_no_wider_than_the_screen(width: int):
    line = " ".join(format_cells(row_cells(replace(FIRES, sentence="x" * 400), NOW), width))
    assert len(line) <= max(width - 2, 36)
