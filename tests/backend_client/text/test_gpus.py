"""Machines as text: bars, states, holders, sums, orders, filters."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from backend_client.models import JobState
from backend_client.protocol import Capacity, GpuQuota
from backend_client.text.gpus import (
    SIGNS,
    Order,
    Share,
    arranged,
    bar,
    bar_text,
    free_words,
    holder_words,
    product_text,
    shares,
    state_words,
    unknown_words,
    until_words,
)
from tests.support.scripted import make_job

NOW = datetime.now(UTC).astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
MINE = Holder(gpus=2, whose=Whose.MINE, uid="u", name="bert", namespace="a", until=NOW + timedelta(hours=2))
TEAM = Holder(gpus=1, whose=Whose.TEAM, owner="bob")
OTHER = Holder(gpus=2, namespace="team-b", name="llama")
HIDDEN = Holder(gpus=1)


def node(name: str = "gpu-1", total: int = 8, free: int = 0, *holders: Holder, **more) -> GpuNode:
    return GpuNode(name=name, total=total, free=free, holders=holders, **{"product": "NVIDIA-H100"} | more)


@pytest.mark.parametrize(
    ("machine", "drawn"),
    [
        (node(free=8), "........"),
        (node("n", 8, 2, MINE, TEAM, OTHER, HIDDEN), "MMT###.."),
        (node("n", 8, 0, MINE, cordoned=True), "MM------"),
        (node("n", 6, 6, broken=2), "......!!"),
        (node("n", 0, 0, broken=4), "!!!!"),
        (node("n", 1, 0, MINE), "M"),
        (node("n", 32, 16, Holder(gpus=16)), "########........"),
        (node("n", 56, 55, Holder(gpus=1)), "#" + "." * 15),
        (node("n", 0, 0), ""),
    ],
)
def test_a_bar_has_a_sign_for_every_gpu(machine: GpuNode, drawn: str):
    assert bar_text(bar(shares(machine))) == drawn


@given(st.dictionaries(st.sampled_from(list(Share)), st.integers(0, 500)), st.integers(6, 40))
def test_a_bar_of_many_is_as_wide_as_there_is_room_and_leaves_nobody_out(counts: dict, width: int):
    runs = dict(bar(counts, width))
    assert sum(runs.values()) == min(width, sum(counts.values()))
    assert runs.keys() == {share for share, count in counts.items() if count}
    assert all(runs.values())


def test_every_share_has_a_sign_of_its_own():
    assert len(set(SIGNS.values())) == len(Share)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ""),
        ({"trouble": "does not answer", "cordoned": True}, "does not answer, cordoned"),
        ({"broken": 2, "taints": ("a=b:NoSchedule",)}, "2 broken, a=b:NoSchedule"),
        ({"usable": False, "resource": "amd.com/gpu"}, "jobs here do not ask for amd.com/gpu"),
    ],
)
def test_what_is_wrong_with_a_machine(more: dict, words: str):
    assert state_words(node(**more)) == words


def test_who_holds_what_until_when():
    assert holder_words(node("n", 8, 0, MINE, TEAM, OTHER, HIDDEN), NOW) == (
        "bert 2 until 14:00, bob 1, team-b/llama 2, others 1"
    )
    far = NOW.replace(year=NOW.year + 1)
    assert until_words(far, NOW) == f"until {far:%d %b %H:%M}"


def test_the_most_free_come_first_or_all_by_name():
    machines = [
        node("gpu-10", free=3),
        node("gpu-2", free=3),
        node("gpu-1", free=8),
        node("z", free=9, usable=False),
    ]
    assert [one.name for one in arranged(machines, Order.FREE)] == ["gpu-1", "gpu-2", "gpu-10", "z"]
    assert [one.name for one in arranged(machines, Order.NAME)] == ["gpu-1", "gpu-2", "gpu-10", "z"]
    assert Order.FREE.following.following is Order.FREE


@pytest.mark.parametrize("words", [["h100", "gpu-1"], ["llama"], ["team-b"], ["cordoned"], ["far"]])
def test_a_machine_is_found_by_its_words(words: list[str]):
    machine = node("gpu-1", 8, 0, OTHER, cordoned=True, cluster="far")
    assert arranged([machine, node("other", product="A100")], Order.NAME, words) == [machine]


@pytest.mark.parametrize(
    ("product", "words"),
    [
        ("NVIDIA-H100-NVL", "H100-NVL"),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "MIG-1g.5gb A100-SXM4-40GB"),
        ("Tesla-T4-SHARED", "SHARED Tesla-T4"),
        ("", "amd.com/gpu"),
    ],
)
def test_a_product_is_called_as_people_do(product: str, words: str):
    assert product_text(node(product=product, resource="amd.com/gpu")) == words


def test_what_is_known_where_the_machines_are_not():
    running = make_job(state=JobState.RUNNING, gpus=4)
    jobs = [running, make_job("b", JobState.QUEUED, gpus=8)]
    hidden = GpuNodes(unknown_because="you may not list nodes")
    assert unknown_words(hidden, Capacity(quota=GpuQuota(12, 16)), jobs) == [
        "The machines are not known: you may not list nodes.",
        "Of the namespace's quota 12 of 16 GPUs are used.",
        "The jobs that you see run with 4 GPUs.",
    ]
    assert len(unknown_words(hidden, Capacity(), [])) == 1


A100 = GpuNode(name="gpu-a", product="A100", total=4, free=2)
H100 = GpuNode(name="gpu-b", product="H100", total=8, free=0)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (GpuNodes((A100,)), "2 of 4 free"),
        (GpuNodes((A100, H100)), "2 of 12 free (A100 2/4, H100 0/8)"),
        (GpuNodes(), "there are none here"),
        (GpuNodes(unknown_because="you may not list nodes"), "free: not known (you may not list nodes)"),
    ],
)
def test_what_is_free_in_words(found: GpuNodes, words: str):
    assert free_words(found) == words
