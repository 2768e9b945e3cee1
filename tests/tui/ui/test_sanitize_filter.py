"""The last filter before the terminal: no control character passes it."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from backend_client.text.sanitize import UNSAFE
from tui.ui.sanitize_filter import SanitizeFilter


@given(st.text(alphabet=st.characters(), max_size=50))
def test_the_wall_lets_no_control_through_and_keeps_the_width(text: str):
    (segment,) = SanitizeFilter().apply([Segment(text)], Color(0, 0, 0))
    assert not UNSAFE.search(segment.text)
    assert cell_len(segment.text) == cell_len(text)
