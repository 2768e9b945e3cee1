"""The last line that a process wrote."""

import pytest

from backend_client.local.process_run import _last_line


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"a\nb\n\n", "b"),
        (b"10%\r20%\r", "20%"),
        (b"\x1b[31mred\x1b[0m\n", "red"),
        (
            b"Traceback ...\nFileNotFoundError: [Errno 2] No such file or directory: 'data.csv'\n",
            "No such file or directory: 'data.csv'",
        ),
        (b"ValueError: [Errno] is no number\n", "ValueError: [Errno] is no number"),
        (b"x" * 300, "x" * 199 + "\u2026"),
    ],
)
def test_the_last_line_that_says_something(tail: bytes, line: str):
    assert _last_line(tail) == line
