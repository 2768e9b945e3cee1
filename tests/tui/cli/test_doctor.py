"""`doctor`: each thing that can be wrong, and what it says about it."""

import json

import pytest

from backend_client.errors import Unreachable
from backend_client.local import devices
from backend_client.protocol import Plan
from tests.support.scripted import ScriptedBackend
from tui.cli import checks, doctor

HOSTILE = "a\x1b]0;x\x07\u202e"


@pytest.fixture(autouse=True)
def at_rest(monkeypatch):
    """A terminal that has everything, and a clock that is right."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setattr(doctor, "clock", lambda: checks.Finding("clock", "ok", "right"))
    monkeypatch.setattr(devices, "nvml_probe", lambda: ())


@pytest.fixture
def found(cli, backend):
    """found() -> (exit code, what is not ok: (about, state, words, mend))."""

    def look(*words):
        result = cli("doctor", "-o", "json", *words)
        items = json.loads(result.out)
        return result.code, [tuple(one.values()) for one in items if one["state"] != "ok"]

    return look


def test_all_is_well(cli, backend):
    result = cli("doctor")
    assert result.code == 0
    lines = result.out.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    for about in (
        "terminal",
        "colours",
        "encoding",
        "context",
        "config",
        "state",
        "cache",
        "GPUs",
        "logout",
        "clock",
    ):
        assert any(line.split()[1] == about for line in lines), about


def test_a_context_that_hangs_or_fails_is_named_and_the_rest_is_told(found, backend, monkeypatch):
    backend.fail["whoami"] = Unreachable(f"{HOSTILE} is down", "start it")
    assert found() == (1, [("context", "bad", f"local: {HOSTILE} is down", "start it")])
    del backend.fail["whoami"]

    async def hangs():
        await backend.hold_list.wait()

    backend.hold_list.clear()
    backend.whoami = hangs
    monkeypatch.setattr(doctor, "LIMIT", 0.05)
    code, ((about, state, words, _),) = found()
    assert (code, about, state) == (1, "context", "bad")
    assert "local: no answer in" in words


def test_another_context_that_fails_is_only_a_note(cli, backend, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "kubeconfig").write_text(
        'clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]\n'
        "contexts: [{name: lab, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
    )
    result = cli("doctor", "--context", "local")
    assert "note  context   lab: " in result.out
    assert result.code == 0
    assert cli("doctor", "--context", "lab").code == 1


def test_hostile_words_are_cleaned(cli, backend):
    backend.fail["whoami"] = Unreachable(HOSTILE, HOSTILE)
    out = cli("doctor").out
    assert not {"\x1b", "\u202e", "\x07"} & set(out)


def test_a_chosen_context_that_is_gone(found):
    code, ((about, state, words, _),) = found("--context", "nowhere")
    assert (code, about, state) == (1, "context", "bad")
    assert "nowhere" in words


def test_settings_say_where_they_are_from_and_what_is_wrong(cli, backend, home):
    (home / "config/traindeck").mkdir(parents=True)
    (home / "config/traindeck/config.toml").write_text('theme = "nord"\nthme = "x"\n')
    result = cli("doctor")
    assert result.code == 1
    assert 'ok    settings  theme = "nord" (' in result.out
    assert "bad   settings  " in result.out


def test_a_folder_that_others_can_write_to(found, home):
    (home / "state/traindeck").mkdir(parents=True)
    (home / "state/traindeck").chmod(0o777)
    code, ((about, state, _, mend),) = found()
    assert (code, about, state, mend) == (1, "state", "bad", f"chmod 700 {home}/state/traindeck")


def test_a_token_that_others_can_read(found, home):
    folder = home / "config/traindeck"
    folder.mkdir(parents=True, mode=0o700)
    servers = [{"name": "lab", "url": "https://lab.example.org", "user": "ada", "store": "file"}]
    (folder / "servers.json").write_text(json.dumps({"servers": servers}))
    (folder / "credentials.json").write_text(json.dumps({"tokens": {"ada@https://lab.example.org": "td_x"}}))
    (folder / "credentials.json").chmod(0o644)
    code, items = found("--context", "local")
    assert code == 1
    (login,) = [item for item in items if item[0] == "login"]
    assert login[1] == "bad"
    assert login[3].startswith("chmod 600 ")


@pytest.mark.parametrize(
    ("env", "about", "mend"),
    [
        ({"TERM": "dumb"}, "terminal", "export TERM=xterm-256color"),
        ({"TERM": "vt100"}, "colours", "tmux-256color"),
        ({"COLUMNS": "60", "LINES": "24"}, "terminal", "80x24"),
        ({"STY": "1.pts"}, "screen", "tmux"),
    ],
)
def test_terminals(env, about, mend, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    (finding,) = [one for one in checks.terminal() if one.state != "ok"]
    assert finding.about == about
    assert mend in finding.fix


def test_a_tmux_that_keeps_everything_to_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("TMUX", "/nowhere")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "tmux").write_text("#!/bin/sh\necho external,off,500,0\n")
    (tmp_path / "tmux").chmod(0o755)
    words = " ".join(one.fix for one in checks.terminal() if one.about == "tmux")
    for mend in ("set-clipboard on", "allow-passthrough on", "escape-time 20", "tmux -u"):
        assert mend in words
    (tmp_path / "tmux").write_text("#!/bin/sh\necho on,all,20,1\n")
    assert {one.state for one in checks.terminal() if one.about == "tmux"} == {"ok"}


def test_a_driver_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(devices, "nvml_probe", lambda: ("false",))
    assert checks.gpus(0).state == "bad"
    rows = (
        '[{"id": "0", "product": "H100", "foreign": false}, {"id": "1", "product": "H100", "foreign": false}]'
    )
    monkeypatch.setattr(devices, "nvml_probe", lambda: ("echo", rows))
    assert checks.gpus(0).message == "2 x H100"


def test_the_kernels_clock_can_be_asked():
    assert checks.clock().about == "clock"


def test_advice_is_told_once_and_not_to_programs(cli, monkeypatch):
    async def plan(self, spec):
        return Plan(name="one", yaml="", place="here", advice="do this")

    monkeypatch.setattr(ScriptedBackend, "plan", plan)
    assert "do this" in cli("submit", "--", "true").err
    for how in ("json", "name"):
        assert "do this" not in cli("submit", "-o", how, "--", "true").err
