"""`forward`: what it says, refuses, and keeps to itself."""

import json
import socket
from pathlib import Path

import pytest

from backend_client.models import JobState
from backend_client.models.spec import Port
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend, make_job
from tui.cli import forward


@pytest.fixture
def web(backend: ScriptedBackend) -> ScriptedBackend:
    backend.put(make_job("web", JobState.RUNNING, uid="web-uid"))
    backend.logs_of["web-uid"] = [b"TensorBoard at http://localhost:6006/?token=SECRET"]
    return backend


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch):
    """It ends by itself where it would wait for ctrl-c, after `meanwhile`."""
    did: list[object] = []

    async def end(*_: object) -> None:
        for act in did:
            await act()  # type: ignore[operator]

    monkeypatch.setattr(forward, "_tell_states", end)
    return did


def test_the_port_of_the_log_is_forwarded_and_its_token_is_not_shown(cli, web, ends):
    code, out, err = cli("forward", "web")
    assert (code, out) == (0, "")
    assert "port 6006 (TensorBoard) of web is at 127.0.0.1:" in err
    assert "Loopback is not private" in err
    assert "--show-token shows it" in err
    assert "SECRET" not in err
    assert "token=SECRET" in cli("forward", "web", "--show-token").err


def test_json_never_has_the_token(cli, web, ends):
    (one,) = json.loads(cli("forward", "web", "--show-token", "-o", "json").out)
    assert (one["port"], one["name"]) == (6006, "TensorBoard")
    assert one["url"].endswith(f":{one['local_port']}/")


def test_a_port_that_is_taken_here_is_another_one(cli, web, ends):
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        taken = theirs.getsockname()[1]
        err = cli("forward", "web", f"{taken}:8888").err
    assert f"({taken} is taken)" in err
    assert "port 8888 (Jupyter)" in err


def test_over_ssh_the_command_for_the_other_end_is_told(cli, web, ends, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 50000 login.example.org 22")
    (line,) = [line for line in cli("forward", "web").err.splitlines() if "ssh -N" in line]
    assert "-L " in line
    assert line.endswith("@login.example.org")


def test_a_socket(cli, web, ends, tmp_path: Path):
    path = tmp_path / "own" / "sock"
    err = cli("forward", "web", "6006", "--socket", str(path)).err
    assert f"ssh -N -L 6006:{path}" in err
    assert "Loopback" not in err
    assert not path.exists()
    assert cli("forward", "web", "1", "2", "--socket", str(path)).code == 2


def test_ports_of_the_spec_and_none_at_all(cli, web, ends):
    web.logs_of["web-uid"] = []
    code, _, err = cli("forward", "web")
    assert code == 1
    assert "Nothing tells which port web listens on" in err
    job = web.jobs["web-uid"]
    web.change("web-uid", spec=type(job.spec)(ports=(Port(80, "http", 8080),)))
    assert "port 8080 (http) of web is at" in cli("forward", "web").err


@pytest.mark.parametrize("word", ["0", "65536", "a", "1:2:3", "-1:5", ":5", "²"])
def test_what_is_no_port(cli, web, word: str):
    assert cli("forward", "web", word).code == 2


def test_who_has_ended_or_lacks_it_is_refused(cli, web):
    web.missing_features[Feature.PORTS] = "no ports here"
    web.features -= {Feature.PORTS}
    assert cli("forward", "web", "6006") == (
        1, "", "The ports of web cannot be reached.\nNo ports here.\n",
    )  # fmt: skip
    web.change("web-uid", state=JobState.SUCCEEDED)
    web.features |= {Feature.PORTS}
    assert "has ended" in cli("forward", "web", "6006").err
