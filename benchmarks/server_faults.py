"""What the tests of faults print: rights, crash points, the graceful stop; each test is run whole."""

import os
import re
import subprocess
import sys

from tests.kubernetes import controlplane

TESTS = (
    ("tests/backend/work/test_matrix.py", "every_route", "0 wrong"),
    ("tests/backend/work/test_reconcile.py", "no_orphan", "0 orphans"),
    ("tests/backend/test_serve.py", "two_hundred", "exit 0 within 3 s"),
)
FIGURE = re.compile(r"^(route x role: .*|\d+ crash points .*|\d+ open streams .*)$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    """(what, measured, target)."""
    found = [row for test in TESTS for row in _rows(*test)]
    if controlplane.binaries() is None:
        found.append(("crash points in a cluster", f"left out: {controlplane.HOW}", ""))
    return found


def _rows(file: str, words: str, target: str) -> list[tuple[str, str, str]]:
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", file, "-k", words]
    env = {**os.environ, "TRAINDECK_TEST_THOROUGH": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    told = FIGURE.findall(done.stdout)
    if done.returncode or not told:
        return [(f"{file}, {words}", "failed", target)]
    return [(*re.split(r": |, ", line, maxsplit=1), target) for line in told]
