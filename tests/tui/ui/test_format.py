"""Texts of a fixed width."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.text.sanitize import UNSAFE
from tui.ui.format import fit


@given(st.text(), st.integers(1, 40))
def test_fit_fills_its_cells(text: str, width: int):
    assert cell_len(fit(UNSAFE.sub("", text), width)) == width
