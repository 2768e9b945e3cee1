"""Ports of a job on a real node, by `traindeck forward` and by `kubectl port-forward`, turn by turn.

What listens in the pod is a web server; it is asked by plain sockets, in threads.
"""

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median, quantiles

from benchmarks.real_node import RealNode, Row, on_real_node

JOB, PORT = "web", 7002
MANY = 50
_SIZES = {"whole": 200_000_000, "part": 4_000_000, "small": 300}
_ROUNDS = 5
_SMALL = 200
_SERVE = (
    "trap exit TERM; mkdir /tmp/w; "
    + "".join(f"head -c {size} /dev/zero >/tmp/w/{name}; " for name, size in _SIZES.items())
    + f"httpd -f -p 127.0.0.1:{PORT} -h /tmp/w & wait"
)
_HEAD = re.compile(rb"HTTP/1.[01] 200 .*?Content-Length: (\d+).*?\r\n\r\n", re.DOTALL | re.IGNORECASE)


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    return on_real_node("ports beside `kubectl port-forward`", _measure)


def _measure(node: RealNode) -> list[Row]:
    node.start(JOB, _SERVE)
    ours, theirs = (
        node.traindeck("forward", JOB, str(PORT)),
        node.kubectl("port-forward", f"job/{JOB}", f":{PORT}"),
    )
    with _forwarding(ours, node) as mine, _forwarding(theirs, node) as kubectl:
        _await(mine)
        return [
            *_throughput(mine, kubectl, "whole", 1),
            *_throughput(mine, kubectl, "part", MANY),
            *_small(mine, kubectl),
        ]


@contextmanager
def _forwarding(argv: Sequence[str], node: RealNode) -> Iterator[int]:
    """Run a forward; its port on this machine."""
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=node.environment()
    ) as program:
        assert program.stdout
        said = ""
        while not (found := re.search(r"127\.0\.0\.1:(\d+)", said)):
            said = program.stdout.readline()
            assert said, "it has ended"
        yield int(found[1])
        program.terminate()


def _await(port: int) -> None:
    """Wait until the web server has written its files and listens."""
    while True:
        try:
            _get(port, "small")
        except (OSError, AssertionError):
            time.sleep(0.1)
        else:
            return


def _get(port: int, name: str) -> None:
    """Fetch a file. Raises OSError; AssertionError where less of it came."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"GET /{name} HTTP/1.0\r\n\r\n".encode())
        buffer = bytearray(1 << 18)
        head = b""
        while not (found := _HEAD.match(head)):
            data = line.recv(1 << 16)
            assert data, head
            head += data
        size, got = int(found[1]), len(head) - found.end()
        while got < size and (more := line.recv_into(buffer)):
            got += more
    assert got == size == _SIZES[name], (got, size)


def _throughput(mine: int, kubectl: int, name: str, count: int) -> Iterator[Row]:
    def rate(port: int) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda _: _get(port, name), range(count)))
        return _SIZES[name] * count / (time.perf_counter() - began)

    pairs = [(rate(mine), rate(kubectl)) for _ in range(_ROUNDS + 1)][1:]
    ours, theirs = (median(column) / 1e6 for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    what = "1 connection" if count == 1 else f"{count} connections at once"
    yield (
        f"`traindeck forward`, {_SIZES[name] / 1e6:.0f} MB over {what}"
        if count == 1
        else f"`traindeck forward`, {_SIZES[name] / 1e6:.0f} MB over each of {what}",
        f"{ours:.0f} MB/s; kubectl {theirs:.0f} MB/s",
        "",
    )
    yield "that / `kubectl port-forward`", f"{ratio:.2f}", ">= 0.8"


def _small(mine: int, kubectl: int) -> Iterator[Row]:
    def seconds(port: int) -> float:
        began = time.perf_counter()
        _get(port, "small")
        return time.perf_counter() - began

    pairs = [(seconds(mine), seconds(kubectl)) for _ in range(_SMALL)]
    ours, theirs = (
        f"p50 {median(column) * 1000:.1f} ms, p95 {quantiles(column, n=20)[-1] * 1000:.1f} ms"
        for column in zip(*pairs, strict=True)
    )
    yield "a small GET by a connection of its own", f"{ours}; kubectl {theirs}", ""
