import pytest

from backend_client.protocol import Lines, LogSource
from tui.cli.log_text import PipeWriter, TerminalWriter
from tui.cli.streams import Writer, stdout

ERASE = "\r\x1b[K"


def batch(*lines, **more):
    return Lines(source=LogSource(1), lines=list(lines), times=[10**9] * len(lines), **more)


@pytest.fixture
def terminal(monkeypatch, capfdbinary):
    """Write batches to a terminal 20 cells wide; what reached it."""
    monkeypatch.setattr(Writer, "isatty", lambda _self: True)
    monkeypatch.setattr(Writer, "width", 20)
    monkeypatch.setattr(Writer, "has_colours", True)

    def write(*batches, timestamps=False):
        writer = TerminalWriter(timestamps)
        for one in batches:
            writer.write(one)
        writer.end()
        stdout.flush()
        return capfdbinary.readouterr().out.decode()

    return write


def test_an_unfinished_line_is_drawn_anew_until_it_is_whole(terminal):
    out = terminal(batch(b"a", b"10%", open=True), batch(b"\r20%", b"b", continues=True))
    assert out == f"a\n10%{ERASE}20%\nb\n"


def test_a_character_cut_in_two_comes_together(terminal):
    assert terminal(batch(b"\xc3", open=True), batch(b"\xa9", continues=True)).endswith("\u00e9\n")


def test_an_unfinished_line_never_wraps_and_is_whole_at_the_end(terminal):
    assert terminal(batch(b"x" * 50, open=True)) == "x" * 19 + f"{ERASE}{'x' * 50}\n"


def test_what_was_unfinished_stays_when_something_else_comes(terminal):
    assert terminal(batch(b"half", open=True), batch(b"new")) == f"half{ERASE}half\nnew\n"


def test_an_open_line_that_is_empty_is_nothing(terminal):
    assert terminal(batch(b"a", b"", open=True), batch(b"b", continues=True)) == "a\nb\n"


def test_colours_end_with_their_line(terminal):
    assert terminal(batch(b"\x1b[31mred\x1b]0;t\x07", b"x")) == "\x1b[31mred\x1b[0m\nx\n"


STAMP = "1970-01-01T00:00:01.000000000Z "
HALVES = (batch(b"a", b"b", open=True), batch(b"c", b"d", continues=True))


def test_timestamps_stand_once_a_line(terminal):
    assert terminal(*HALVES, timestamps=True).endswith(f"{STAMP}bc\n{STAMP}d\n")


@pytest.mark.parametrize(
    ("timestamps", "written"), [(False, "a\nbc\nd\n"), (True, f"{STAMP}a\n{STAMP}bc\n{STAMP}d\n")]
)
def test_into_a_pipe(capfdbinary, timestamps, written):
    writer = PipeWriter(timestamps)
    for one in HALVES:
        writer.write(one)
    stdout.flush()
    assert capfdbinary.readouterr().out.decode() == written
