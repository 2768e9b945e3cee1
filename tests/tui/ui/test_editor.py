"""The command in the person's own editor, in a real terminal: what is written comes back, or stays."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.pty_app import PtyApp
from tests.tui.test_terminal import start

WRITES = "printf 'python b.py \\\\\\n\\t--lr \"a  b\"\\n' > $f"


@contextmanager
def form(tmp_path: Path, script: str) -> Iterator[PtyApp]:
    """A form with a command typed, and an editor that runs a script of sh; $SEEN is for it to write to."""
    editor = tmp_path / "my editor"
    editor.write_text(f"#!/bin/sh\nf=$2\n{script}\n")
    editor.chmod(0o700)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    variables = {"VISUAL": f"{shlex.quote(str(editor))} -w", "TMPDIR": str(scratch)}
    variables["SEEN"] = str(tmp_path / "seen")
    with start("plain", tmp_path, (80, 24), **variables) as program:
        program.until(b"job-00002")
        program.keys("n")
        program.until(b"New job")
        program.keys("\t\t\tpython 'a  b.py'")
        program.until(b"b.py")
        program.keys("\x05")
        yield program


def left(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


def test_what_is_saved_stands_in_the_form(tmp_path: Path):
    look = "stat -c %a $f $(dirname $f) > $SEEN; cat $f >> $SEEN"
    with form(tmp_path, f"{look}; {WRITES}") as program:
        program.until(b'b.py --lr "a  b"')
        assert (tmp_path / "seen").read_text() == "600\n700\npython 'a  b.py'\n"
        assert not left(tmp_path)
        program.keys(" --more")
        program.until(b"more")
        program.keys("\x1bOR")  # f3
        program.until(b"- a  b")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (f"{WRITES}; exit 3", b"ended with 3"),
        ("printf '\\377' > $f", b"is no text"),
        (f"{WRITES}; kill -INT $$", b"ended with -2"),
    ],
)
def test_what_was_written_stays_where_the_editor_fails(tmp_path: Path, script: str, words: bytes):
    with form(tmp_path, script) as program:
        program.until(words)
        assert len(left(tmp_path)) == 1
        program.keys("\x1bOR")
        program.until(b"- a  b.py")


def test_an_editor_that_changes_nothing_leaves_nothing(tmp_path: Path):
    with form(tmp_path, "exit 1") as program:
        program.until(b"ended with 1")
        assert not left(tmp_path)


def test_keys_of_the_terminal_are_the_editors_own(tmp_path: Path):
    script = f"save() {{ {WRITES}; exit 0; }}; trap save INT; echo ready; while :; do read x; done"
    with form(tmp_path, script) as program:
        program.until(b"ready")
        program.keys("\x03")
        program.until(b"--lr")
        program.keys("\x1b")
        program.until(b"Throw away")


def test_no_editor_is_said(tmp_path: Path):
    with start("plain", tmp_path, EDITOR="/nowhere/at-all") as program:
        program.until(b"job-00002")
        program.keys("n")
        program.until(b"New job")
        program.keys("\x05")
        program.until(b"set VISUAL or EDITOR")
        os.kill(program.pid, signal.SIGTERM)  # the signals of before are in force again
        assert program.wait() == 128 + signal.SIGTERM
