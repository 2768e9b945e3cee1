"""The real program over real local jobs: processes, pipes, terminals, signals."""

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = [sys.executable, "-m", "tui"]


@pytest.fixture(autouse=True)
def nothing_left_behind(traindeck):
    yield
    names = traindeck("jobs", "-o", "name").out.split()
    if names:
        traindeck("delete", *names, "--yes", env={"TRAINDECK_LOCAL__GRACE": "0.1"})


class Terminal:
    """The program on a terminal of its own; `read_until` waits for words on it."""

    def __init__(self, *words, **env):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execve(sys.executable, [*PROGRAM, *words], {**os.environ, "TERM": "xterm", **env})
        self.seen = b""

    def read_until(self, words, seconds=60):
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"{words!r} did not come: {self.seen!r}")
            self.seen += self._chunk(words)
        return self.seen

    def _chunk(self, words):
        try:
            return os.read(self.fd, 65536)
        except OSError:
            raise AssertionError(f"{words!r} did not come before the end: {self.seen!r}") from None

    def end(self):
        """(exit code, everything it wrote)."""
        while True:
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:
                break
            if not chunk:
                break
            self.seen += chunk
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), self.seen.decode(errors="replace")


def submit(traindeck, script, *flags, **more):
    result = traindeck("submit", *flags, "--", "sh", "-c", script, **more)
    assert result.code == 0, result.err
    return result.out.strip()


class TestFollowing:
    @pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
    def test_submit_follow_ends_as_the_job_does(self, traindeck, script, code):
        result = traindeck("submit", "--follow", "--", "sh", "-c", f"echo out; echo err >&2; {script}")
        assert result.code == code
        assert sorted(result.out.split()) == ["err", "out"]

    def test_a_stopped_job_gives_143(self, traindeck):
        submit(traindeck, "sleep 60", "--name", "long")
        waiting = subprocess.Popen([*PROGRAM, "wait", "long"], stderr=subprocess.PIPE)
        assert traindeck("wait", "long", "--for", "running").code == 0
        assert traindeck("stop", "long").code == 0
        assert waiting.communicate(timeout=60)[1].decode().startswith("long: Stopped")
        assert waiting.returncode == 143

    def test_wait_gives_the_time_out(self, traindeck):
        submit(traindeck, "sleep 60", "--name", "long")
        assert traindeck("wait", "long", "--timeout", "1s").code == 124

    def test_a_piped_log_is_byte_for_byte(self, traindeck):
        script = r"printf '\033[31mred\033]0;x\007\377\000\r 1%%|\r 2%%|\n\nno newline'"
        submit(traindeck, script, "--name", "bytes")
        assert traindeck("wait", "bytes").code == 0
        out = traindeck("logs", "bytes").out.encode(errors="surrogateescape")
        assert out == b"\x1b[31mred\x1b]0;x\x07\xff\x00\r 1%|\r 2%|\n\nno newline"
        assert traindeck("logs", "bytes", "--tail", "1").out == "no newline"

    def test_ctrl_c_leaves_the_job(self, traindeck):
        terminal = Terminal("submit", "--name", "long", "--follow", "--", "sh", "-c", "echo begun; sleep 60")
        terminal.read_until(b"[y/N]")
        os.write(terminal.fd, b"y\n")
        terminal.read_until(b"begun")
        os.write(terminal.fd, b"\x03")
        code, text = terminal.end()
        assert code == 130
        assert "long goes on" in text
        assert "Traceback" not in text
        assert json.loads(traindeck("describe", "long", "-o", "json").out)["state"] == "Running"


class TestPipes:
    def test_a_reader_that_goes_away_is_no_error(self, traindeck):
        submit(traindeck, "seq 100000", "--name", "many")
        traindeck("wait", "many")
        program = shlex.join(PROGRAM)
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {program} logs many | head -1; echo $?"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("1\n141\n", "")

    def test_what_comes_back_submits_the_same_job(self, traindeck, tmp_path):
        submit(
            traindeck,
            "exit 3",
            "--name",
            "one",
            "--env",
            "A=x y",
            "--label",
            "team=nlp",
            "--max-runtime",
            "2h30m",
        )
        traindeck("wait", "one")
        spec = traindeck("describe", "one", "-o", "yaml").out
        taken = traindeck("submit", "-f", "-", stdin=spec.encode())
        assert taken.code == 1
        assert "one" in taken.err
        assert traindeck("submit", "-f", "-", "--name", "two", stdin=spec.encode()).code == 0
        assert traindeck("wait", "two").code == 3
        again = traindeck("describe", "two", "-o", "yaml").out
        assert again == spec.replace("name: one", "name: two")

    def test_jobs_as_json(self, traindeck):
        submit(traindeck, "true", "--name", "one")
        (job,) = json.loads(traindeck("jobs", "-o", "json").out)
        assert job["name"] == "one"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", job["created"])

    def test_jobs_w_has_a_line_for_every_change(self, traindeck, tmp_path):
        watching = subprocess.Popen([*PROGRAM, "jobs", "-w"], stdout=subprocess.PIPE, text=True)
        try:
            assert watching.stdout.readline().split()[:2] == ["NAME", "STATE"]
            # It ends only once its start was told: changes that come close together are one line.
            os.mkfifo(tmp_path / "go")
            submit(traindeck, f"read word < {tmp_path}/go; exit 3", "--name", "one")
            states = []
            while "Failed" not in states:
                states.append(watching.stdout.readline().split()[1])
                if states[-1] == "Running" and states.count("Running") == 1:
                    (tmp_path / "go").write_text("on\n")
            assert "Running" in states
            traindeck("delete", "one", "--yes")
            assert watching.stdout.readline().split()[:2] == ["one", "deleted"]
            watching.send_signal(signal.SIGINT)
            assert watching.wait(10) == 130
        finally:
            watching.kill()
            watching.wait()
            watching.stdout.close()

    def test_a_field_that_local_cannot_honour_is_refused_by_name(self, traindeck):
        result = traindeck("submit", "-n", "lab", "--image", "pytorch/pytorch:2.9.0", "--", "true")
        assert result.code == 1
        assert "namespace" in result.err
        assert "image" in result.err


class TestSecrets:
    def test_the_value_reaches_the_job_and_nothing_else(self, traindeck, home):
        refused = traindeck("submit", "--secret", "MY_TOKEN", "--", "true")
        assert refused.code == 2
        assert "MY_TOKEN is not set" in refused.err
        submit(
            traindeck,
            "echo ${#MY_TOKEN}",
            "--name",
            "one",
            "--secret",
            "MY_TOKEN",
            env={"MY_TOKEN": "s3cr3t-v"},
        )
        traindeck("wait", "one")
        assert traindeck("logs", "one").out == "8\n"
        for path in filter(os.path.isfile, home.rglob("*")):
            assert b"s3cr3t-v" not in path.read_bytes()
        assert "s3cr3t-v" not in traindeck("describe", "one", "-o", "json").out


class TestOnATerminal:
    def test_a_log_is_cleaned_and_keeps_its_colours(self, traindeck):
        submit(traindeck, r"printf '\033[31mred\033[0m \033]0;x\007t\n 1%%|\r 2%%|\n'", "--name", "log")
        traindeck("wait", "log")
        code, text = Terminal("logs", "log").end()
        assert code == 0
        assert "\x1b[31mred" in text
        assert "\x1b]0" not in text
        assert " 2%|" in text
        assert " 1%|" not in text
        assert "\x1b" not in Terminal("logs", "log", NO_COLOR="1").end()[1]

    def test_jobs_has_colours_but_not_with_no_color(self, traindeck):
        submit(traindeck, "exit 3", "--name", "one")
        traindeck("wait", "one")
        assert "\x1b[31mFailed" in Terminal("jobs").end()[1]
        assert "\x1b" not in Terminal("jobs", NO_COLOR="1").end()[1]

    def test_the_first_submit_asks_and_no_is_the_default(self, traindeck):
        terminal = Terminal("submit", "--name", "one", "--", "true")
        terminal.read_until(b"[y/N]")
        os.write(terminal.fd, b"\n")
        code, text = terminal.end()
        assert code == 1
        assert "Nothing was submitted" in text
        assert traindeck("jobs", "-o", "name").out == ""

    @pytest.mark.parametrize(("answer", "left"), [(b"\n", "one\n"), (b"y\n", "")])
    def test_delete_asks(self, traindeck, answer, left):
        submit(traindeck, "true", "--name", "one")
        traindeck("wait", "one")
        terminal = Terminal("delete", "one")
        terminal.read_until(b"[y/N]")
        os.write(terminal.fd, answer)
        assert terminal.end()[0] == 0
        assert traindeck("jobs", "-o", "name").out == left

    def test_ctrl_c_is_an_answer_too(self, traindeck):
        terminal = Terminal("submit", "--name", "one", "--", "true")
        terminal.read_until(b"[y/N]")
        os.write(terminal.fd, b"\x03")
        assert terminal.end()[0] == 130
        assert traindeck("jobs", "-o", "name").out == ""

    @pytest.mark.parametrize("term", ["dumb", ""])
    def test_the_screen_wants_a_real_terminal(self, term):
        code, text = Terminal(TERM=term).end()
        assert code == 2
        assert "needs a terminal" in text

    def test_the_screen_wants_a_terminal_at_all(self, traindeck):
        assert traindeck().code == 2
