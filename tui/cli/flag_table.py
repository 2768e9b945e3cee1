"""The flags and words of every verb as data, from which completion and the man page are made."""

import argparse
from collections.abc import Iterator

from msgspec import Struct

from tui.cli.commands import Command, build_parser
from tui.cli.handlers import BackendHandler

_VALUE_OF = {"FILE": "files", "PATH": "files", "DIR": "folders", "WORKDIR": "folders", "CONTEXT": "contexts"}


class Argument(Struct, frozen=True):
    """One flag, or (without `flags`) one positional word."""

    flags: tuple[str, ...]
    value: str
    """Kind of value: "", "choices", "jobs", "contexts", "files", "folders", or "any" for anything else."""
    metavar: str
    help: str
    choices: tuple[str, ...] = ()
    repeatable: bool = False
    """May be given again."""


def arguments_of(verb: Command) -> list[Argument]:
    """Return a verb's own flags and words, without the global flags."""
    common = {flag for argument in global_arguments() for flag in argument.flags}
    return [argument for argument in _arguments(verb) if not common & set(argument.flags)]


def global_arguments() -> list[Argument]:
    """Return the flags that every verb takes."""
    return list(_arguments(None))


def _arguments(verb: Command | None) -> Iterator[Argument]:
    for action in build_parser(verb)._actions:  # noqa: SLF001  argparse shows them in no other way
        if action.dest != "help":
            yield _argument(action, verb)


def _argument(action: argparse.Action, verb: Command | None) -> Argument:
    choices = tuple(getattr(action.type, "choices", ()))
    metavar = str(action.metavar or action.dest.upper())
    value = "choices" if choices else _VALUE_OF.get(metavar, "any")
    if (
        verb
        and isinstance(verb.load(), BackendHandler)
        and action.dest in ("name", "names")
        and not action.option_strings
    ):
        value = "jobs"
    return Argument(
        flags=tuple(action.option_strings),
        value="" if action.nargs == 0 else value,
        metavar="" if action.nargs == 0 else metavar,
        help=(action.help or "").replace("%%", "%"),
        choices=choices,
        repeatable=action.nargs in ("+", "*") or type(action).__name__ == "_AppendAction",
    )
