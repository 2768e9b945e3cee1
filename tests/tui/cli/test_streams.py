"""What the verbs send to a terminal, and what becomes of a stdout that takes nothing."""

import ast
import os
import pty
import re
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import backend
import backend_client
import tui
from backend_client.alerts.alert import Alert, AlertList, Delivery, DeliveryState
from backend_client.contexts import ContextInfo, LocalContext
from backend_client.errors import Refused
from backend_client.models import JobState, JobUsage
from backend_client.protocol import DeleteStep, Identity
from backend_client.text.sanitize import UNSAFE
from backend_client.usage import UsageSource, UsageTable
from tests.support.hostile import EVERYTHING, Hostile, hostile_job
from tests.support.scripted import ScriptedBackend, make_job
from tui.cli import main, streams
from tui.cli.commands import COMMANDS, HIDDEN, OUTPUTS
from tui.cli.streams import Painted, Writer

# One writer

_PLACES = {
    "tui/cli/streams.py": "the writer",
    "tui/form/autosave.py": "os.write, to a file",
    "backend_client/private_files.py": "os.write, to a file",
    "backend/db/write_probe.py": "os.write, to a file",
    "backend_client/local": "what the processes of one job say to each other, through pipes and files",
    "backend_client/models/schema.py": "run as a module of its own, by docs/generate.py",
}
_STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__", "write", "writev", "pwrite", "sendfile"}


def writes(path: Path) -> Iterator[str]:
    """What writes past the writer, or could: print, the streams of `sys`, `os.write`, getpass."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("print", "input")
        ):
            yield f"{node.func.id}() in line {node.lineno}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in _STREAMS:
            if node.value.id in ("sys", "os"):
                yield f"{node.value.id}.{node.attr} in line {node.lineno}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in (
                "StreamHandler",
                "print_exc",
                "print_exception",
                "print_help",
                "print_usage",
            ):
                yield f"{node.func.attr}() in line {node.lineno}"
        elif isinstance(node, ast.Constant) and node.value == "/dev/tty":
            yield f"the terminal in line {node.lineno}"


ALLOWED = {
    "tui/cli/arguments.py": {"sys.stderr"},  # compared: argparse says by it where a text belongs
    "tui/cli/prompt.py": {"the terminal"},  # opened, and written to by the writer
    "tui/ui/terminal_driver.py": {"sys.__stdout__"},  # what the screen is drawn on
}


def test_nothing_but_the_writer_writes():
    root = Path(tui.__file__).parents[1]
    for package in (tui, backend, backend_client):
        for path in Path(package.__file__).parent.rglob("*.py"):
            name = str(path.relative_to(root))
            if not name.startswith(tuple(_PLACES)):
                found = {line.partition(" in line")[0]: line for line in writes(path)}
                assert {key: line for key, line in found.items() if key not in ALLOWED.get(name, ())} == {}, (
                    name
                )


def test_the_reader_of_the_code_sees_what_writes(tmp_path: Path):
    file = tmp_path / "a.py"
    lines = [
        "print(1)",
        "sys.stdout.write('')",
        "os.write(1, b'')",
        "open('/dev/tty')",
        "logging.StreamHandler()",
    ]
    for line in lines:
        file.write_text(line)
        assert list(writes(file)), line


# To a terminal

OURS = re.compile(rb"\x1b\[(?:0|3[0-7])m|\r\x1b\[K|\r\n")


@contextmanager
def terminal() -> Iterator[list[bytes]]:
    """stdout and stderr are a terminal; what it was sent is in the list afterwards."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    sent: list[bytes] = []

    def read() -> None:
        while data := _read(master):
            sent.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    before = [os.dup(1), os.dup(2)]
    try:
        for descriptor in (1, 2):
            os.dup2(slave, descriptor)
        yield sent
    finally:
        streams.stdout.flush()
        for descriptor, old in zip((1, 2), before, strict=True):
            os.dup2(old, descriptor)
            os.close(old)
        os.close(slave)
        reader.join(20)
        os.close(master)


def _read(master: int) -> bytes:
    try:
        return os.read(master, 1 << 16)
    except OSError:  # the last writer is gone
        return b""


def stray(sent: bytes) -> str:
    return "".join(UNSAFE.findall(OURS.sub(b"", sent).decode("utf-8", "surrogateescape").replace("\n", "")))


TEXT = EVERYTHING.replace("\0", "")  # no argument can hold it
VERBS = {
    "submit": ["--name", "a", "--env", f"A={TEXT}", "--", "sh", "-c", TEXT],
    "again": ["uuuu", "--name", "b"],
    "jobs": [],
    "describe": ["uuuu"],
    "code": ["uuuu", "/dev/null/no"],
    "files": ["uuuu", TEXT],
    "why": ["uuuu"],
    "logs": ["uuuu", "--timestamps"],
    "wait": ["uuuu"],
    "compare": ["uuuu", "live", "--series", "all"],
    "stop": ["live", TEXT],
    "resume": ["live"],
    "delete": ["live", TEXT, "--yes"],
    "history": [TEXT],
    "queue": [],
    "alerts": [],
    "gpus": [],
    "forward": ["uuuuuuuu"],
    "shell": ["live"],
    "dev": [TEXT],
    "extend": ["live", "4h"],
    "exec": ["live", "--", TEXT],
    "cp": ["live:/a", f"/dev/null/{TEXT}"],
    "top": [],
    "usage": [],
    "login": [f"http://{TEXT}"],
    "logout": [],
    "whoami": [],
    "register": [f"http://{TEXT}"],
    "passwd": [],
    "tokens": [],
    "users": ["add", TEXT],
    "clusters": ["add", TEXT],
    "serve": ["--listen", TEXT],
    "contexts": [],
    "use": [TEXT],
    "config": [],
    "doctor": [],
    "man": [],
    "completion": ["bash"],
    "complete": ["contexts"],
}


class Evil(Hostile):
    """A hostile word wherever one can be; what is asked for is done, or refused with hostile words."""

    def __init__(self, *, refuses: bool) -> None:
        super().__init__()
        self.namespace = self.context = self.text
        self.jobs["uuuuuuuu"] = hostile_job(self.text, "uuuuuuuu", JobState.FAILED)
        self.jobs["live"] = hostile_job(self.text, "live", JobState.RUNNING)
        self.logs_of["uuuuuuuu"] = self.logs_of["u"]
        self.files_of["uuuuuuuu"] = self.files_of["u"]
        self.explanations["uuuuuuuu"] = self.explanations["u"]
        self.ended_logs = {"uuuuuuuu"}
        self.missing_features = {}
        self.plan_errors = self.plan_errors if refuses else ()
        self.fail = self.fail if refuses else {}

    async def whoami(self) -> Identity:
        self._call("whoami")
        return Identity(self.text, self.text)

    async def usages(self, scope):
        self._call("usages", scope)
        used = JobUsage(source=self.text, xid=79)
        return UsageTable(jobs={"live": used}, sources=(UsageSource(name=self.text, missing=self.text),))

    async def alerts(self, *, everybody=False) -> AlertList:
        self._call("alerts")
        ref = self.jobs["live"].ref
        told = Delivery(channel=self.text, state=DeliveryState.FAILED, why=self.text)
        alert = Alert(
            id=self.text,
            rule=self.text,
            job=ref,
            sentence=self.text,
            fired=datetime.now(UTC),
            deliveries=(told,),
        )
        return AlertList(items=(alert,))

    async def delete(self, ref, *, wait=True):
        yield DeleteStep(self.text, slow=True)
        if self.fail:
            raise Refused(self.text, self.text)


@pytest.fixture(params=[False, True], ids=["done", "refused"])
def hostile(request, monkeypatch) -> Evil:
    evil = Evil(refuses=request.param)
    monkeypatch.setattr(LocalContext, "open", lambda self, name: evil)
    infos = [ContextInfo("local", "local", TEXT), ContextInfo(TEXT, "local", TEXT, TEXT)]
    monkeypatch.setattr(LocalContext, "contexts", lambda self: infos)
    return evil


def test_every_verb_has_its_words():
    assert {verb.name for verb in (*COMMANDS, *HIDDEN)} == VERBS.keys()


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_sends_a_terminal_what_steers_it(verb: str, hostile: Evil, monkeypatch):
    words = VERBS[verb]
    place = words.index("--") if "--" in words else len(words)
    for colours in ("", "1"):
        monkeypatch.setenv("NO_COLOR", colours)
        monkeypatch.setenv("TERM", "xterm")
        for output in OUTPUTS:
            with terminal() as sent:
                main([verb, *words[:place], "-o", output, *words[place:]])
            assert stray(b"".join(sent)) == "", output
            assert b"a defect of" not in b"".join(sent), output
            if colours:
                assert b"\x1b[3" not in b"".join(sent)


def test_a_name_reaches_a_terminal_as_letters_alone(hostile: Evil):
    with terminal() as sent:
        main(["jobs", "-o", "name"])
    assert b"a\xef\xbf\xbd]52;c;aGVsbG8=" in b"".join(sent)


def test_what_a_library_prints_is_cleaned_too(hostile: Evil, monkeypatch):
    def open_(_self, _name):
        print(TEXT)
        print(TEXT, file=sys.stderr)
        raise RuntimeError(TEXT)

    monkeypatch.setattr(LocalContext, "open", open_)
    with terminal() as sent:
        assert main(["jobs"]) == 1
    assert b"".join(sent).count(b"]52;c;aGVsbG8=") == 2
    assert stray(b"".join(sent)) == ""


def test_into_a_pipe_goes_what_it_is(hostile: Evil, capfdbinary):
    main(["jobs", "-o", "name"])
    assert TEXT.encode("utf-8", "replace")[:60] in capfdbinary.readouterr().out


# A stdout that takes nothing

WORDS = [
    "--version",
    "--help",
    "jobs --help",
    "jobs",
    "jobs -o json",
    "config",
    "doctor",
    "completion bash",
    "man",
]


def run(words: str, **streams_: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *words.split()],
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams_},
    )


@pytest.mark.parametrize("words", WORDS)
def test_a_full_disk_behind_stdout_is_said(words: str):
    with Path("/dev/full").open("wb") as full:
        done = run(words, stdout=full)
    assert done.stderr.endswith(b"Standard output cannot be written: No space left on device.\n")
    assert done.returncode == 1


@pytest.mark.parametrize("words", WORDS)
def test_a_reader_that_has_gone_ends_it_in_silence(words: str):
    reader, writer = os.pipe()
    os.close(reader)
    done = run(words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr.replace(b"There are no jobs here.\n", b"")) == (141, b"")


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_stream_is_no_defect_and_no_file_takes_its_place(descriptor: int, tmp_path: Path):
    done = run("jobs -o json", preexec_fn=lambda: os.close(descriptor))
    assert done.stderr == (b"Standard output cannot be written: it is closed.\n" if descriptor == 1 else b"")
    assert done.returncode == (1 if descriptor == 1 else 0)
    assert done.stdout == (b"" if descriptor == 1 else b"[]\n")


def test_messages_that_nobody_takes_are_no_failure():
    with Path("/dev/full").open("wb") as full:
        done = run("jobs", stderr=full)
    assert done.returncode == 0
    assert done.stdout.startswith(b"NAME")


def test_a_log_that_is_followed_ends_with_its_reader(backend: ScriptedBackend, monkeypatch):
    """The lines come, and `head` has gone: as if SIGPIPE had ended it."""
    reader, writer = os.pipe()
    os.close(reader)
    backend.put(make_job("a", uid="a"))
    backend.logs_of["a"] = [b"line"] * 10
    monkeypatch.setattr(streams.stdout, "_descriptor", writer)
    assert main(["logs", "-f", "a"]) == 141
    os.close(writer)


def test_a_slow_pipe_that_is_not_blocking_gets_all_of_it():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    out = Writer(writer, "It")
    taken: list[bytes] = []
    taking = threading.Thread(target=lambda: taken.extend(iter(lambda: os.read(reader, 1000), b"")))
    taking.start()
    out.write("x" * 1_000_000)
    out.flush()
    os.close(writer)
    taking.join(20)
    assert b"".join(taken) == b"x" * 1_000_000
    os.close(reader)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_letter_is_too_much_for_an_encoding(encoding: str, tmp_path: Path):
    with (tmp_path / "file").open("wb") as file:
        out = Writer(file.fileno(), "It")
        out._encoding = encoding
        out.line(Painted("caf\u00e9 \u2026 \ud800 \udcff", 1))
        out.flush()
    assert (tmp_path / "file").read_bytes().startswith(b"caf")
