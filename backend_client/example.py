"""The example job that the form for a new one offers."""

import shlex
import sys
from pathlib import Path


def example_path() -> Path:
    """Return the path of train.py: package data where traindeck is installed, examples/ in a checkout."""
    here = Path(__file__).parent
    installed = here / "examples" / "train.py"
    return installed if installed.exists() else here.parent / "examples" / "train.py"


def example_command() -> str:
    """Return the shell line that trains the example, with the Python that runs now."""
    return shlex.join((sys.executable or "python3", str(example_path())))
