"""Machines as the lines of a screen: room, sums."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.gpu_nodes import GpuNode, Holder, Whose
from backend_client.text.gpus import (
    bar_text,
)
from tui.gpus.gpus_text import BAR, row, sums

NOW = datetime.now(UTC).astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
MINE = Holder(gpus=2, whose=Whose.MINE, uid="u", name="bert", namespace="a", until=NOW + timedelta(hours=2))
TEAM = Holder(gpus=1, whose=Whose.TEAM, owner="bob")
OTHER = Holder(gpus=2, namespace="team-b", name="llama")


def node(name: str = "gpu-1", total: int = 8, free: int = 0, *holders: Holder, **more) -> GpuNode:
    return GpuNode(name=name, total=total, free=free, holders=holders, **{"product": "NVIDIA-H100"} | more)


@pytest.mark.parametrize("room", [10, 79, 199])
def test_a_line_is_as_long_as_there_is_room(room: int):
    line = row(node("n" * 60, 8, 2, MINE, OTHER, trouble="t" * 300), room, NOW, cursor=True)
    assert line.before.startswith("> n")
    whole = line.before + bar_text(line.bar) + line.after
    assert len(whole) <= max(room, len(line.before) + BAR + 2)


def test_sums_by_product_and_the_rest_in_one_line():
    machines = [
        node("a", 8, 3, MINE, OTHER),
        node("b", 8, 5, TEAM),
        node("c", 4, 0, product="", resource="nvidia.com/gpu"),
        node("d", 6, 6, product="NVIDIA-A100", broken=2),
    ]
    assert sums(machines, 3) == [
        "nvidia.com/gpu     0 of 4 free",
        "A100               6 of 6 free  largest block 6 on d  2 broken",
        "H100               8 of 16 free  largest block 5 on b  2 mine, 1 my team's, 2 others'",
    ]
    assert sums(machines, 2)[1] == "and 2 more products"
    narrow = sums(machines, 3, 40)
    assert narrow[2] == "H100               8 of 16 free  larges\u2026"
