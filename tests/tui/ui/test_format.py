"""Numbers, times and progress as the screens write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.models import Progress
from tui.ui.format import fit, loss_text, progress_text, short, span, time_left
from tui.ui.sanitize import UNSAFE


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
        (float("nan"), "nan"),
        (None, ""),
        (0.0, "0"),
    ],
)
def test_loss_has_four_digits(loss: float | None, words: str):
    assert loss_text(loss) == words


@given(st.floats())
def test_a_loss_never_needs_more_than_its_column(loss: float):
    assert len(loss_text(loss)) <= 7


@given(
    st.builds(
        Progress,
        step=st.none() | st.integers(0, 10**12),
        total=st.none() | st.integers(0, 10**12),
        seconds_left=st.none() | st.floats(),
        loss=st.none() | st.floats(),
    )
)
def test_any_progress_has_words(progress: Progress):
    assert "\n" not in progress_text(progress)


@given(st.text(), st.integers(1, 40))
def test_fit_fills_its_cells(text: str, width: int):
    assert cell_len(fit(UNSAFE.sub("", text), width)) == width
