"""A job that stands still, by keyboard at 80x24: flagged, its owner told once, seen, run again, recovered."""

import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wait import PATIENCE, until
from tests.tmux.conftest import PROGRAM, program
from tests.tmux.test_server import become_admin, enter, told

pytestmark = [pytest.mark.tmux, pytest.mark.timeout(420)]

STANDS_STILL = """\
for i in $(seq 1 8); do echo "step $i/1000 loss 1.$i"; sleep 1; done
test -e goes-on || while :; do sleep 1; done
for i in $(seq 9 900); do echo "step $i/1000 loss 1.$i"; sleep 1; done
"""


class Receiver:
    """What a webhook of this machine is sent."""

    def __init__(self) -> None:
        got = self.got = list[dict]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def said(self) -> list[tuple[str, str]]:
        """What was told of which job, message by message."""
        return [(alert["what"], alert["job"]) for message in self.got for alert in message["alerts"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def server(receiver: Receiver, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server over this machine that may reach the receiver: its address and its set-up code."""
    log = tmp_path / "serve.log"
    words = [PROGRAM, "serve", "--local", "--listen", "127.0.0.1:0", "--folder", str(tmp_path / "server")]
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TRAINDECK_SERVER_ALERT_HOSTS": json.dumps([receiver.url]),
    }
    with log.open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=env)
    try:
        yield told(log, r"serves at http://(\S+)"), told(log, r"one hour: (\S+)")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_job_that_stands_still_is_told_once_seen_and_recovers(
    server: tuple[str, str], receiver: Receiver, tmp_path: Path
):
    address, code = server
    script = tmp_path / "train.sh"
    script.write_text(STANDS_STILL)
    with program(tmp_path) as terminal:
        become_admin(terminal, address, code)

        # Where to tell, and from when on
        terminal.keys("A")
        terminal.until("Nothing has fired")
        terminal.keys("r")
        terminal.until("It has failed for good")  # the first field has the focus
        terminal.keys(*["Down"] * 5)
        terminal.until("Its log has told no progress")
        terminal.type("1m")
        terminal.keys("F2")
        terminal.until("Kept")
        terminal.keys("F3")
        terminal.until("How to send")
        enter(terminal, "webhook")
        terminal.until("The channel's name")
        enter(terminal, "hook")
        terminal.until("Where to send")
        enter(terminal, f"{receiver.url}/traindeck")
        terminal.until("The signing key of hook")
        terminal.keys("Escape")
        terminal.until("hook is added")
        terminal.keys("F4")
        terminal.until("hook: sent")
        assert receiver.said == [("test", "")]
        terminal.keys("Escape")
        terminal.until("Nothing has fired")
        terminal.keys("Escape")
        terminal.until("No jobs yet")

        # Flagged, told once
        submit = [PROGRAM, "--context", address, "submit", "--workdir", str(tmp_path)]
        terminal.run(*submit, "--name", "lazy", "--", "sh", str(script))
        terminal.until(r"> lazy +Running")
        terminal.until(lambda screen: "1 alert" in screen.splitlines()[0], 240)
        until(lambda: receiver.said[1:] == [("fired", "lazy")], 60, message=lambda: receiver.said)

        # Seen
        terminal.keys("A")
        terminal.until(r"firing +lazy +the log of lazy has told no progress")
        terminal.until(r"hook: sent")
        terminal.keys("Space")
        terminal.until(r"seen by root")
        terminal.keys("Escape")
        terminal.until(lambda screen: "alert" not in screen.splitlines()[0])

        # Stopped, run again, recovered
        (tmp_path / "goes-on").touch()
        terminal.keys("x")
        terminal.until("Stop lazy[?]")
        terminal.keys("y")
        terminal.until(r"lazy +Stopped")
        until(
            lambda: receiver.said[1:] == [("fired", "lazy"), ("recovered", "lazy")],
            90,
            message=lambda: receiver.said,
        )
        terminal.keys("r")
        terminal.until("Run lazy again")
        terminal.keys("F2")
        terminal.until(r"lazy-2 +Running")
        terminal.until(r"step (9|\d\d+)/1000")
        terminal.keys("A")
        terminal.until(r"recovered +lazy ")
        assert re.search(r"firing", terminal.screen()) is None
        terminal.keys("Escape")
        terminal.until("PROGRESS")
        assert receiver.said[1:] == [("fired", "lazy"), ("recovered", "lazy")]
        names = terminal.run(PROGRAM, "--context", address, "jobs", "-o", "name").split()
        terminal.run(PROGRAM, "--context", address, "delete", "--yes", *names)
