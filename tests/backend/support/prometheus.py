"""Prometheus's promtool, and a real Prometheus that scrapes a server with its token."""

import contextlib
import shutil
import subprocess

import pytest

from tests.support import prometheus
from tests.support.wait import until


def needed(program):
    """Return the path of a program of Prometheus; skip the test where there is none."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"needs {program}: apt-get install prometheus")
    return found


def promtool(*words, text=b""):
    """Run promtool; return its exit code, and all that it says."""
    done = subprocess.run([needed("promtool"), *words], input=text, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


class Scraping:
    """A Prometheus that scrapes a server."""

    def __init__(self, running):
        self.running = running

    def query(self, expr):
        """Return (labels, value) of each series of an expression now. Raises for one that is none."""
        answer = self.running.ask("/api/v1/query", query=expr)
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]

    def has(self, expr):
        """Wait until an expression has a value, and return what `query` does."""
        return until(lambda: self.query(expr), 60, message=lambda: expr)


@contextlib.contextmanager
def scraping(folder, target, token):
    """Run a Prometheus that scrapes a server at HOST:PORT."""
    needed("prometheus")
    folder.mkdir()
    (folder / "token").write_text(token)
    config = {
        "job_name": "traindeck",
        "authorization": {"credentials_file": str(folder / "token")},
        "static_configs": [{"targets": [target]}],
    }
    with prometheus.running(folder, [config]) as running:
        yield Scraping(running)
