"""Numbers, times and progress as the screens write them."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.models import Loss, Progress, StartRange
from backend_client.text.figures import (
    bytes_text,
    celsius_text,
    cores_text,
    loss_text,
    of_bytes,
    progress_text,
    share_text,
    short,
    span,
    starts_text,
    time_left,
    watts_text,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "<1m"),
        (59, "<1m"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (47.9 * 3600, "47h"),
        (48 * 3600, "2d"),
        (-5, "<1m"),
    ],
)
def test_ages_are_coarse(seconds: float, words: str):
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m"),
        (3860, "1h04"),
        (47 * 3600, "47h00"),
        (72 * 3600, "3d"),
        (float("inf"), ""),
    ],
)
def test_time_left(seconds: float, words: str):
    assert time_left(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (3120, "3.1k"),
        (9960, "10k"),
        (10_000, "10k"),
        (1_200_000, "1.2M"),
        (5 * 10**9, "5G"),
    ],
)
def test_counts_are_short(number: int, words: str):
    assert short(number) == words


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (0.4121, "0.412"),
        (2.3456, "2.346"),
        (12.345, "12.35"),
        (1234.5, "1234"),
        (0.0001, "1e-04"),
        (12345.0, "1e+04"),
        ("nan", "nan"),
        ("-inf", "-inf"),
        (None, ""),
        (0.0, "0"),
    ],
)
def test_loss_has_four_digits(loss: Loss | None, words: str):
    assert loss_text(loss) == words


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_loss_never_needs_more_than_its_column(loss: float):
    assert len(loss_text(loss)) <= 7


@given(
    st.builds(
        Progress,
        step=st.none() | st.integers(0, 10**12),
        total=st.none() | st.integers(0, 10**12),
        seconds_left=st.none() | st.floats(),
        loss=st.none()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(["nan", "inf", "-inf"]),
    )
)
def test_any_progress_has_words(progress: Progress):
    assert "\n" not in progress_text(progress)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute).astimezone()


@pytest.mark.parametrize(
    ("earliest", "latest", "words"),
    [
        (at(4, 14), at(4, 17), "between 14:00 and 17:00"),
        (at(4, 9, 55), at(4, 10, 20), "by 10:20"),
        (at(4, 22), at(5, 3), "between 22:00 and tomorrow 03:00"),
        (at(5, 7), at(5, 12), "tomorrow morning"),
        (at(5, 7), at(5, 13), "between tomorrow 07:00 and 13:00"),
        (at(6, 18), at(6, 23), "Fri evening"),
        (at(5, 7), at(7, 13), "between tomorrow 07:00 and Sat 13:00"),
        (at(5, 7), at(11, 13), "between tomorrow 07:00 and Wed 11 Mar 13:00"),
    ],
)
def test_a_range_of_start_times(earliest: datetime, latest: datetime, words: str):
    now = at(4, 10)
    assert starts_text(StartRange(earliest, latest), now) == f"likely {words}"
    right = starts_text(StartRange(earliest, latest, 8, 10), now)
    assert right == f"likely {words} (8 of the last 10 like this were right)"


def test_a_start_that_is_not_known_or_far_away():
    now = at(4, 10)
    assert starts_text(None) == starts_text(StartRange(at(4, 8), at(4, 9)), now) == ""
    assert starts_text(StartRange(at(11, 10), at(11, 10), far=True), now) == "likely in more than a week"


@pytest.mark.parametrize(
    ("write", "figure", "words"),
    [
        (share_text, 0, "0%"),
        (share_text, 0.0004, "1%"),
        (share_text, 0.874, "87%"),
        (share_text, 0.998, "99%"),
        (share_text, 1, "100%"),
        (bytes_text, 0, "0B"),
        (bytes_text, 1023, "1.0Ki"),
        (bytes_text, 900 * 2**20, "900Mi"),
        (bytes_text, 3 * 2**29, "1.5Gi"),
        (bytes_text, 9.99 * 2**30, "10Gi"),
        (bytes_text, 80 * 2**30, "80Gi"),
        (bytes_text, 1000 * 2**30, "1.0Ti"),
        (watts_text, 0, "0W"),
        (watts_text, 309.6, "310W"),
        (watts_text, 999.7, "1.0kW"),
        (watts_text, 5600, "5.6kW"),
        (watts_text, 22_400, "22kW"),
        (cores_text, 0, "0"),
        (cores_text, 0.0004, "0.01"),
        (cores_text, 0.97, "1.0"),
        (cores_text, 9.97, "10"),
        (celsius_text, 64.6, "65°C"),
    ],
)
def test_figures_of_use(write, figure: float, words: str):
    assert write(figure) == words


@pytest.mark.parametrize("write", [share_text, bytes_text, watts_text, cores_text, celsius_text])
def test_a_figure_that_nobody_told_is_no_zero(write):
    assert write(None) == write(float("nan")) == ""


def test_memory_of_a_whole():
    assert of_bytes(11 * 2**30, 80 * 2**30) == "11Gi/80Gi"
    assert of_bytes(11 * 2**30, None) == "11Gi"
    assert of_bytes(None, 80 * 2**30) == ""


@given(st.floats(0, 1e15))
def test_figures_of_use_have_their_width(figure: float):
    assert len(bytes_text(figure)) <= 6
    assert len(share_text(figure / 1e15)) <= 4
    assert len(watts_text(figure / 1e10)) <= 5
    assert len(cores_text(figure / 1e12)) <= 4
