"""The tab key, in a real shell; and the quick verb behind it."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from backend_client.errors import Unreachable
from tests.support.pty_app import PtyApp
from tests.support.scripted import make_job
from tests.support.wait import until
from tui.cli import complete
from tui.cli.commands import COMMANDS

RC = """
PS1='$ '
bind 'set bell-style none' 'set show-all-if-ambiguous on' 'set completion-query-items 0'
bind 'set page-completions off' 'set enable-bracketed-paste off'
bind -x '"\\C-t": printf "<%s>" "$READLINE_LINE"'
source ./script
"""


@pytest.fixture
def shell(home, traindeck):
    """shell(line) -> the line after the tab key, in an interactive bash; what it offers in `shell.seen`."""
    (home / "bin").mkdir()
    program = home / "bin" / "traindeck"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tui "$@"\n')
    program.chmod(0o755)
    (home / "script").write_text(traindeck("completion", "bash").out)
    (home / "rc").write_text(RC)
    (home / "notes.yaml").touch()
    env = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "TERM": "dumb"}
    env["PYTHONPATH"] = os.getcwd()
    command = ["sh", "-c", f"cd {home} && exec bash --noprofile --rcfile rc -i"]
    with PtyApp(command, env, (400, 24)) as program:
        program.until(b"$ ")

        def tab(line):
            mark = len(program.sent)
            program.keys(f"{line}\t\x14")
            program.until(b">")
            tab.seen, _, after = program.sent[mark:].decode().rpartition("<")
            program.keys("\x15")
            return after.partition(">")[0]

        yield tab


def test_bash_completes_verbs_flags_and_words(shell):
    assert shell("traindeck compl") == "traindeck completion "
    assert shell("traindeck completion b") == "traindeck completion bash "
    assert shell("traindeck submit --gpu-t") == "traindeck submit --gpu-type "
    assert shell("traindeck submit --kind dep") == "traindeck submit --kind deployment "
    assert shell("traindeck jobs --state=Runn") == "traindeck jobs --state=Running "
    assert shell("traindeck -o js") == "traindeck -o json "
    assert shell("traindeck --context x jobs --wat") == "traindeck --context x jobs --watch "
    assert shell("traindeck submit -f not") == "traindeck submit -f notes.yaml "
    assert shell("traindeck submit --gpus 1 -- cat not") == "traindeck submit --gpus 1 -- cat notes.yaml "
    assert shell("traindeck submit --name not") == "traindeck submit --name not"
    shell("traindeck ")
    assert {verb.name for verb in COMMANDS} <= set(shell.seen.split())


def test_bash_completes_jobs_and_contexts(shell, traindeck):
    for name in ("bert-ft", "bert-large"):
        assert traindeck("submit", "--name", name, "--", "true").code == 0
        assert traindeck("wait", name).code == 0
    assert shell("traindeck logs bert-f") == "traindeck logs bert-ft "
    assert shell("traindeck --context local stop bert-l") == "traindeck --context local stop bert-large "
    assert shell("traindeck --context=lo") == "traindeck --context=local "
    assert shell("traindeck use lo") == "traindeck use local "
    shell("traindeck delete bert-ft ")
    assert {"bert-ft", "bert-large"} <= set(shell.seen.split())
    assert traindeck("delete", "bert-ft", "bert-large", "--yes").code == 0


@pytest.mark.parametrize(("shell_name", "flag"), [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_scripts_are_right_for_their_shell(cli, shell_name, flag, tmp_path):
    script = tmp_path / "script"
    script.write_text(cli("completion", shell_name).out)
    for verb in COMMANDS:
        assert verb.name in script.read_text()
    if not shutil.which(shell_name):
        pytest.skip(f"needs {shell_name}")
    done = subprocess.run([shell_name, flag, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class TestNames:
    def renewed(self, cli, *words):
        """Ask until the process behind has written what it found: the shell would not wait for it."""
        return until(lambda: (found := cli("complete", "jobs", "--", *words)).out.split() and found)

    def test_names_that_a_shell_would_run_are_not_offered(self, cli, backend):
        backend.put(make_job("one"), make_job("$(reboot)"), make_job("a b"), make_job("\x1b]0;x\x07"))
        assert self.renewed(cli) == (0, "one\n", "")

    def test_the_lines_own_flags_say_where(self, cli, backend):
        backend.put(make_job("one"))
        assert self.renewed(cli, "--context", "local", "logs").out == "one\n"
        assert cli("complete", "jobs", "--", "--context", "nowhere", "logs") == (0, "", "")
        assert cli("complete", "jobs", "--", "--context").out == ""

    def test_a_context_that_fails_offers_what_was_there_last(self, cli, backend, monkeypatch):
        backend.put(make_job("one"))
        assert self.renewed(cli).out == "one\n"
        monkeypatch.setattr(complete, "FRESH_SECONDS", -1)
        backend.fail["list"] = Unreachable("it is down")
        assert cli("complete", "jobs", "--") == (0, "one\n", "")

    def test_a_context_that_hangs_keeps_nobody_waiting(self, cli, backend, monkeypatch):
        backend.put(make_job("one"))
        assert self.renewed(cli).out == "one\n"
        monkeypatch.setattr(complete, "FRESH_SECONDS", -1)
        monkeypatch.setattr(complete, "LIST_SECONDS", 60)
        backend.hold_list.clear()
        began = time.monotonic()
        assert cli("complete", "jobs", "--").out == "one\n"
        assert time.monotonic() - began < complete.LIST_SECONDS
