"""`~.` behind a newline leaves, however the keys come; all else goes to the job as it was typed."""

import pytest

from tui.cli.escape_keys import EscapeKeys


@pytest.mark.parametrize(
    ("typed", "passed", "leaves"),
    [
        (b"~.", b"", True),
        (b"ls\r~.more", b"ls\r", True),
        (b"ls\n~~.", b"ls\n~.", False),
        (b"cd ~.x", b"cd ~.x", False),
        (b"\r~a.\r~\r~.", b"\r~a.\r~\r", True),
        (b"\x1b[A~.", b"\x1b[A~.", False),
    ],
)
@pytest.mark.parametrize("piece", [1, 99])
def test_what_is_typed(typed, passed, leaves, piece):
    keys = EscapeKeys()
    got = b""
    for start in range(0, len(typed), piece):
        if not keys.leaves:
            got += keys.pass_on(typed[start : start + piece])
    assert (got, keys.leaves) == (passed, leaves)
