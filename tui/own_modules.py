"""Keeps what PYTHONPATH names out of this program; the jobs that it starts find PYTHONPATH as it was."""

import os
import sys


def leave_pythonpath() -> None:
    """Import nothing from now on from the folders in PYTHONPATH, nor from this folder; but from our own.

    They belong to a person's own work, where `backend` or `types` may be names too.
    """
    try:
        here = os.getcwd()  # noqa: PTH109  pathlib costs a start
    except OSError:  # it is deleted
        here = os.sep
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    theirs = {_absolute(here, path) for path in named}
    sys.path[:] = [
        path for path in sys.path if _absolute(here, path) not in theirs or _is_needed(_absolute(here, path))
    ]


def _absolute(here: str, path: str) -> str:
    return os.path.normpath(os.path.join(here, path))  # noqa: PTH118  as above


def _is_needed(path: str) -> bool:
    """Return True for the folder that we lie in, and for those of Python with the packages that we need."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  as above
    pythons = tuple(f"{prefix}{os.sep}lib" for prefix in (sys.prefix, sys.base_prefix))
    return path == ours or path.startswith(pythons)
