"""What is made of the answers of NVML: what is not told is not known, and is the end of nothing else.

The answers stand in recorded_nvml.py, which says what is real about them.
"""

import pynvml
import pytest

from backend_client.local.usage.cards import Card
from backend_client.local.usage.nvml import XidListener, read_cards
from tests.backend_client.local.usage import recorded_nvml
from tests.backend_client.local.usage.recorded_nvml import GIB, RecordedNvml, Refusal, card


def read(cards, xids=()):
    return list(read_cards(RecordedNvml(cards), dict(xids)))


def test_a_card_that_trains_and_one_that_idles():
    busy, idle = read(recorded_nvml.TRAINING)
    assert busy == Card(
        index=0,
        uuid="GPU-00000000-aaaa-bbbb-cccc-dddddddddddd",
        product="NVIDIA H100 80GB HBM3",
        utilisation=0.97,
        memory=71 * GIB,
        memory_total=80 * GIB,
        power=689.421,
        temperature=61,
        xid=None,
        pids=(4000,),
    )
    assert (idle.index, idle.utilisation, idle.power) == (1, 0.0, 112.0)


def test_a_split_card_has_no_utilisation_and_its_instances_have_memory():
    whole, first, third = read(recorded_nvml.SPLIT)
    assert (whole.utilisation, whole.pids, whole.part_of) == (None, None, "")
    assert (first.uuid, first.memory, first.utilisation) == ("MIG-0", 3 * GIB, None)
    assert first.product.endswith("MIG 1g.5gb")
    assert (first.part_of, first.power, first.pids) == (whole.uuid, whole.power, (5000,))
    assert (third.uuid, third.memory) == ("MIG-2", 0)


@pytest.mark.parametrize(
    ("cards", "unknown"),
    [
        (recorded_nvml.VIRTUAL, {"power", "temperature"}),
        (recorded_nvml.SHARED_MEMORY, {"memory", "memory_total"}),
        ([card(UtilizationRates=Refusal(pynvml.NVML_ERROR_NO_PERMISSION))], {"utilisation"}),
        ([card(Temperature=Refusal(pynvml.NVML_ERROR_UNKNOWN))], {"temperature"}),
        ([card(ComputeRunningProcesses=Refusal(pynvml.NVML_ERROR_NO_PERMISSION))], {"pids"}),
    ],
)
def test_what_is_not_told_is_not_known_and_all_else_is(cards, unknown):
    (found,) = read(cards)
    figures = {"utilisation", "memory", "memory_total", "power", "temperature", "pids"}
    assert {name for name in figures if getattr(found, name) is None} == unknown


def test_a_driver_from_before_the_second_kind_of_memory():
    assert [found.memory for found in read(recorded_nvml.OLD_DRIVER)] == [72 * GIB]


def test_a_lost_card_takes_none_with_it():
    well, before, meanwhile = read(recorded_nvml.FELL_OFF)
    assert not well.lost
    assert (before.index, before.uuid, before.lost) == (1, "", True)
    assert (meanwhile.index, meanwhile.uuid[:12], meanwhile.lost) == (2, "GPU-00000002", True)


def test_a_driver_that_is_gone_ends_the_reading():
    gone = [card(0), card(1, PowerUsage=Refusal(pynvml.NVML_ERROR_DRIVER_NOT_LOADED))]
    with pytest.raises(pynvml.NVMLError, match="Driver Not Loaded"):
        read(gone)


def test_errors_are_those_that_came_while_somebody_listened():
    nvml = RecordedNvml([card(0), card(1)], xids=((1, 31), (1, 79)))
    listener = XidListener(nvml)
    assert [found.xid for found in read_cards(nvml, listener.last)] == [None, None]
    listener.drain()
    assert [found.xid for found in read_cards(nvml, listener.last)] == [None, 79]
