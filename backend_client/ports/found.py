"""The ports that a job says it listens on, out of the lines of its log, and what listens there (pure).

Everything in a log is what its job wrote: a URL is taken for its port and its path alone, never for its host.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from msgspec import Struct

_HERE = frozenset(["localhost", "127.0.0.1", "0.0.0.0", "[::]", "[::1]"])  # noqa: S104  as logs have it
_URL = re.compile(
    r"\b(https?)://(?:[^\s/@'\"<>]{1,200}@)?(\[[0-9a-fA-F:]+\]|[\w.-]{1,253}):(\d{1,5})"
    r"([/?#][^\s'\"<>`|]{0,1000})?",
    re.IGNORECASE,
)
_LISTENS = re.compile(
    r"\b(?:listen\w*|running|serving|dashboard|started|available)\b.{0,60}?"
    r"(?:\b(?:on|at)\b:?\s+(?:tcp://)?(\[[0-9a-fA-F:]+\]|localhost|[\d.]{7,15}):|\bport\b:?\s+)(\d{2,5})\b",
    re.IGNORECASE,
)
_NAMES = (
    (re.compile(r"tensorboard", re.IGNORECASE), "TensorBoard"),
    (re.compile(r"jupyter|ServerApp|NotebookApp|/lab\b|/tree\b", re.IGNORECASE), "Jupyter"),
    (re.compile(r"vllm", re.IGNORECASE), "vLLM"),
    (re.compile(r"streamlit", re.IGNORECASE), "Streamlit"),
    (re.compile(r"gradio", re.IGNORECASE), "Gradio"),
    (re.compile(r"\bray\b", re.IGNORECASE), "Ray"),
    (re.compile(r"mlflow", re.IGNORECASE), "MLflow"),
    (re.compile(r"uvicorn", re.IGNORECASE), "uvicorn"),
    (re.compile(r"Serving HTTP on", re.IGNORECASE), "http.server"),
)
WELL_KNOWN = {
    5678: "debugpy",
    4040: "Spark",
    5000: "MLflow",
    6006: "TensorBoard",
    7860: "Gradio",
    8097: "Visdom",
    8265: "Ray",
    8501: "Streamlit",
    8787: "Dask",
    8888: "Jupyter",
    11434: "Ollama",
    30000: "SGLang",
}
"""Port -> what listens there by default, where no line says more."""
_LONGEST_WORD = 20
"""A longer part of a path may be a key."""


class FoundPort(Struct, frozen=True):
    """A port that something in a job listens on."""

    number: int
    name: str = ""
    """What listens there, as far as that is known."""
    scheme: str = ""
    """http or https; "" where nothing says that it is either."""
    path: str = ""
    """The path of its URL, without what may be a secret."""
    secret: str = ""
    """The path with all that stands behind it, where that is more: a token. Shown only where asked for."""


def find_ports(lines: Iterable[str], names: Collection[str] = ()) -> list[FoundPort]:
    """Return the ports that clean lines tell of, the last told first. `names`: of the pods.

    A URL of any other host is none of the job's: documentation, a download.
    """
    here = _HERE | {name.lower() for name in names if name}
    found: dict[int, FoundPort] = {}
    for line in lines:
        for port in _in_line(line, here):
            before = found.pop(port.number, None)
            found[port.number] = _better(before, port) if before else port
    return list(reversed(found.values()))


def named_port(number: int, name: str = "") -> FoundPort:
    """Return a port that no line tells of, with the name of what listens there by default."""
    return FoundPort(number, name or WELL_KNOWN.get(number, ""))


def _in_line(line: str, here: Collection[str]) -> Iterable[FoundPort]:
    name = next((name for pattern, name in _NAMES if pattern.search(line)), "")
    urls = list(_URL.finditer(line))
    for scheme, host, digits, rest in (url.groups() for url in urls):
        if host.lower() in here and (number := _port(digits)):
            path, secret = _parts(rest or "")
            yield FoundPort(number, name or WELL_KNOWN.get(number, ""), scheme.lower(), path, secret)
    if not urls and (listens := _LISTENS.search(line)):
        host, digits = listens.groups()
        if (not host or host.lower() in here) and (number := _port(digits)):
            yield named_port(number, name)


def _better(before: FoundPort, port: FoundPort) -> FoundPort:
    """Return the later one with what only the former tells: programs print their address in several ways."""
    richer = port if port.secret or not before.secret else before
    return FoundPort(
        port.number,
        port.name or before.name,
        port.scheme or before.scheme,
        richer.path or before.path,
        richer.secret,
    )


def _port(digits: str) -> int:
    number = int(digits)
    return number if 0 < number < 65536 else 0


def _parts(rest: str) -> tuple[str, str]:
    """Return the path without, and with, what may be a secret; the latter "" where they are the same."""
    rest = rest.rstrip(".,;:!)]}")
    path = urlsplit(f"//x{rest}").path
    if any(len(word) > _LONGEST_WORD for word in path.split("/")):
        path = ""
    plain = "" if path == "/" else path
    return plain, rest if rest not in (plain, "/") else ""
