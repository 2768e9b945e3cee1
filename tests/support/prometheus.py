"""A real Prometheus over exporters of our own, which speak the names and labels of the real ones.

Debian's package `prometheus` has it; where the binary is missing, what needs it is skipped.
"""

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HOW = "the program `prometheus` (Debian's package has it)"
SCRAPE_SECONDS = 1
LIMIT = 60.0


def binary() -> str | None:
    """Return the program; None where it is not installed."""
    return shutil.which("prometheus")


class Exporter:
    """A program that is scraped: it gives `text`, which may change."""

    def __init__(self) -> None:
        self.text = ""
        exporter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter.text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, port: int, host: str = "127.0.0.1", pid: int = 0) -> None:
        self.port = port
        self.pid = pid
        self.host = host
        self.url = f"http://{host}:{port}"

    def ask(self, path: str, **params: str) -> Any:
        """The answer to a request, as JSON."""
        asked = f"{self.url}{path}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def count(self, selector: str) -> int:
        """How many series there are now."""
        result = self.ask("/api/v1/query", query=f"count({selector})")["data"]["result"]
        return int(result[0]["value"][1]) if result else 0

    def until(self, selector: str, holds: Callable[[int], bool] = bool) -> None:
        """Wait until there are so many series."""
        wait(lambda: holds(self.count(selector)), f"{selector} in Prometheus")


def wait(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + LIMIT
    while not _holds(holds):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def _holds(holds: Callable[[], object]) -> object:
    try:
        return holds()
    except OSError:
        return False


@contextlib.contextmanager
def running(
    folder: Path,
    targets: list[dict[str, Any]],
    *,
    host: str = "127.0.0.1",
    data: Path | None = None,
    seconds: float = SCRAPE_SECONDS,
) -> Iterator[Prometheus]:
    """Run a Prometheus with these scrape configs, all read every `seconds`. `data`: a store that is there."""
    program = binary()
    assert program
    folder.mkdir(parents=True, exist_ok=True)
    interval = f"{seconds * 1000:.0f}ms"
    config = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": targets,
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    argv = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={data or folder / 'data'}",
        f"--web.listen-address={host}:{port}",
        "--log.level=warn",
        "--storage.tsdb.retention.time=100y",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            prometheus = Prometheus(port, host, process.pid)
            wait(lambda: prometheus.ask("/api/v1/query", query="vector(1)"), f"Prometheus ({folder}/log)")
            yield prometheus
        finally:
            process.kill()  # what it has stored goes with the test


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


def scrape(
    name: str, *ports: int, honor: bool = True, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    """A scrape config of programs on this machine, with labels of the target."""
    return {
        "job_name": name,
        "honor_labels": honor,
        "static_configs": [
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": labels or {}},
        ],
    }


def line(name: str, value: float | str, **labels: str) -> str:
    """One sample as an exporter writes it."""
    written = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{written}}} {value}\n"


def dcgm(gpu: int, *, pod: str = "", namespace: str = "", node: str = "gpu-1", **values: Any) -> str:
    """What dcgm-exporter writes of one GPU; a field of `values` instead of a figure, None leaves it out.

    Fields: util, activity, used, free, reserved, power, temperature, xid; and uuid, part (GPU_I_ID).
    """
    figures = {
        "DCGM_FI_DEV_GPU_UTIL": values.get("util", 90),
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": values.get("activity", 0.8),
        "DCGM_FI_DEV_FB_USED": values.get("used", 40000),
        "DCGM_FI_DEV_FB_FREE": values.get("free", 41000),
        "DCGM_FI_DEV_FB_RESERVED": values.get("reserved", 559),
        "DCGM_FI_DEV_POWER_USAGE": values.get("power", 350.5),
        "DCGM_FI_DEV_GPU_TEMP": values.get("temperature", 61),
        "DCGM_FI_DEV_XID_ERRORS": values.get("xid", 0),
    }
    labels = {
        "gpu": str(gpu),
        "UUID": values.get("uuid", f"GPU-{node}-{gpu}"),
        "pci_bus_id": f"00000000:{gpu:02X}:00.0",
        "device": f"nvidia{gpu}",
        "modelName": "NVIDIA H100 80GB HBM3",
        "Hostname": node,
        "DCGM_FI_DRIVER_VERSION": "570.86.15",
    }
    if part := values.get("part"):
        labels |= {"GPU_I_PROFILE": "1g.10gb", "GPU_I_ID": part}
    if pod:
        labels |= {"container": "main", "namespace": namespace, "pod": pod}
    return "".join(
        line(name, value, **labels, err_code="7", err_msg="GPU") if name.endswith("XID_ERRORS") and value
        else line(name, value, **labels)
        for name, value in figures.items()
        if value is not None
    )  # fmt: skip
