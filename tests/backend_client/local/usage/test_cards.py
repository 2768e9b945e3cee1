"""Which card a slot is, who else is on it, and sums over cards."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.local.usage.cards import Card, card_of, gpu_usage, lost_words, used_by_strangers
from backend_client.local.usage.sums import job_usage
from backend_client.models import JobUsage
from backend_client.usage import GpuUsage, RankUsage

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
ALIKE = [Card(index=0, uuid="GPU-a", product="H100"), Card(index=1, uuid="GPU-b", product="H100")]
MIXED = [Card(index=0, uuid="GPU-a", product="H100"), Card(index=1, uuid="GPU-b", product="L4")]


def test_a_slot_is_a_uuid_or_where_all_are_alike_a_number():
    assert card_of("GPU-b", MIXED) is MIXED[1]
    assert card_of("GPU-gone", MIXED) is None
    assert card_of("1", ALIKE) is ALIKE[1]
    assert card_of("1", MIXED) is None
    assert card_of("7", ALIKE) is None


def test_a_slot_without_a_card_has_no_figures_and_a_reason():
    lost = Card(index=3, uuid="GPU-a", lost=True)
    for slot, card, why in (
        ("GPU-gone", None, "does not tell of GPU-gone"),
        ("1", None, "several kinds"),
        ("GPU-a", lost, "has lost GPU 3"),
    ):
        used = gpu_usage(slot, card, NOW, strangers=False)
        assert (used.utilisation, used.memory, used.power, used.as_of) == (None, None, None, None)
        assert why in lost_words(slot, card)
    assert lost_words("GPU-a", ALIKE[0]) == ""


@pytest.mark.parametrize(
    ("pids", "own", "visible", "all_seen", "strangers"),
    [
        ((10, 11), {10, 11}, {10, 11, 12}, True, False),
        ((10, 12), {10, 11}, {10, 11, 12}, True, True),
        ((10, 99), {10}, {10}, True, False),  # it has ended since
        ((10, 99), {10}, {10}, False, True),  # it is hidden from us
        ((10, 99), {7}, set(), True, False),  # numbers of another namespace
        ((), {10}, {10}, True, False),
        (None, {10}, {10}, False, False),
    ],
)
def test_strangers(pids, own, visible, all_seen, strangers):
    card = Card(index=0, pids=pids)
    assert used_by_strangers(card, own, visible, all_seen=all_seen) is strangers


def test_an_idle_card_shows_in_the_sum():
    gpus = (
        GpuUsage(gpu="0", utilisation=0.9, memory=60, memory_total=80, power=600.0, xid=0, as_of=NOW),
        GpuUsage(gpu="1", utilisation=0.1, memory=20, memory_total=80, power=100.0, xid=79, as_of=NOW),
    )
    assert job_usage(RankUsage(gpus=gpus, cpu=1.5, memory=7, as_of=NOW)) == JobUsage(
        gpu=0.5,
        gpu_min=0.1,
        gpu_memory=0.5,
        gpu_memory_max=0.75,
        gpu_memory_total=80,
        gpus_idle=0,
        power=700.0,
        cpu=1.5,
        memory=7,
        xid=79,
        source="NVML, /proc",
        as_of=NOW,
    )


def test_what_is_not_told_is_no_part_of_a_sum():
    gpus = (GpuUsage(gpu="0", utilisation=0.9, power=600.0, xid=0), GpuUsage(gpu="1"))
    used = job_usage(RankUsage(gpus=gpus, memory=7))
    assert (used.gpu, used.gpu_min, used.gpu_memory, used.power, used.xid) == (0.9, 0.9, None, None, None)
    none = job_usage(RankUsage(memory=7))
    assert (none.gpu, none.gpu_min, none.power, none.cpu, none.xid) == (None, None, None, None, None)
    assert none.source == "/proc"


maybe = st.one_of(st.none(), st.floats(0, 1))


@given(st.lists(st.builds(GpuUsage, gpu=st.just("0"), utilisation=maybe, power=maybe), max_size=9))
def test_the_least_is_never_more_than_the_mean(gpus: list[GpuUsage]):
    used = job_usage(RankUsage(gpus=tuple(gpus)))
    assert (used.gpu is None) == (used.gpu_min is None) == all(gpu.utilisation is None for gpu in gpus)
    assert used.gpu is None or used.gpu_min <= used.gpu + 1e-9
