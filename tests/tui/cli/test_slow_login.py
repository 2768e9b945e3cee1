"""A verb says on the terminal, once, which login program it waits for; a pipe gets no such line."""

import asyncio

import pytest

from backend_client import slow_steps
from backend_client.slow_steps import slow_step
from tests.support.scripted import ScriptedBackend
from tui.cli.streams import Writer


class SlowLogin(ScriptedBackend):
    """Waits for its login with every list."""

    async def list(self, query, *, after=""):
        for _ in range(2):
            with slow_step("waiting for aws to log in (60 s at most)"):
                await asyncio.sleep(0.3)
        return await super().list(query, after=after)


@pytest.fixture
def backend(monkeypatch):
    backend = SlowLogin()
    monkeypatch.setattr("backend_client.contexts.LocalContext.open", lambda self, name: backend)
    monkeypatch.setattr(slow_steps, "SLOW_SECONDS", 0.01)
    return backend


def test_it_is_said_once(cli, monkeypatch):
    monkeypatch.setattr(Writer, "isatty", lambda _self: True)
    assert cli("jobs").err.count("Still waiting for aws to log in (60 s at most).") == 1


def test_a_pipe_gets_no_such_line(cli):
    assert "aws" not in cli("jobs").err
