"""What can be written behind `traindeck`, as data: completion and the man page are made from it."""

import argparse
from collections.abc import Iterator

from msgspec import Struct

from tui.cli.commands import Command, parser_of
from tui.cli.handlers import BackendHandler

_PLACES = {"FILE": "files", "PATH": "files", "DIR": "folders", "WORKDIR": "folders", "CONTEXT": "contexts"}


class Argument(Struct, frozen=True):
    """One flag, or (without `flags`) one word that stands by itself."""

    flags: tuple[str, ...]
    takes: str
    """"" no value, "words" one of `words`, "jobs", "contexts", "files", "folders"; "any" is anything else."""
    metavar: str
    help: str
    words: tuple[str, ...] = ()
    many: bool = False
    """May be given again."""


def words_of(verb: Command) -> list[Argument]:
    """Its own flags and words, without those of every verb."""
    common = {flag for word in flags_of_all() for flag in word.flags}
    return [word for word in _words(verb) if not common & set(word.flags)]


def flags_of_all() -> list[Argument]:
    """The flags that every verb takes."""
    return list(_words(None))


def _words(verb: Command | None) -> Iterator[Argument]:
    for action in parser_of(verb)._actions:  # noqa: SLF001  argparse shows them in no other way
        if action.dest != "help":
            yield _word(action, verb)


def _word(action: argparse.Action, verb: Command | None) -> Argument:
    words = tuple(getattr(action.type, "words", ()))
    metavar = str(action.metavar or action.dest.upper())
    takes = "words" if words else _PLACES.get(metavar, "any")
    if (
        verb
        and isinstance(verb.load(), BackendHandler)
        and action.dest in ("name", "names")
        and not action.option_strings
    ):
        takes = "jobs"
    return Argument(
        flags=tuple(action.option_strings),
        takes="" if action.nargs == 0 else takes,
        metavar="" if action.nargs == 0 else metavar,
        help=(action.help or "").replace("%%", "%"),
        words=words,
        many=action.nargs in ("+", "*") or type(action).__name__ == "_AppendAction",
    )
