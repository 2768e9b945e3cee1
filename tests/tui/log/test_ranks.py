"""The ranks of a log: the next one, and which are silent."""

import pytest

from tui.log.ranks import neighbour, next_step, silence

MINUTE = 60_000
NOW = 1_800_000_000_000


def test_from_rank_to_rank():
    assert [neighbour([0, 1, 7], rank, 1) for rank in (None, 0, 1, 7, 99)] == [0, 1, 7, None, 0]
    assert [neighbour([0, 1, 7], rank, -1) for rank in (None, 0, 1, 7)] == [7, None, 0, 1]


@pytest.mark.parametrize(
    ("ages", "words"),
    [
        ({0: 0, 1: 1.9}, ""),
        ({0: 0, 1: 2}, "rank 1 silent 2m"),
        ({0: 0, 1: 59, 3: 90}, "ranks 1, 3 silent 30m"),
        ({0: 11, 1: 12}, "all 2 ranks silent 10m"),
        ({0: 0, 1: 5, 2: 5, 3: 5, 4: 6}, "4 ranks silent 5m"),
        ({3: 60 * 24 * 3}, "rank 3 silent 2d"),
        ({3: NOW / MINUTE}, ""),
    ],
)
def test_who_is_silent(ages, words):
    assert silence({rank: int(NOW - age * MINUTE) for rank, age in ages.items()}, NOW) == words


def test_the_next_look_is_when_there_may_be_more_to_tell():
    assert next_step({0: NOW, 1: NOW - 90_000}, NOW) == 30
    assert next_step({0: NOW - 3 * MINUTE}, NOW) == 120
    assert next_step({0: 0}, NOW) is None
    assert next_step({0: NOW - 5761 * MINUTE}, NOW) is None
