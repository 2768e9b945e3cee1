"""What must be nothing: wrong answers to anybody, and orphans of a server that dies. Tests count both."""

import os
import re
import subprocess
import sys
from pathlib import Path

Row = tuple[str, str, str]

ROOT = Path(__file__).parent.parent
MATRIX = "tests/backend/routes/test_matrix.py"
ORPHANS = "tests/backend/jobs/test_reconcile.py"


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    asked, wrong = _counted(MATRIX, r"(\d+) requests, (\d+) wrong")
    points, orphans = _counted(ORPHANS, r"(\d+) crash points .*, (\d+) orphans")
    return [
        (f"every route by everybody, both databases, {asked} requests: wrong answers", str(wrong), "0"),
        (f"a server that dies at any write, {points} crash points: orphans", str(orphans), "0"),
    ]


def _counted(tests: str, pattern: str) -> list[int]:
    """Return the sums of what the tests print. Raises AssertionError where they fail."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:xdist", tests],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200", "TRAINDECK_TEST_THOROUGH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return [sum(map(int, figures)) for figures in zip(*re.findall(pattern, done.stdout), strict=True)]
