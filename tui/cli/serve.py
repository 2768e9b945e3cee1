"""`serve`: run a traindeck server here."""

import argparse
from pathlib import Path

from backend_client.contexts import Contexts
from backend_client.errors import Refused
from tui.cli.arguments import Parser
from tui.cli.handlers import ContextsHandler
from tui.cli.output import print_message
from tui.cli.streams import stdout
from tui.settings.loaded import LoadedSettings

FLAGS = (
    "listen",
    "socket",
    "socket_mode",
    "socket_group",
    "database",
    "folder",
    "tls_cert",
    "tls_key",
    "local",
    "behind_proxy",
    "proxies",
    "root_path",
)


def add_serve_flags(parser: Parser) -> None:
    """Add the flags of `serve`; all else is set by TRAINDECK_SERVER_… or the settings file."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--listen", metavar="HOST:PORT", help="else 127.0.0.1:8642; with --local a socket in the folder"
    )
    where.add_argument("--socket", metavar="PATH", type=Path, help="a unix socket, for its owner alone")
    parser.add_argument("--socket-mode", metavar="MODE", help="of the socket, as 0660; else 0600")
    parser.add_argument("--socket-group", metavar="GROUP", help="whose people may connect to the socket")
    parser.add_argument(
        "--database", metavar="URL", help="postgresql://USER@HOST/NAME; else SQLite in the folder"
    )
    parser.add_argument("--folder", metavar="DIR", type=Path, help="where the server keeps its own files")
    parser.add_argument(
        "--local", action="store_true", default=None, help="take jobs on this machine, as you"
    )
    parser.add_argument("--tls-cert", metavar="FILE", type=Path, help="certificate and its chain, PEM")
    parser.add_argument("--tls-key", metavar="FILE", type=Path, help="its key, PEM")
    parser.add_argument(
        "--behind-proxy", action="store_true", default=None, help="a proxy in front speaks TLS"
    )
    parser.add_argument(
        "--trusted-proxy",
        dest="proxies",
        metavar="ADDR",
        action="append",
        help="whose X-Forwarded-For is believed: an address, a network, or unix; again for more",
    )
    parser.add_argument("--root-path", metavar="PATH", help="the path under which the proxy serves it")


def serve(args: argparse.Namespace, _contexts: Contexts, _loaded: LoadedSettings) -> int:
    """Run the server until it is ended."""
    flags = {name: value for name in FLAGS if (value := getattr(args, name)) is not None}
    try:
        from backend.serve import serve as run  # noqa: PLC0415  the other verbs need no server
        from backend.settings import server_settings  # noqa: PLC0415  as above
    except ModuleNotFoundError as error:
        raise Refused(
            f"This traindeck has no server in it: {error.name} is missing.", "pip install 'traindeck[server]'"
        ) from None
    run(server_settings(flags), print_message, stdout.log_record)
    return 0


SERVE = ContextsHandler(serve, add_serve_flags)
