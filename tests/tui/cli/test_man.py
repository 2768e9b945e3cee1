"""The manual page: it has every verb and flag, and what shows it finds nothing to complain about."""

import shutil
import subprocess

import pytest

from tui.cli.commands import COMMANDS
from tui.cli.flag_table import arguments_of


def shown(command, text):
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_groff_shows_every_verb_and_flag(cli):
    code, text, trouble = shown(["groff", "-man", "-Tutf8", "-wall", "-P-cbu"], cli("man").out)
    assert (code, trouble) == (0, "")
    text = text.replace("\u2010", "-").replace("\u2212", "-")
    for verb in COMMANDS:
        assert f"traindeck {verb.name}" in text
        for word in arguments_of(verb):
            assert all(flag in text for flag in word.flags), word


def test_mandoc_finds_nothing_wrong(cli):
    code, text, _ = shown(["mandoc", "-T", "lint", "-W", "error"], cli("man").out)
    assert (code, text) == (0, "")
