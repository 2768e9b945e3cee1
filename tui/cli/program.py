"""One run of the command line: words -> verb, settings, context -> the verb's code."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from backend_client.contexts import Contexts, ContextSource, LocalContext
from backend_client.errors import Refused
from backend_client.kubernetes.contexts import KubeconfigContexts
from backend_client.models.secret import Secret
from backend_client.protocol import JobBackend
from backend_client.server.contexts import ServerContexts
from tui.cli.commands import (
    TAKE_COMMAND,
    Command,
    function_of,
    help_text,
    parser_of,
    split,
    unknown_verb,
    verb_named,
)
from tui.cli.output import put, say
from tui.settings import Loaded, Settings, load, xdg
from tui.version import __version__


def run(words: list[str]) -> int:
    """Run one command line. Raises BackendError, SystemExit (wrong usage), KeyboardInterrupt."""
    name, flags, command = split(words)
    verb = verb_named(name)
    parser = parser_of(verb)
    if any(not word.isprintable() and not _is_text(word) for word in words):
        parser.error("an argument is not UTF-8 text")
    if name and not verb:
        parser.error(unknown_verb(name))
    if not verb and {"-h", "--help"} & set(flags):
        put(help_text())
        return 0
    if command and not (verb and verb.name in TAKE_COMMAND):
        parser.error("-- stands before the command of submit, and nowhere else")
    args = parser.parse(flags)
    args.command = command[1:]
    loaded = load(__version__)
    for warning in loaded.warnings:
        say(f"settings: {warning}")
    return _start(verb, args, loaded)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _start(verb: Command | None, args: argparse.Namespace, loaded: Loaded) -> int:
    settings = loaded.settings
    contexts = contexts_of(settings, named(args), given_token(args))
    read_only = args.read_only or settings.read_only
    if not verb:
        return _screen(contexts, args, settings, read_only=read_only)
    if verb.acts and read_only and not getattr(args, "dry_run", False):
        raise Refused(
            f"traindeck is read-only here, so it will not {verb.name}.", "`traindeck config` says why."
        )
    function = function_of(verb)
    gc.freeze()  # what was imported stays: a first look through it costs as much as a list of jobs
    gc.enable()
    if not verb.has_backend:
        return int(function(args, contexts, loaded))
    args.settings = settings
    return asyncio.run(_with_backend(function, args, contexts))


def contexts_of(settings: Settings, named: str = "", token: Secret | None = None) -> Contexts:
    """All ways to reach jobs, as the settings have them. `token` goes to the context `named` alone."""
    local = settings.local
    ways: list[ContextSource] = [
        KubeconfigContexts(settings.kubernetes),
        ServerContexts(
            xdg("CONFIG", ".config"),
            xdg("CACHE", ".cache") / "servers",
            site=settings.site.server,
            named=named,
            token=token,
        ),
        LocalContext(
            enabled=local.enabled, gpus=local.gpus, grace=local.grace, log_cap=local.log_cap * 2**20
        ),
    ]
    return Contexts(ways, xdg("STATE", ".local/state") / "context")


def named(args: argparse.Namespace) -> str:
    """The context that flag or environment name; empty where neither does."""
    return str(args.context or os.environ.get("TRAINDECK_CONTEXT", ""))


def given_token(args: argparse.Namespace) -> Secret | None:
    """The token out of --token-file or TRAINDECK_TOKEN. Raises Refused."""
    if not args.token_file:
        token = os.environ.get("TRAINDECK_TOKEN", "").strip()
        return Secret(token) if token else None
    if not named(args):
        raise Refused(
            "--token-file goes only to a context that is named.", "Name it: --context, or TRAINDECK_CONTEXT."
        )
    try:
        with open(args.token_file, encoding="ascii") as file:  # noqa: PTH123  /dev/stdin too
            return Secret(file.read(1000).strip())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Refused(f"The token cannot be read from {args.token_file}: {why}.") from None


def meant(contexts: Contexts, args: argparse.Namespace) -> str:
    """The context that this command line is about."""
    return contexts.default(args.context, os.environ.get("TRAINDECK_CONTEXT", ""))


async def _with_backend(
    function: Callable[[argparse.Namespace, JobBackend], Coroutine[Any, Any, int]],
    args: argparse.Namespace,
    contexts: Contexts,
) -> int:
    asyncio.get_running_loop().set_exception_handler(_report)
    backend = contexts.open(meant(contexts, args))
    args.scope = "" if args.all_namespaces else args.namespace or backend.namespace
    try:
        return await function(args, backend)
    finally:
        await backend.aclose()


def _report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A defect in a task that nobody waits for: asyncio would print its traceback."""
    from tui.crash_report import sentence  # noqa: PLC0415  not on the way of a start

    if "exception" in context:
        say(sentence(context["exception"]))


def _screen(contexts: Contexts, args: argparse.Namespace, settings: Settings, *, read_only: bool) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "") in ("", "dumb"):
        say("The full-screen program needs a terminal; `traindeck --help` lists the verbs that work without.")
        return 2
    context = meant(contexts, args)
    if "SSH_CONNECTION" in os.environ:  # read by Textual while it is imported
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
        os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from tui import app as program  # noqa: PLC0415  the verbs do not need Textual

    gc.freeze()
    gc.enable()
    app = program.TraindeckApp(
        contexts,
        context=context,
        namespace=args.namespace,
        all_namespaces=args.all_namespaces,
        read_only=read_only,
        settings=settings,
    )
    return program.run(app)
