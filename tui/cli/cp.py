"""`cp`: files and folders between this machine and a running job."""

import argparse
import time
from typing import NamedTuple

from backend_client.errors import Invalid, Refused, sentence
from backend_client.exec_session import HasExec
from backend_client.protocol import Feature, JobBackend
from backend_client.text.attempts import has_ranks
from backend_client.text.figures import bytes_text, span
from tui.cli.arguments import Parser, whole_number
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import print_message
from tui.cli.streams import stderr

_REDRAW_SECONDS = 0.25
_BAR = 24
"""Cells."""


class Side(NamedTuple):
    """One of the two words: a path here, or (with a name) in a job."""

    name: str
    path: str


def add_cp_flags(parser: Parser) -> None:
    """Add the words and flags of `cp`."""
    parser.add_argument("source", metavar="FROM", help="NAME:PATH in a job, or a path here")
    parser.add_argument(
        "target", metavar="TO", help="the other of the two; a folder that is there takes it in"
    )
    parser.add_argument("--rank", type=whole_number, metavar="N", help="in this rank or replica (default: 0)")
    parser.epilog = (
        "A relative PATH begins in the job's working directory; ./a:b is a path here.\n"
        "A copy that was broken off goes on where it was when the same is copied again."
    )


async def cp(args: argparse.Namespace, backend: JobBackend) -> int:
    """Copy; return 1 where something of a folder was left out, else 0."""
    from backend_client.copying.copy import copy_from_job, copy_to_job  # noqa: PLC0415  as below
    from backend_client.copying.job_files import JobFiles  # noqa: PLC0415  not on the way of a refusal
    from backend_client.copying.persistence import Watcher  # noqa: PLC0415  as above

    source, target = split_side(args.source), split_side(args.target)
    if bool(source.name) == bool(target.name):
        raise Invalid({"FROM, TO": "one of both is in a job, as NAME:PATH, and the other one here"})
    if "-" in (args.source, args.target):
        hint = f"Streams go by exec: `traindeck exec {source.name or target.name} -- cat PATH`."
        raise Invalid({"FROM, TO": "- is no file"}, hint=hint)
    if not isinstance(backend, HasExec) or Feature.EXEC not in backend.features:
        why = backend.missing_features.get(Feature.EXEC, "")
        raise Refused(f"Nothing can be copied from or to a job of {backend.context}.", sentence(why))
    job = await find_job(backend, source.name or target.name, args.scope)
    if args.rank is None and has_ranks(job) and stderr.isatty():
        print_message("This is rank 0; --rank N is another.")
    bar = Bar()
    files = JobFiles(backend, job, args.rank or 0, Watcher(bar.say, bar.show))
    try:
        if source.name:
            told = await copy_from_job(files, source.path, target.path)
        else:
            told = await copy_to_job(files, source.path, target.path)
    finally:
        bar.end()
    for line in told:
        print_message(line)
    return 1 if told else 0


def split_side(word: str) -> Side:
    """Return what FROM or TO means: a colon before any slash ends the name of a job."""
    name, colon, path = word.partition(":")
    return Side(name, path) if colon and name and "/" not in name else Side("", word)


class Bar:
    """How far a copy is, in one line of a terminal that is drawn over; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = stderr.isatty()
        self._drawn = self._first = 0.0
        self._began = -1

    def show(self, done: int, total: int | None) -> None:
        """Draw the line, a few times a second."""
        now = time.monotonic()
        if not self._shown or now - self._drawn < _REDRAW_SECONDS:
            return
        if self._began < 0:
            self._began, self._first = done, now
        self._drawn = now
        seconds = now - self._first
        rate = max(0, done - self._began) / seconds if seconds > 0 else 0.0
        stderr.erase_line()
        stderr.write(_line(done, total, rate)[: stderr.width - 1])
        stderr.flush()

    def say(self, words: str) -> None:
        """Print a sentence above the line."""
        self.end()
        print_message(words)

    def end(self) -> None:
        """Remove the line."""
        if self._drawn:
            self._drawn = 0.0
            stderr.erase_line()
            stderr.flush()


def _line(done: int, total: int | None, rate: float) -> str:
    speed = f"{bytes_text(rate):>6}/s"
    if not total:
        return f"{bytes_text(done):>6}  {speed}"
    filled = min(_BAR, _BAR * done // total)
    left = f"  {span((total - done) / rate)} left" if rate else ""
    return (
        f"[{'#' * filled}{'-' * (_BAR - filled)}] {bytes_text(done):>6} of {bytes_text(total)}  {speed}{left}"
    )


CP = BackendHandler(cp, add_cp_flags)
