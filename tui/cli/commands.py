"""The verbs: what each is for, and where its code is. Help and parser come from this table."""

import argparse
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from backend_client.models.fields import parse_field
from backend_client.models.names import closest_match
from tui.ui.sanitize import clean


class Command(NamedTuple):
    """`tui.cli.<module>` has the function `<name>`, and `<name>_flags(parser)` that adds its flags."""

    name: str
    group: str
    usage: str
    summary: str
    module: str
    acts: bool = False
    """Changes something: refused where traindeck is read-only."""
    has_backend: bool = True
    """Its function is a coroutine that gets the context's backend."""


COMMANDS: tuple[Command, ...] = (
    Command("submit", "run", "[-f FILE] [FLAGS] -- COMMAND", "run a command as a job", "submit", acts=True),
    Command("again", "run", "NAME [--as-job]", "run a job once more", "again", acts=True),
    Command(
        "resume", "run", "NAME...", "go on with stopped jobs; finish half-made ones", "lifecycle", acts=True
    ),
    Command("jobs", "look", "[-w] [--state S] [-l K=V]", "list jobs", "jobs"),
    Command("describe", "look", "NAME", "everything about a job; -o yaml gives its spec file", "describe"),
    Command("logs", "look", "NAME [-f] [--tail N]", "what a job has printed", "logs"),
    Command("wait", "look", "NAME [--for finished|running]", "wait, and end as the job does", "logs"),
    Command("stop", "end", "NAME...", "end jobs", "lifecycle", acts=True),
    Command(
        "delete", "end", "NAME... [--yes] [--no-wait]", "remove jobs and their logs", "lifecycle", acts=True
    ),
    Command(
        "history", "look", "[TEXT] [--user U] [--since 7d]", "jobs that were, also deleted ones", "history"
    ),
    Command(
        "login", "server", "[URL] [--user NAME]", "log in at a traindeck server", "login", has_backend=False
    ),
    Command("logout", "server", "[--forget]", "log out, and forget the token", "login", has_backend=False),
    Command("whoami", "server", "", "who you are where jobs run", "login", has_backend=False),
    Command("register", "server", "[URL] [--user NAME]", "make an account", "login", has_backend=False),
    Command("passwd", "server", "", "change your password", "users", has_backend=False),
    Command("tokens", "server", "[revoke ID...]", "your logins, everywhere", "users", has_backend=False),
    Command("users", "server", "[add|change|... NAME]", "the people of a server", "users", has_backend=False),
    Command(
        "clusters", "server", "[add|remove NAME]", "the clusters of a server", "clusters", has_backend=False
    ),
    Command(
        "serve", "server", "[--listen HOST:PORT]", "run a traindeck server here", "serve", has_backend=False
    ),
    Command("contexts", "set up", "", "where jobs can run", "config", has_backend=False),
    Command("use", "set up", "CONTEXT", "choose where jobs run from now on", "config", has_backend=False),
    Command("config", "set up", "[--init]", "the settings in force", "config", has_backend=False),
    Command("doctor", "set up", "", "what is wrong here, and what mends it", "doctor", has_backend=False),
    Command("man", "set up", "", "this manual, for man -l", "man", has_backend=False),
    Command(
        "completion", "set up", "bash|zsh|fish", "words for the tab key", "completion", has_backend=False
    ),
)
HIDDEN: tuple[Command, ...] = (
    Command(
        "complete", "", "jobs|contexts [-- WORDS]", "names for the tab key", "complete", has_backend=False
    ),
)
"""What programs call, not people."""
TAKE_COMMAND = ("submit", "complete")
"""The verbs of which words behind -- are a part."""
OUTPUTS = ("table", "wide", "json", "yaml", "name")
_GLOBAL_VALUES = {"--context", "-n", "--namespace", "-o", "--output", "--token-file"}

EXAMPLES = """\
examples
  traindeck submit --name bert-ft --gpus 1 -- python train.py --epochs 3
  traindeck submit -f job.yaml --follow
  traindeck jobs -w
  traindeck logs bert-ft -f --tail 100
  traindeck describe bert-ft -o yaml | traindeck submit -f - --name bert-ft-2
"""
EXIT_CODES = """\
exit codes
  0 done, 1 refused or failed, 2 wrong usage, 3 not found, 4 not reachable, 5 login needed or not allowed;
  wait and submit --follow: the job's own (128+n for signal n, 143 for Stopped), 124 time-out, 125 unknown
"""


class Parser(argparse.ArgumentParser):
    """argparse, whose complaints are one line and name what was probably meant."""

    stray = ""
    """What to say behind "one word too many"."""

    def error(self, message: str) -> NoReturn:
        print(clean(f"{self.prog}: {message}", 4000), file=sys.stderr)  # noqa: T201
        print(f"`{self.prog} --help` shows what can be written here.", file=sys.stderr)  # noqa: T201
        self.exit(2)

    def parse(self, words: list[str]) -> argparse.Namespace:
        """As `parse_args`; an unknown flag is told with the nearest right one."""
        args, extras = self.parse_known_args(words)
        if extras:
            self.error(self._unknown(extras[0]))
        return args

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word} is one word too many{self.stray}"
        flags = [flag for action in self._actions for flag in action.option_strings]
        flag = word.partition("=")[0]
        likely = closest_match(flag.lstrip("-"), [known.lstrip("-").replace("-", "_") for known in flags])
        hint = f"; did you mean --{likely.replace('_', '-')}?" if len(likely) > 1 else ""
        return f"there is no flag {flag}{hint}"


def one_of(*words: str) -> Callable[[str], str]:
    """An argparse type: one of these words, in any case; else the nearest is named."""

    def parse(text: str) -> str:
        found = next((word for word in words if word.lower() == text.lower()), "")
        if not found:
            likely = closest_match(text, [word.lower() for word in words])
            hint = f"did you mean {likely}?" if likely else f"there are: {', '.join(words)}"
            raise argparse.ArgumentTypeError(f"{text} is not known; {hint}")
        return found

    parse.words = words  # type: ignore[attr-defined]
    return parse


def seconds(text: str) -> int:
    """An argparse type: seconds, or 2h30m."""
    try:
        return int(parse_field("max_runtime", text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole(text: str) -> int:
    """An argparse type: a whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: write a whole number, 0 or more")
    return int(text)


def split(words: list[str]) -> tuple[str, list[str], list[str]]:
    """The verb ("" where there is none), the words around it, and the command behind the first `--`."""
    before, dashes, command = _cut(words)
    skip = False
    for at, word in enumerate(before):
        if not skip and not word.startswith("-"):
            return word, [*before[:at], *before[at + 1 :]], [*dashes, *command]
        skip = word in _GLOBAL_VALUES and not skip
    return "", before, [*dashes, *command]


def _cut(words: list[str]) -> tuple[list[str], list[str], list[str]]:
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at : at + 1], words[at + 1 :]


def verb_named(name: str) -> Command | None:
    """The verb of that name."""
    return next((verb for verb in (*COMMANDS, *HIDDEN) if verb.name == name), None)


def unknown_verb(name: str) -> str:
    """What to say about a word that is no verb."""
    likely = closest_match(name, [verb.name for verb in COMMANDS])
    hint = f"did you mean {likely}?" if likely else f"there are: {', '.join(verb.name for verb in COMMANDS)}"
    return f"there is no verb {name}; {hint}"


def _global_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("flags of every verb")
    group.add_argument(
        "--context", default="", metavar="CONTEXT", help="where jobs run; `contexts` lists them"
    )
    namespace = group.add_mutually_exclusive_group()
    namespace.add_argument(
        "-n", "--namespace", default="", metavar="NAME", help="namespace of the job; else the context's own"
    )
    namespace.add_argument(
        "-A", "--all-namespaces", action="store_true", help="jobs of all namespaces that you may read"
    )
    group.add_argument(
        "-o",
        "--output",
        default="table",
        type=one_of(*OUTPUTS),
        metavar="HOW",
        help="table, wide, json, yaml or name",
    )
    group.add_argument(
        "--token-file", default="", metavar="FILE", help="file with the token for the server of --context"
    )
    group.add_argument("--read-only", action="store_true", help="look, but never change anything")


def parser_of(verb: Command | None) -> Parser:
    """The parser of one verb alone, or of the words without a verb."""
    prog = f"traindeck {verb.name}" if verb else "traindeck"
    usage = f"{prog} {verb.usage} [flags of every verb]" if verb else None
    parser = Parser(
        prog=prog,
        usage=usage,
        description=verb and f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=verb is not None,
    )
    if verb:
        function_of(verb, "_flags")(parser)
    _global_flags(parser)
    return parser


def function_of(verb: Command, suffix: str = "") -> Callable[..., Any]:
    """The verb's code, or that of its flags."""
    function: Callable[..., Any] = getattr(import_module(f"tui.cli.{verb.module}"), verb.name + suffix)
    return function


def help_text() -> str:
    """`traindeck --help`."""
    lines = [
        "usage: traindeck [FLAGS]         the full-screen program",
        "       traindeck VERB [FLAGS]    one step",
    ]
    for group in dict.fromkeys(verb.group for verb in COMMANDS):
        lines += ["", group, *_verb_lines(verb for verb in COMMANDS if verb.group == group)]
    parser = parser_of(None)
    flags = parser.format_help().partition("flags of every verb:\n")[2]
    return "\n".join(
        ["Training jobs on GPUs.", "", *lines, "", "flags of every verb", flags, EXAMPLES, EXIT_CODES]
    )


def _verb_lines(verbs: Iterable[Command]) -> list[str]:
    return [f"  {verb.name:<9} {verb.usage:<30} {verb.summary}".rstrip() for verb in verbs]
