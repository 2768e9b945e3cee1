"""A shell in a running job, with the app suspended: `traindeck shell` as a program of its own."""

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from backend_client.disk_errors import disk_words
from backend_client.exec_session import not_running
from backend_client.models import Attempt, Job
from backend_client.text.sanitize import clean
from tui.ui.pick_screen import Pick, PickScreen
from tui.ui.terminal_child import run_child

_PACKAGES = str(Path(__file__).parents[2])
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from tui.cli import main; sys.exit(main())"
_MOST_SAID = 2000


async def open_shell(app: App[Any], job: Job, context: str) -> None:
    """Open a shell in a job of a context; of several ranks a person is asked which."""
    running = {rank.rank: rank for rank in job.attempts if rank.started and not rank.finished}
    if job.ended or not running:
        app.notify(clean(not_running(job).title, 300), title=clean(job.name))
        return
    rank = await _chosen_rank(app, job, running)
    if rank is not None:
        _run(app, job, shell_words(job, context, rank))


def shell_words(job: Job, context: str, rank: int) -> list[str]:
    """Return the words behind `traindeck` that open the shell."""
    place = ["-n", job.ref.namespace] if job.ref.namespace else []
    return ["--context", context, *place, "shell", "--rank", str(rank), job.name]


async def _chosen_rank(app: App[Any], job: Job, running: dict[int, Attempt]) -> int | None:
    if len(running) == 1:
        return next(iter(running))
    picks = [Pick(str(rank), running[rank].pod or running[rank].node) for rank in sorted(running)]
    chosen = await app.push_screen_wait(PickScreen(f"A shell in which rank of {job.name}", picks))
    return None if chosen is None else int(chosen)


def _run(app: App[Any], job: Job, words: list[str]) -> None:
    said = b""
    try:
        with tempfile.TemporaryFile() as errors, app.suspend():
            run_child([sys.executable, "-P", "-c", _BOOT, _PACKAGES, *words], stderr=errors)
            errors.seek(0)
            said = errors.read(_MOST_SAID)
    except SuspendNotSupported:
        command = shlex.join(["traindeck", *words])
        app.notify(clean(f"Here is no terminal that a shell could have; in one: {command}", 400), timeout=30)
    except OSError as error:
        app.notify(f"No shell could be started: {disk_words(error)}.", severity="error")
    if said:
        app.notify(clean(said.decode(errors="replace"), 600), title=clean(job.name), timeout=15)
