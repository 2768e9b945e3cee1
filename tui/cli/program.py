"""Run one command line: words -> verb, settings, contexts -> the verb's handler, or the app."""

import argparse
import asyncio
import contextlib
import gc
import os
from collections.abc import Callable
from typing import Any

from backend_client.contexts import Contexts, ContextSource, LocalContext
from backend_client.errors import BackendError, Invalid, Refused, sentence
from backend_client.kubernetes.contexts import KubeconfigContexts
from backend_client.models.fields import parse_field
from backend_client.models.secret import Secret
from backend_client.paths import user_cache_dir, user_config_dir, user_state_dir
from backend_client.protocol import Feature, JobBackend
from backend_client.server.contexts import ServerContexts
from backend_client.slow_steps import heard_by
from tui.cli.commands import (
    TAKE_COMMAND,
    Command,
    build_parser,
    find_command,
    help_text,
    split_words,
    unknown_verb_message,
)
from tui.cli.handlers import BackendHandler, ContextsHandler
from tui.cli.output import print_data, print_message
from tui.cli.streams import stderr
from tui.settings.loaded import LoadedSettings
from tui.settings.loader import load
from tui.settings.model import Settings
from tui.version import __version__


def run(words: list[str]) -> int:
    """Run one command line. Raises BackendError, SystemExit (wrong usage), KeyboardInterrupt."""
    name, flags, command = split_words(words)
    verb = find_command(name)
    parser = build_parser(verb)
    if any(not word.isprintable() and not _is_utf8(word) for word in words):
        parser.error("an argument is not UTF-8 text")
    if name and not verb:
        parser.error(unknown_verb_message(name))
    if not verb and {"-h", "--help"} & set(flags):
        print_data(help_text())
        return 0
    if command and not (verb and verb.name in TAKE_COMMAND):
        parser.error("-- stands before the command of submit and exec, and nowhere else")
    args = parser.parse(flags)
    args.command = command[1:]
    loaded = load(__version__)
    for warning in loaded.warnings:
        print_message(f"settings: {warning}")
    return _run_verb(verb, args, loaded)


def _is_utf8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _run_verb(verb: Command | None, args: argparse.Namespace, loaded: LoadedSettings) -> int:
    settings = loaded.settings
    contexts = build_contexts(settings, requested_context(args), read_token(args))
    read_only = args.read_only or settings.read_only
    if not verb:
        return _run_app(contexts, args, settings, read_only=read_only)
    if verb.changes and read_only and not getattr(args, "dry_run", False):
        raise Refused(
            f"traindeck is read-only here, so it will not {verb.name}.", "`traindeck config` says why."
        )
    handler = verb.load()
    gc.freeze()  # what was imported stays: a first look through it costs as much as a list of jobs
    gc.enable()
    if isinstance(handler, ContextsHandler):
        return handler.run(args, contexts, loaded)
    args.settings = settings
    return asyncio.run(_with_backend(handler, args, contexts))


def build_contexts(settings: Settings, named: str = "", token: Secret | None = None) -> Contexts:
    """Build the context sources that the settings describe. `token` goes to the context `named` alone."""
    local = settings.local
    sources: list[ContextSource] = [
        KubeconfigContexts(settings.kubernetes, settings.datasets),
        ServerContexts(
            user_config_dir(),
            user_cache_dir() / "servers",
            site=settings.site.server,
            named=named,
            token=token,
        ),
        LocalContext(
            enabled=local.enabled, gpus=local.gpus, grace=local.grace, log_cap=local.log_cap * 2**20
        ),
    ]
    return Contexts(sources, user_state_dir() / "context")


def requested_context(args: argparse.Namespace) -> str:
    """Return the context that flag or environment names; empty if neither does."""
    return str(args.context or os.environ.get("TRAINDECK_CONTEXT", ""))


def read_token(args: argparse.Namespace) -> Secret | None:
    """Read the token from --token-file or TRAINDECK_TOKEN. Raises Refused."""
    if not args.token_file:
        token = os.environ.get("TRAINDECK_TOKEN", "").strip()
        return Secret(token) if token else None
    if not requested_context(args):
        raise Refused(
            "--token-file goes only to a context that is named.", "Name it: --context, or TRAINDECK_CONTEXT."
        )
    try:
        with open(args.token_file, encoding="ascii") as file:  # noqa: PTH123  /dev/stdin too
            return Secret(file.read(1000).strip())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Refused(f"The token cannot be read from {args.token_file}: {why}.") from None


def resolve_context(contexts: Contexts, args: argparse.Namespace) -> str:
    """Return the context that this command line goes to. Raises BackendError."""
    return contexts.default(args.context, os.environ.get("TRAINDECK_CONTEXT", ""))


async def _with_backend(
    handler: BackendHandler,
    args: argparse.Namespace,
    contexts: Contexts,
) -> int:
    asyncio.get_running_loop().set_exception_handler(_report_task_error)
    backend = contexts.open(resolve_context(contexts, args))
    if stderr.isatty() and not requested_context(args) and (note := contexts.differs_from_kubectl()):
        print_message(note)
    waits = heard_by(_say_once()) if stderr.isatty() else contextlib.nullcontext()
    try:
        args.scope = "" if args.all_namespaces else _namespace(args.namespace, backend)
        with waits:
            return await handler.run(args, backend)
    finally:
        await backend.aclose()


def _say_once() -> Callable[[str], None]:
    """Return what tells a person, once, what a verb waits for."""
    said = {""}

    def say(words: str) -> None:
        if words not in said:
            said.add(words)
            print_message(sentence(f"Still {words}"))

    return say


def _namespace(named: str, backend: JobBackend) -> str:
    """Return the namespace that is meant. Raises Invalid for a name that none can have."""
    if named and Feature.NAMESPACES in backend.features:
        try:
            parse_field("namespace", named)
        except ValueError as error:
            raise Invalid({"-n": str(error)}) from None
    return named or backend.namespace


def _report_task_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report a defect in a task that nobody waits for: asyncio would print its traceback."""
    from tui.crash_report import sentence  # noqa: PLC0415  not on the way of a start

    if "exception" in context:
        print_message(sentence(context["exception"]))


def _run_app(contexts: Contexts, args: argparse.Namespace, settings: Settings, *, read_only: bool) -> int:
    if not (os.isatty(0) and os.isatty(1)) or os.environ.get("TERM", "") in ("", "dumb"):
        print_message(
            "The full-screen program needs a terminal; `traindeck --help` lists the verbs that work without."
        )
        return 2
    try:
        context = resolve_context(contexts, args)
        note = "" if requested_context(args) else contexts.differs_from_kubectl()
    except BackendError as error:
        if all(info.unavailable for info in contexts.list_contexts()):
            raise
        context, note = "", str(error)
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
        note=note,
    )
    return program.run(app, print_message)
