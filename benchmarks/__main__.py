"""`make bench`: the tables of every measurement; with `--docs` they are written into docs/BENCHMARKS.md.

`python -m benchmarks cluster` measures one of them alone, and so any module by its name. Every module has
`rows()`, which gives (what, measured, target) as text. Figures of one run belong together: machines differ,
ratios hold.
"""

import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from textual import __version__ as textual_version

TABLES = {
    "bench": ("cli", "tui", "link", "logs", "local"),
    "bench-why": ("why",),
    "bench-gpus": ("gpus",),
    "bench-cluster": ("cluster",),
    "bench-copy": ("copy",),
    "bench-being": ("shell", "forward", "code_folder"),
    "bench-server": ("server", "server_faults", "server_stop", "server_crash"),
    "bench-tries": ("server_tries",),
    "bench-starts": ("queue_estimates",),
    "bench-usage": ("gpu_usage",),
    "bench-alerts": ("alerts",),
    "bench-use": ("usage_on_screen",),
    "bench-server-usage": ("server_usage",),
    "bench-pages": ("server_pages", "page_weight"),
}
"""The marks around a table of the page -> the modules that are measured for it."""
PAGE = Path(__file__).parent.parent / "docs" / "BENCHMARKS.md"


def commit() -> str:
    """Name what is measured: the commit, marked where the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no commit"


def table(names: Sequence[str]) -> str:
    """Return the Markdown table of the named modules, with the machine and the commit under it."""
    lines = ["| what | measured | target |", "|---|---|---|"]
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows = importlib.import_module(f"benchmarks.{name}").rows()
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    python = f"Python {platform.python_version()}, Textual {textual_version}"
    how = f"`python -m benchmarks {' '.join(names)}` prints this table"
    lines += ["", f"Commit {commit()}; {os.cpu_count()} cores, {python}; {how}."]
    return "\n".join(lines)


def main() -> None:
    """Measure what argv names (all without names); `--docs` writes the tables that are whole."""
    words = sys.argv[1:]
    for mark, modules in TABLES.items():
        names = [name for name in modules if name in words] or (modules if set(words) <= {"--docs"} else ())
        if names:
            text = table(names)
            print(text, flush=True)
        if "--docs" in words and len(names) == len(modules):
            put(mark, text)


def put(mark: str, text: str) -> None:
    """Write a table between its marks in the page."""
    before, begin, rest = PAGE.read_text().partition(f"<!-- {mark} -->")
    _, end, after = rest.partition(f"<!-- /{mark} -->")
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


if __name__ == "__main__":
    main()
