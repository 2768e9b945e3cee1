"""`man`: the manual page, made from the table of verbs, the flags of each, and the settings."""

import argparse
from collections.abc import Iterable, Iterator

from backend_client.contexts import Contexts
from tui.cli.arguments import Parser
from tui.cli.commands import COMMANDS, EXAMPLES, EXIT_CODES, Command, build_parser
from tui.cli.flag_table import Argument, arguments_of, global_arguments
from tui.cli.handlers import ContextsHandler
from tui.cli.output import print_data
from tui.settings.loaded import LoadedSettings
from tui.settings.model import setting_keys
from tui.settings.show import toml
from tui.version import __version__

_FILES = {
    "$XDG_CONFIG_HOME/traindeck/config.toml": "your settings; `traindeck config --init` writes one",
    "/etc/traindeck/config.toml": "the site's settings",
    "$XDG_STATE_HOME/traindeck": "local jobs, their logs, and reports of defects",
}
_VARIABLES = {
    "TRAINDECK_CONTEXT": "where jobs run, unless --context says",
    "TRAINDECK_TOKEN": "the token for the server that --context or TRAINDECK_CONTEXT names",
    "TRAINDECK_SECTION__KEY": "any setting: TRAINDECK_LOCAL__GPUS=2",
    "KUBECONFIG": "as for kubectl",
    "NO_COLOR": "no colours",
}


def add_man_flags(parser: Parser) -> None:
    """Add the flags of `man`: none of its own."""


def man(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Print the manual page, for `man -l`."""
    print_data(page())
    return 0


def page() -> str:
    """Return the whole manual page as roff."""
    return "\n".join([
        f'.TH TRAINDECK 1 "" "traindeck {__version__}" "User Commands"',
        ".SH NAME",
        "traindeck \\- training jobs on GPUs: submit, see why they wait, watch, stop",
        ".SH SYNOPSIS",
        ".B traindeck",
        "[FLAGS]",
        ".br",
        ".B traindeck",
        "VERB [FLAGS]",
        ".SH DESCRIPTION",
        "Without a verb it is a full\\-screen program, in which ? shows the keys.",
        "A verb does one step and ends.",
        *_verbs(),
        ".SH FLAGS OF EVERY VERB",
        *_argument_lines(global_arguments()),
        ".SH EXIT STATUS",
        _escaped(" ".join(EXIT_CODES.partition("\n")[2].split())),
        ".SH ENVIRONMENT",
        *_pairs(_VARIABLES.items()),
        ".SH FILES",
        *_pairs(_FILES.items()),
        ".SH SETTINGS",
        *_pairs(_settings()),
        ".SH EXAMPLES",
        ".nf",
        *(_escaped(line.strip()) for line in EXAMPLES.splitlines()[1:]),
        ".fi",
    ])  # fmt: skip


def _settings() -> Iterator[tuple[str, str]]:
    for key in setting_keys():
        if key.path[0] != "keys":
            yield f"{key.name} = {toml(key.default)}", key.description


def _verbs() -> Iterator[str]:
    group = ""
    for verb in sorted(COMMANDS, key=lambda verb: _GROUPS.index(verb.group)):
        if verb.group != group:
            group = verb.group
            yield f".SH {group.upper()}"
        yield from _verb(verb)


_GROUPS = list(dict.fromkeys(verb.group for verb in COMMANDS))


def _verb(verb: Command) -> Iterator[str]:
    yield f'.SS "{_escaped(f"traindeck {verb.name} {verb.usage}".rstrip())}"'
    yield _escaped(f"{verb.summary[0].upper()}{verb.summary[1:]}.")
    yield from _argument_lines(arguments_of(verb))
    if about := build_parser(verb).epilog:
        yield from (".PP", ".nf", *map(_escaped, about.splitlines()), ".fi")


def _argument_lines(arguments: Iterable[Argument]) -> Iterator[str]:
    for argument in arguments:
        flags = ", ".join(argument.flags)
        value = argument.metavar if argument.value else ""
        yield from _pairs([(f"{flags} {value}".strip(), argument.help)])


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield each name in bold, and its text indented."""
    for name, text in pairs:
        yield from (".TP", f"\\fB{_escaped(name)}\\fR", _escaped(text))


def _escaped(text: str) -> str:
    """Escape a text so that roff shows it unchanged."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace('"', "\\(dq")
    text = text.replace(",\\(dq", ",\\:\\(dq")  # a list of settings has no space where a line could end
    return f"\\&{text}" if text.startswith((".", "'")) else text


MAN = ContextsHandler(man, add_man_flags)
