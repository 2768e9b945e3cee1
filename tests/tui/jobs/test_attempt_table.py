"""The detail's two tables: the last attempts side by side, and the time that each state took."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.text.figures import duration
from backend_client.text.sanitize import UNSAFE
from tests.support.attempts import job, run
from tests.support.hostile import EVERYTHING
from tui.jobs.attempt_table import side_by_side


def test_the_last_attempts_that_fit_stand_side_by_side():
    lines = side_by_side(job(*(run(n, 10 * n, 10 * n + 4) for n in range(1, 6))), 76)
    assert lines[0].split() == ["#", "3", "4", "5"]
    told = {line.split()[0]: line.split()[1:] for line in lines}
    assert told["took"] == ["4m", "00s"] * 3
    assert told["end"] == ["exit", "1"] * 3
    assert told["where"] == ["gpu-3", "gpu-4", "gpu-5"]
    assert "ranks" not in told


def test_of_many_ranks_the_first_that_failed_tells_why():
    ranks = (
        run(1, 0, 9, rank=0, exit_code=143, signal=15),
        run(1, 0, 8, rank=1, reason="CUDA out of memory"),
        run(1, 0, 10, rank=2, exit_code=0),
    )
    told = "\n".join(side_by_side(job(*ranks), 76))
    assert "CUDA out of memory" in told
    assert "3, failed: 0 1" in told
    assert "10m 00s" in told


@given(st.integers(1, 9), st.integers(30, 200))
def test_the_table_is_as_wide_as_its_room_and_clean(count: int, width: int):
    odd = [run(n, n, n + 1, reason=EVERYTHING, pod=EVERYTHING) for n in range(1, count + 1)]
    for line in side_by_side(job(*odd), width):
        assert cell_len(line) <= width
        assert not UNSAFE.search(line)


def test_times_in_words():
    assert [duration(seconds) for seconds in (0, 59, 65, 3600, 90061, 200_000)] == [
        "0s",
        "59s",
        "1m 05s",
        "1h 00m",
        "25h 01m",
        "2d 07h",
    ]
