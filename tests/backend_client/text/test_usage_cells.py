"""What a list says of use: a figure, the GPU that a mean would hide, and nothing where nothing is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.models import JobUsage
from backend_client.text.usage_cells import is_idle, mem_text, short_mem_text, util_text


@pytest.mark.parametrize(
    ("mean", "idlest", "text", "idle"),
    [
        (0.874, 0.83, "87%", False),
        (0.82, 0.0, "82%↓0", True),
        (0.82, 0.004, "82%↓1", True),
        (0.82, 0.3, "82%↓30", False),
        (0.82, None, "82%", False),
        (0.0, 0.0, "0%", True),
        (0.012, 0.0, "1%", True),
        (0.02, 0.02, "2%", False),
        (None, None, "", False),
        (None, 0.0, "", False),
    ],
)
def test_utilisation_names_the_idlest_gpu_where_the_mean_hides_it(mean, idlest, text, idle):
    usage = JobUsage(gpu=mean, gpu_min=idlest)
    assert (util_text(usage), is_idle(usage)) == (text, idle)


@pytest.mark.parametrize(
    ("mean", "fullest", "memory", "text", "short"),
    [
        (0.61, 0.63, None, "61%", "61%"),
        (0.61, 0.974, None, "61%↑97", "61%"),
        (0.61, None, None, "61%", "61%"),
        (None, None, 11 * 2**30, "11Gi", "11Gi"),
        (None, None, None, "", ""),
        (0.0, 0.0, 11 * 2**30, "0%", "0%"),
    ],
)
def test_memory_names_the_fullest_gpu_and_is_that_of_the_processes_where_no_gpu_is(
    mean, fullest, memory, text, short
):
    usage = JobUsage(gpu_memory=mean, gpu_memory_max=fullest, memory=memory)
    assert (mem_text(usage), short_mem_text(usage)) == (text, short)


def test_a_job_of_which_nobody_tells_has_empty_cells():
    assert (util_text(None), mem_text(None), short_mem_text(None), is_idle(None)) == ("", "", "", False)


SHARES = st.none() | st.floats(0, 1)


@given(SHARES, SHARES, SHARES, SHARES)
def test_a_cell_is_no_wider_than_its_column_and_its_colour_goes_by_its_text(mean, idlest, memory, fullest):
    usage = JobUsage(gpu=mean, gpu_min=idlest, gpu_memory=memory, gpu_memory_max=fullest)
    assert len(util_text(usage)) <= 6
    assert len(mem_text(usage)) <= 7
    assert len(short_mem_text(usage)) <= 5
    last = util_text(usage).rpartition("↓")[2].rstrip("%") if util_text(usage) else ""
    assert is_idle(usage) == (last in ("0", "1"))
