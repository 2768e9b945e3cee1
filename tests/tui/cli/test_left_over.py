"""What a program has left of a terminal, however its output is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.cli.left_over import LeftOver

VIM = b"\x1b[?1049h\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[1;24r\x1b[?25l\x1b[38;5;12mhello\x1b[m\x1b[2 q"


@pytest.mark.parametrize(
    ("shown", "undoing"),
    [
        (b"plain \x1b[31mred\x1b[0m text\x1b[2K\x1b[H\x1b]0;title\x07", b""),
        (b"\x1b[31mred", b"\x1b[0m"),
        (b"\x1b[1;38:5:12m", b"\x1b[0m"),
        (b"\x1b[?1049h", b"\x1b[?1049l"),
        (b"\x1b[?1049h\x1b[?1049l", b""),
        (b"\x1b[?25l", b"\x1b[?25h"),
        (b"\x1b[?7l\x1b[?7h", b""),
        (b"\x1b[?1002;1006h\x1b[?1006l", b"\x1b[?1002l"),
        (b"\x1b[?1006;1049h", b"\x1b[?1049l\x1b[?1006l"),
        (b"\x1b[?12;9999h", b""),
        (b"\x1b(0lines", b"\x1b(B"),
        (b"\x0e", b"\x0f"),
        (b"\x0e\x0f", b""),
        (b"\x1b=\x1b>", b""),
        (b"\x1b[5;10r", b"\x1b7\x1b[r\x1b8"),
        (b"\x1b[5;10r\x1b[r", b""),
        (b"\x1b[>1u", b"\x1b[<9u"),
        (b"\x1b[>1u\x1b[<1u", b""),
        (b"\x1b[>4;1m\x1b[>4;0m", b""),
        (VIM + b"\x1bc", b""),
        (
            VIM,
            b"\x1b[?1049l\x1b[?1l\x1b[?2004l\x1b[?25h\x1b[>4m\x1b>\x1b7\x1b[r\x1b8\x1b[0 q",
        ),
    ],
)
def test_what_is_not_put_back(shown: bytes, undoing: bytes):
    for size in (len(shown), 1, 3):
        left = LeftOver()
        for start in range(0, len(shown), size):
            left.follow(shown[start : start + size])
        assert left.undoing == undoing


@given(st.lists(st.sampled_from([b"\x1b", b"[", b"?", b"1049", b";", b"h", b"l", b"m", b"31", b"x" * 60])))
def test_pieces_make_no_difference_and_what_undoes_it_does(pieces: list[bytes]):
    whole, cut = LeftOver(), LeftOver()
    whole.follow(b"".join(pieces))
    for piece in pieces:
        cut.follow(piece)
    assert whole.undoing == cut.undoing
    whole.follow(b"x" * 60 + whole.undoing)
    assert whole.undoing == b""
