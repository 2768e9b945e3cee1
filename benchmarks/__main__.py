"""`make bench`: one table of every measurement; `python -m benchmarks --readme` puts it into the README.

Every module of this package has `rows()`, which gives (what, measured, target) as text. Figures of one run
belong together: machines differ, ratios hold.
"""

import importlib
import os
import platform
import subprocess
import sys
from pathlib import Path

from textual import __version__ as textual_version

MODULES = ("cli", "tui", "logs", "local", "cluster")
README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def commit() -> str:
    """What is measured: the commit, marked where the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no commit"


def table(names: list[str]) -> str:
    """The Markdown table of the named modules, with the machine and the commit under it."""
    lines = ["| what | measured | target |", "|---|---|---|"]
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows = importlib.import_module(f"benchmarks.{name}").rows()
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    python = f"Python {platform.python_version()}, Textual {textual_version}"
    lines += ["", f"Commit {commit()}; {os.cpu_count()} cores, {python}; `make bench` prints this table."]
    return "\n".join(lines)


def main() -> None:
    """Measure the modules named in argv (all without names); `--readme` writes the table there."""
    words = sys.argv[1:]
    text = table([word for word in words if word in MODULES] or list(MODULES))
    print(text)
    if "--readme" in words:
        before, _, rest = README.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        README.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
