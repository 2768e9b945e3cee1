"""Two ways to run the command line: in this process over a scripted backend, and as the real program."""

import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from backend_client.contexts import LocalContext
from tests.support.scripted import ScriptedBackend
from tui.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def backend(monkeypatch):
    backend = ScriptedBackend()
    monkeypatch.setattr(LocalContext, "open", lambda self, name: backend)
    return backend


@pytest.fixture
def cli(backend, capfdbinary):
    """cli(*words) -> Result, over the scripted backend."""

    def run(*words):
        code = main(words)
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode(errors="surrogateescape"), err.decode())

    return run


@pytest.fixture
def traindeck():
    """traindeck(*words, stdin=bytes, env={...}) -> Result, of the real program."""

    def run(*words, stdin=b"", env=None):
        done = subprocess.run(
            [sys.executable, "-m", "tui", *words],
            input=stdin,
            capture_output=True,
            check=False,
            env={**os.environ, **(env or {})},
            timeout=60,
        )
        return Result(done.returncode, done.stdout.decode(errors="surrogateescape"), done.stderr.decode())

    return run
