"""Queues as text: bars, and the cells of what waits."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend_client.gpu_nodes import Whose
from backend_client.queues import (
    FlavorQuota,
    WaitingJob,
)
from backend_client.text.queues import bar, waiting_cells

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def quota(nominal: int, used: int, borrowed: int = 0, flavor: str = "a100") -> FlavorQuota:
    return FlavorQuota(
        flavor=flavor, resource="nvidia.com/gpu", nominal=nominal, used=used, borrowed=borrowed
    )


def waits(name: str, position: int, whose: Whose = Whose.OTHER, **more: object) -> WaitingJob:
    fields = {"name": name, "uid": f"uid-{name}", "kind": "Job", "queue": "q", "owner": name and "ada"}
    return WaitingJob(
        cluster_queue="team-a", position=position, whose=whose, gpus=8, priority=0, **fields | more
    )


@pytest.mark.parametrize(
    ("one", "cells"),
    [
        (quota(16, 24, 8), (13, 7, 0)),
        (quota(8, 0), (0, 0, 7)),
        (quota(2, 1), (1, 0, 1)),
        (quota(0, 0), (0, 0, 0)),
    ],
)
def test_a_bar_is_as_long_as_its_share(one: FlavorQuota, cells: tuple[int, int, int]):
    drawn = bar(one, 20, 24)
    assert (drawn.own, drawn.borrowed, drawn.idle) == cells


def test_the_cells_of_what_waits():
    job = waits("tra\x1bin", 4, Whose.TEAM, since=NOW - timedelta(hours=3))
    assert waiting_cells(job, NOW) == ["+", "4", "tra\ufffdin", "ada", "q", "0", "8", "3h", "team-a"]
    unknown = replace(job, gpus=None, priority=None, since=None, held=True, name="", whose=Whose.OTHER)
    assert waiting_cells(unknown, NOW)[:3] == ["", "held", "(another's)"]
    assert waiting_cells(unknown, NOW)[5:8] == ["", "", ""]
