"""A shell and commands in a job on a real node, by traindeck and by kubectl, turn by turn.

Both sit in pseudo-terminals of ours, in the same pod. A key is echoed by the shell there, so it goes
the whole way: terminal, program, API server, kubelet, container runtime, shell, and back.
"""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median, quantiles

from benchmarks.real_node import RealNode, Row, on_real_node

JOB = "box"
KEYS = 400
"""That are typed in each terminal."""
_LINE = 40
"""Keys; a longer line would be painted anew."""
_FLOOD = 5_000_000
_PIPED = 100_000_000
_ROUNDS = 5
PATIENCE = 60.0
_READ = 1 << 16
_PROMPT = b"ready-to-type"


class Session:
    """A program in a pseudo-terminal, 80x24."""

    def __init__(self, argv: Sequence[str], env: dict[str, str]) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(argv[0], list(argv), env)

    def close(self) -> None:
        os.kill(self._pid, signal.SIGTERM)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def read(self, seconds: float = PATIENCE) -> bytes:
        """Return what comes; b"" where nothing does for so long."""
        ready = select.select([self._terminal], [], [], seconds)[0]
        return os.read(self._terminal, _READ) if ready else b""

    def until(self, mark: bytes) -> int:
        """Read until a mark comes; return how many bytes that were. Raises TimeoutError."""
        size, end = 0, b""
        while mark not in end:
            if not (data := self.read()):
                raise TimeoutError(f"{mark!r} did not come, but {end!r}")
            size += len(data)
            end = (end + data)[-_READ - len(mark) :]
        return size

    def echo(self) -> float:
        """Type a key; return the seconds until it is echoed."""
        began = time.perf_counter()
        self.type(b"k")
        self.until(b"k")
        return time.perf_counter() - began

    def flood(self) -> float:
        """Let the shell print much; return the bytes a second that come."""
        self.type(f"yes 0123456789abcdef | head -c {_FLOOD}; echo end-o''f-flood\r".encode())
        self.until(b"\n")
        began = time.perf_counter()
        return self.until(b"end-of-flood") / (time.perf_counter() - began)


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    return on_real_node("a shell beside `kubectl exec -it`", _measure)


def _measure(node: RealNode) -> list[Row]:
    node.start(JOB, "sleep 3600")
    return [*_interactive(node), *_commands(node), *_piped(node)]


def _interactive(node: RealNode) -> Iterator[Row]:
    ours = node.traindeck("shell", JOB)
    theirs = node.kubectl("exec", "-it", f"job/{JOB}", "--", "sh")
    with _shell(ours, node) as mine, _shell(theirs, node) as kubectl:
        echoes = [(mine.echo(), kubectl.echo()) for _ in _typed(mine, kubectl)]
        floods = [(mine.flood(), kubectl.flood()) for _ in range(_ROUNDS)]
    times = [(median(column), quantiles(column, n=20)[-1]) for column in zip(*echoes, strict=True)]
    rates = [median(column) / 1e6 for column in zip(*floods, strict=True)]
    mine_ms, kubectl_ms = (f"p50 {p50 * 1000:.2f} ms, p95 {p95 * 1000:.2f} ms" for p50, p95 in times)
    ratios = [ours / theirs for ours, theirs in zip(*times, strict=True)]
    yield "key echo in `traindeck shell`", f"{mine_ms}; kubectl {kubectl_ms}", ""
    yield "that / `kubectl exec -it`", f"p50 {ratios[0]:.2f}, p95 {ratios[1]:.2f}", "<= 1.2"
    yield "a flood to that terminal", f"{rates[0]:.0f} MB/s; kubectl {rates[1]:.0f} MB/s", ""


def _typed(*sessions: Session) -> Iterator[int]:
    """Count keys; what was typed is taken back before a line is full."""
    for count in range(KEYS):
        if count % _LINE == 0:
            for session in sessions:
                session.type(b"\x15")
                while session.read(0.1):
                    pass
        yield count


@contextmanager
def _shell(argv: Sequence[str], node: RealNode) -> Iterator[Session]:
    session = Session(argv, node.environment())
    try:
        session.type(b"PS1=; echo ready-t''o-type\r")
        session.until(_PROMPT)
        yield session
    finally:
        session.close()


def _commands(node: RealNode) -> Iterator[Row]:
    def seconds(argv: list[str]) -> float:
        began = time.perf_counter()
        node.run(argv)
        return time.perf_counter() - began

    ours = node.traindeck("exec", JOB, "--", "true")
    theirs = node.kubectl("exec", f"job/{JOB}", "--", "true")
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(2 * _ROUNDS + 1)][1:]
    mine, kubectl = (median(column) * 1000 for column in zip(*pairs, strict=True))
    yield (
        "`traindeck exec NAME -- true`, with start and end",
        f"{mine:.0f} ms; kubectl {kubectl:.0f} ms",
        "",
    )


def _piped(node: RealNode) -> Iterator[Row]:
    """Measure bytes through pipes, with start and end of the program."""
    ways = {
        "out of the job": (_taken, ("exec", JOB), ("head", "-c", str(_PIPED), "/dev/zero")),
        "into the job": (_given, ("exec", "-i", JOB), ("wc", "-c")),
    }
    for way, (measure, (*verb, name), command) in ways.items():
        ours = node.traindeck(*verb, name, "--", *command)
        theirs = node.kubectl(*verb, f"job/{name}", "--", *command)
        pairs = [(measure(ours, node), measure(theirs, node)) for _ in range(_ROUNDS)]
        mine, kubectl = (_rate(column) for column in zip(*pairs, strict=True))
        yield f"{_PIPED / 1e6:.0f} MB by a pipe {way}, with start and end", f"{mine}; kubectl {kubectl}", ""


def _rate(rates: Sequence[float]) -> str:
    """Say how fast those were that came whole, and how many did not."""
    whole = [rate for rate in rates if rate]
    lost = f", {len(rates) - len(whole)} of {len(rates)} not whole" if len(whole) < len(rates) else ""
    return (f"{median(whole) / 1e6:.0f} MB/s" if whole else "none") + lost


def _taken(argv: Sequence[str], node: RealNode) -> float:
    """Return the bytes a second that a command prints; 0 where not all of them came."""
    began, size = time.perf_counter(), 0
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=node.environment()) as program:
        assert program.stdout
        while data := os.read(program.stdout.fileno(), _READ):
            size += len(data)
    return size / (time.perf_counter() - began) if size == _PIPED else 0.0


def _given(argv: Sequence[str], node: RealNode) -> float:
    """Return the bytes a second that a command takes; 0 where it did not get all of them."""
    began = time.perf_counter()
    zeros = ["head", "-c", str(_PIPED), "/dev/zero"]
    with subprocess.Popen(zeros, stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            argv, stdin=source.stdout, capture_output=True, env=node.environment(), check=False
        )
    whole = done.stdout.split() == [str(_PIPED).encode()]
    return _PIPED / (time.perf_counter() - began) if whole else 0.0
