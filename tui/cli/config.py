"""`contexts`, `use` and `config`: where jobs can run, and the settings in force."""

import argparse
import os

from backend_client.contexts import Contexts
from backend_client.disk_errors import cannot_write
from backend_client.errors import BackendError, Conflict, Refused, fragment
from backend_client.private_files import create_private
from tui.cli.arguments import Parser
from tui.cli.handlers import ContextsHandler
from tui.cli.output import Table, print_as, print_data, print_message
from tui.settings.loaded import LoadedSettings
from tui.settings.paths import user_file


def add_contexts_flags(parser: Parser) -> None:
    """Add the flags of `contexts`: none of its own."""


def contexts(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """List the contexts; a star marks the current one."""
    try:
        current = contexts.default(args.context, os.environ.get("TRAINDECK_CONTEXT", ""))
    except BackendError as error:
        print_message(error)
        current = ""
    infos = contexts.list_contexts()
    fields = [
        {
            "name": info.name,
            "kind": info.kind,
            "about": info.about,
            "hidden": info.unavailable,
            "current": info.name == current,
        }
        for info in infos
    ]
    if args.output == "name":
        print_data("\n".join(info.name for info in infos))
    elif not print_as(args.output, lambda: fields):
        rows = (
            ["*" if info.name == current else "", info.name, info.kind, info.unavailable or info.about]
            for info in infos
        )
        Table(["", "NAME", "KIND", "ABOUT"], rows).print()
    return 0


def add_use_flags(parser: Parser) -> None:
    """Add the flags of `use`."""
    parser.add_argument("name", metavar="CONTEXT", help="the context; - forgets the choice")


def use(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Remember a context: where jobs run from now on; - goes back to what kubectl's current context says."""
    try:
        if args.name == "-":
            return _follow_kubectl(contexts)
        info = contexts.set_current(args.name)
    except OSError as error:
        kept = cannot_write(error)
        raise Refused(f"The choice cannot be kept: {fragment(kept.title)}.", kept.hint) from None
    print_message(f"Jobs run in {info.name} from now on ({info.about}).")
    if os.environ.get("TRAINDECK_CONTEXT", info.name) != info.name:
        print_message(f"But TRAINDECK_CONTEXT is set, and weighs more: {os.environ['TRAINDECK_CONTEXT']}.")
    return 0


def _follow_kubectl(contexts: Contexts) -> int:
    chosen = contexts.forget_current()
    print_message(f"{chosen} is chosen no more." if chosen else "None was chosen.")
    print_message(f"Jobs run in {contexts.default()} from now on.")
    return 0


def add_config_flags(parser: Parser) -> None:
    """Add the flags of `config`."""
    parser.add_argument("--init", action="store_true", help="write a commented settings file")


def config(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Show the settings in force and where each comes from."""
    from tui.settings.show import commented_file, effective_settings, toml  # noqa: PLC0415  loads pydantic, as only these verbs do

    if args.init:
        return _write_settings_file(commented_file())
    settings = effective_settings(loaded)
    fields = {name: {"value": value, "from": origin} for name, (value, origin) in settings.items()}
    if not print_as(args.output, lambda: fields):
        rows = ([name, toml(value), origin] for name, (value, origin) in settings.items())
        Table(["KEY", "VALUE", "FROM"], rows).print()
    return 0


def _write_settings_file(text: str) -> int:
    path = user_file()
    try:
        create_private(path, text.encode())
    except FileExistsError:
        raise Conflict(f"{path} is there already.", "Edit it, or move it away first.") from None
    except OSError as error:
        raise cannot_write(error, path) from None
    print_data(str(path))
    return 0


CONTEXTS = ContextsHandler(contexts, add_contexts_flags)
USE = ContextsHandler(use, add_use_flags)
CONFIG = ContextsHandler(config, add_config_flags)
