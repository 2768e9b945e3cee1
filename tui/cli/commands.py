"""The table of verbs: what each is for, and where its code is. Help and parsers are built from it."""

import argparse
from collections.abc import Iterable
from importlib import import_module
from typing import NamedTuple

from backend_client.models.names import closest_match
from tui.cli.arguments import NameAction, Parser, one_of
from tui.cli.handlers import Handler


class Command(NamedTuple):
    """One verb, as help shows it, and where its code is."""

    name: str
    group: str
    usage: str
    summary: str
    handler: str
    """Its `Handler` as module:NAME, imported when the verb is used: help and the other verbs stay quick."""
    changes: bool = False
    """Refused where traindeck is read-only."""
    outputs: tuple[str, ...] = ()
    """What `-o` takes beside `OUTPUTS`."""

    def load(self) -> Handler:
        """Import the verb's module and return its handler."""
        module, _, name = self.handler.partition(":")
        handler: Handler = getattr(import_module(module), name)
        return handler


COMMANDS: tuple[Command, ...] = (
    Command(
        "submit",
        "run",
        "[-f FILE] [FLAGS] -- COMMAND",
        "run a command as a job",
        "tui.cli.submit:SUBMIT",
        changes=True,
    ),
    Command(
        "again",
        "run",
        "NAME [FLAGS]",
        "run a job once more, with other fields",
        "tui.cli.again:AGAIN",
        changes=True,
    ),
    Command(
        "resume",
        "run",
        "NAME...",
        "go on with stopped jobs; finish half-made ones",
        "tui.cli.lifecycle:RESUME",
        changes=True,
    ),
    Command(
        "dev",
        "run",
        "[NAME] [--idle TIME] [FLAGS]",
        "a job with a shell in it; ends when it is idle",
        "tui.cli.dev:DEV",
        changes=True,
    ),
    Command(
        "extend",
        "run",
        "NAME TIME",
        "let a job run longer than its limit",
        "tui.cli.extend:EXTEND",
        changes=True,
    ),
    Command("jobs", "look", "[-w] [--state S] [-l K=V]", "list jobs (also ls, ps, get)", "tui.cli.jobs:JOBS"),
    Command(
        "describe",
        "look",
        "NAME",
        "everything about a job; -o yaml gives its spec file",
        "tui.cli.describe:DESCRIBE",
    ),
    Command(
        "why", "look", "NAME [-o json]", "why a job waits or failed, and what would help", "tui.cli.why:WHY"
    ),
    Command("logs", "look", "NAME [-f] [--tail N]", "what a job has printed", "tui.cli.logs:LOGS"),
    Command("code", "look", "NAME DIR", "the code that a job was made with, as files", "tui.cli.code:CODE"),
    Command("files", "look", "NAME [PATH]", "what a job has written to its outputs", "tui.cli.files:FILES"),
    Command(
        "compare",
        "look",
        "NAME... [--series loss|all]",
        "losses of several jobs, and how they differ; -o csv",
        "tui.cli.compare:COMPARE",
        outputs=("csv",),
    ),
    Command(
        "wait",
        "look",
        "NAME... [--for finished|running] [--alert RULE]",
        "wait, and end as the job does",
        "tui.cli.wait:WAIT",
    ),
    Command(
        "exec",
        "look",
        "NAME [--rank R] [-it] -- COMMAND",
        "run a command in a running job",
        "tui.cli.exec:EXEC",
        changes=True,
    ),
    Command(
        "shell", "look", "NAME [--rank R]", "a shell in a running job", "tui.cli.exec:SHELL", changes=True
    ),
    Command(
        "cp",
        "look",
        "NAME:PATH LOCAL | LOCAL NAME:PATH",
        "copy files from a running job, or into it",
        "tui.cli.cp:CP",
        changes=True,
    ),
    Command("stop", "end", "NAME... | -l K=V", "end jobs", "tui.cli.lifecycle:STOP", changes=True),
    Command(
        "delete",
        "end",
        "NAME... [--yes] [--no-wait]",
        "remove jobs and their logs",
        "tui.cli.lifecycle:DELETE",
        changes=True,
    ),
    Command(
        "history",
        "look",
        "[TEXT] [--user U] [--since 7d]",
        "jobs that were, also deleted ones",
        "tui.cli.history:HISTORY",
    ),
    Command(
        "queue",
        "look",
        "[hold|release|priority|move NAME]",
        "the queues, and what waits in them",
        "tui.cli.queue:QUEUE",
    ),
    Command(
        "usage",
        "look",
        "[--by WHAT] [--since 7d]",
        "GPU-hours by user, queue, day ...; -o csv",
        "tui.cli.usage:USAGE",
        outputs=("csv",),
    ),
    Command(
        "alerts",
        "look",
        "[ack|snooze|set|channels|...]",
        "what a server tells of your jobs, and where",
        "tui.cli.alerts:ALERTS",
    ),
    Command(
        "top",
        "look",
        "[NAME] [-w]",
        "what running jobs use: GPUs, power, CPU, memory",
        "tui.cli.top:TOP",
    ),
    Command(
        "forward",
        "look",
        "NAME [[LOCAL:]PORT...]",
        "reach ports of a running job from this machine",
        "tui.cli.forward:FORWARD",
    ),
    Command("gpus", "look", "", "machines with GPUs: free, held by whom", "tui.cli.gpus:GPUS"),
    Command("login", "server", "[URL] [--user NAME]", "log in at a traindeck server", "tui.cli.login:LOGIN"),
    Command("logout", "server", "[--forget]", "log out, and forget the token", "tui.cli.login:LOGOUT"),
    Command("whoami", "server", "", "who you are where jobs run", "tui.cli.login:WHOAMI"),
    Command("register", "server", "[URL] [--user NAME]", "make an account", "tui.cli.login:REGISTER"),
    Command("passwd", "server", "", "change your password", "tui.cli.users:PASSWD"),
    Command("tokens", "server", "[revoke ID...]", "your logins, everywhere", "tui.cli.users:TOKENS"),
    Command("users", "server", "[add|change|... NAME]", "the people of a server", "tui.cli.users:USERS"),
    Command(
        "clusters", "server", "[add|remove NAME]", "the clusters of a server", "tui.cli.clusters:CLUSTERS"
    ),
    Command("serve", "server", "[--listen HOST:PORT]", "run a traindeck server here", "tui.cli.serve:SERVE"),
    Command("contexts", "set up", "", "where jobs can run", "tui.cli.config:CONTEXTS"),
    Command(
        "use",
        "set up",
        "CONTEXT | -",
        "choose where jobs run from now on; - as kubectl",
        "tui.cli.config:USE",
    ),
    Command("config", "set up", "[--init]", "the settings in force", "tui.cli.config:CONFIG"),
    Command("doctor", "set up", "", "what is wrong here, and what mends it", "tui.cli.doctor:DOCTOR"),
    Command("man", "set up", "", "this manual, for man -l", "tui.cli.man:MAN"),
    Command(
        "completion", "set up", "bash|zsh|fish", "words for the tab key", "tui.cli.completion.verb:COMPLETION"
    ),
)
HIDDEN: tuple[Command, ...] = (
    Command("complete", "", "jobs|contexts [-- WORDS]", "names for the tab key", "tui.cli.complete:COMPLETE"),
)
"""What programs call, not people."""
TAKE_COMMAND = ("submit", "exec", "complete")
"""The verbs that take the words behind --."""
OUTPUTS = ("table", "wide", "json", "yaml", "name")
_FLAGS_WITH_VALUE = {"--context", "-n", "--namespace", "-o", "--output", "--token-file"}

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
  wait and --follow of submit and again: the job's own (128+n for signal n, 143 for Stopped), 124 time-out,
  123 an alert of wait --alert fired, 125 for whatever else ended them: refused, wrong usage, no such job,
  no answer, how it ended is not known; wait of several jobs: the first that is not 0;
  exec and shell: the command's own, 127 no such command, 125 as above;
  141 nobody reads the output any more
"""


def split_words(words: list[str]) -> tuple[str, list[str], list[str]]:
    """Split words into the verb ("" if there is none), the words around it, and the rest from `--` on."""
    before, dashes, command = _split_at_dashes(words)
    skip = False
    for index, word in enumerate(before):
        if not skip and not word.startswith("-"):
            return word, [*before[:index], *before[index + 1 :]], [*dashes, *command]
        skip = word in _FLAGS_WITH_VALUE and not skip
    return "", before, [*dashes, *command]


def _split_at_dashes(words: list[str]) -> tuple[list[str], list[str], list[str]]:
    index = words.index("--") if "--" in words else len(words)
    return words[:index], words[index : index + 1], words[index + 1 :]


ALIASES = {"ls": "jobs", "ps": "jobs", "get": "jobs"}
"""What people type for a verb who come from elsewhere."""


def find_command(name: str) -> Command | None:
    """Return the command of that name or alias, a hidden one too; None if there is none."""
    name = ALIASES.get(name, name)
    return next((verb for verb in (*COMMANDS, *HIDDEN) if verb.name == name), None)


def unknown_verb_message(name: str) -> str:
    """Return the error for a word that is no verb, with the closest verb."""
    likely = closest_match(name, [verb.name for verb in COMMANDS])
    hint = f"did you mean {likely}?" if likely else f"there are: {', '.join(verb.name for verb in COMMANDS)}"
    return f"there is no verb {name}; {hint}"


def _global_flags(parser: argparse.ArgumentParser, more_outputs: tuple[str, ...] = ()) -> None:
    outputs = (*OUTPUTS, *more_outputs)
    group = parser.add_argument_group("flags of every verb")
    group.add_argument(
        "--context",
        default="",
        metavar="CONTEXT",
        action=NameAction,
        help="where jobs run; `contexts` lists them",
    )
    namespace = group.add_mutually_exclusive_group()
    namespace.add_argument(
        "-n",
        "--namespace",
        default="",
        metavar="NAME",
        action=NameAction,
        help="namespace of the job; else the context's own",
    )
    namespace.add_argument(
        "-A", "--all-namespaces", action="store_true", help="jobs of all namespaces that you may read"
    )
    group.add_argument(
        "-o",
        "--output",
        default="table",
        type=one_of(*outputs),
        metavar="HOW",
        help=f"{', '.join(outputs[:-1])} or {outputs[-1]}",
    )
    group.add_argument(
        "--token-file",
        default="",
        metavar="FILE",
        action=NameAction,
        help="file with the token for the server of --context",
    )
    group.add_argument("--read-only", action="store_true", help="look, but never change anything")


def build_parser(verb: Command | None) -> Parser:
    """Build the parser of one verb, or that of the global flags alone."""
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
        verb.load().add_flags(parser)
    _global_flags(parser, verb.outputs if verb else ())
    return parser


def help_text() -> str:
    """Return what `traindeck --help` prints."""
    lines = [
        "usage: traindeck [FLAGS]         the full-screen program",
        "       traindeck VERB [FLAGS]    one step",
    ]
    for group in dict.fromkeys(verb.group for verb in COMMANDS):
        lines += ["", group, *_verb_lines(verb for verb in COMMANDS if verb.group == group)]
    parser = build_parser(None)
    flags = parser.format_help().partition("flags of every verb:\n")[2]
    return "\n".join(
        ["Training jobs on GPUs.", "", *lines, "", "flags of every verb", flags, EXAMPLES, EXIT_CODES]
    )


def _verb_lines(verbs: Iterable[Command]) -> list[str]:
    return [f"  {verb.name:<9} {verb.usage:<30} {verb.summary}".rstrip() for verb in verbs]
