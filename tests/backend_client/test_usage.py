"""Which parts of a job are not used, and when that is news."""

import pytest

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
