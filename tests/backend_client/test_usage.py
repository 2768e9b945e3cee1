"""Which parts of a job are not used, and when that is news."""

import pytest
from msgspec.structs import replace

from backend_client.models import JobUsage
from backend_client.usage import MOST_IDLE, idle_parts
from backend_client.usage_feed import differs


@pytest.mark.parametrize(
    ("least", "mean", "idle"),
    [
        ([("0", 0.9), ("1", 0.0)], 0.5, ("1",)),
        ([("0", 0.9), ("1", 0.02)], 0.5, ()),
        ([("0", 0.0), ("1", 0.0)], 0.01, ()),
        ([("0", 0.9), ("1", None)], 0.5, ()),
        ([("0", 0.0)], None, ()),
    ],
)
def test_parts_are_idle_while_others_are_not(least, mean, idle):
    assert idle_parts(least, mean) == idle


def test_of_many_the_first_are_told():
    assert len(idle_parts([(str(n), 0.0) for n in range(100)], 0.5)) == MOST_IDLE


def test_another_idle_part_is_news():
    usage = JobUsage(gpu=0.5, gpu_min=0.0, idle=("1",))
    assert differs(usage, JobUsage(gpu=0.5, gpu_min=0.0, idle=("2",)))
    assert not differs(usage, JobUsage(gpu=0.5, gpu_min=0.0, idle=("1",)))


@pytest.mark.parametrize(
    ("change", "news"),
    [
        ({"gpu": 0.51}, False),
        ({"gpu": 0.53}, True),
        ({"gpu_min": None}, True),
        ({"gpu_memory_max": 0.9}, True),
        ({"gpu_memory_total": 81 * 2**30}, False),
        ({"gpu_memory_total": 40 * 2**30}, True),
        ({"power": 710.0}, False),
        ({"power": 750.0}, True),
        ({"cpu": 0.0}, False),
        ({"cpu": 0.1}, True),
        ({"gpus_idle": 3}, True),
        ({"as_of": None, "memory": 2**30}, False),
    ],
)
def test_changes_that_nobody_would_see_are_no_news(change, news):
    usage = JobUsage(
        gpu=0.5, gpu_min=0.1, gpu_memory_max=0.5, gpu_memory_total=80 * 2**30, gpus_idle=2, power=700.0,
        cpu=0.0, memory=2**30,
    )  # fmt: skip
    assert differs(usage, replace(usage, **change)) is news
    assert differs(None, usage)
    assert not differs(None, None)
