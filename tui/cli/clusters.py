"""`clusters`: those of a server; an admin adds one out of a kubeconfig, and takes it away."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backend_client.contexts import Contexts
from backend_client.errors import Invalid
from backend_client.server.bodies import ClusterInfo, Clusters
from tui.cli import prompt
from tui.cli.arguments import Parser, one_of
from tui.cli.handlers import ContextsHandler
from tui.cli.output import Table, put, put_as, say
from tui.cli.server_account import ServerAccount, may_change, the_server
from tui.settings.loaded import Loaded
from tui.ui.format import span


def add_clusters_flags(parser: Parser) -> None:
    """What `clusters` takes."""
    words = ("list", "add", "remove")
    parser.add_argument("what", nargs="?", default="list", type=one_of(*words), help=", ".join(words))
    parser.add_argument("cluster", nargs="?", default="", metavar="NAME", help="what the server calls it")
    parser.add_argument("--kubeconfig", default="~/.kube/config", metavar="FILE", help="add: where it stands")
    parser.add_argument(
        "--kube-context", default="", metavar="NAME", help="add: the context in it; else its current one"
    )
    parser.add_argument(
        "--token-stdin",
        action="store_true",
        help="add: the server's own token, instead of the context's login",
    )


def clusters(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:
    """List the server's clusters, add one, or take one away."""
    at = the_server(args, contexts)
    if args.what == "list":
        return _list(args, asyncio.run(at.call("GET", "/api/clusters", Clusters)))
    may_change(args, loaded, "clusters")
    if not args.cluster:
        raise Invalid({"NAME": "is missing"})
    if args.what == "add":
        _add(at, args)
        say(f"The server {at.account.url} has the cluster {args.cluster}.")
    else:
        asyncio.run(at.tell("DELETE", f"/api/clusters/{quote(args.cluster, safe='')}"))
        say(f"The server {at.account.url} has the cluster {args.cluster} no more; what runs there goes on.")
    return 0


def _add(at: ServerAccount, args: argparse.Namespace) -> None:
    """What is in the kubeconfig is read here: a path, a program or a proxy of this machine never travels."""
    from backend_client.kubernetes.cluster_credentials import extract  # noqa: PLC0415  YAML and TLS

    token = prompt.secret("Token", from_stdin=True) if args.token_stdin else None
    found = extract(Path(args.kubeconfig).expanduser(), args.kube_context, token)
    body: dict[str, Any] = {"name": args.cluster, "server": found.server, "ca": found.ca}
    if found.token:
        body["token"] = found.token.reveal()
    if found.key:
        body |= {"certificate": found.certificate, "key": found.key.reveal()}
    if args.namespace:
        body["namespace"] = args.namespace
    asyncio.run(at.call("POST", "/api/clusters", dict, **body))


def _list(args: argparse.Namespace, found: Clusters) -> int:
    if args.output == "name":
        for one in found.items:
            put(one.name)
    elif not put_as(args.output, lambda: [_fields(one) for one in found.items]):
        rows = ([one.name, one.state.value, _age(one), one.why] for one in found.items)
        Table(["NAME", "STATE", "SINCE", "WHY"], rows).put()
        if not found.items:
            say("The server has no clusters yet; an admin adds one: `traindeck clusters add NAME`.")
    return 0


def _fields(one: ClusterInfo) -> dict[str, Any]:
    return {"name": one.name, "state": one.state, "since": one.since, "why": one.why}


def _age(one: ClusterInfo) -> str:
    return span((datetime.now(UTC) - one.since).total_seconds()) if one.since else ""


CLUSTERS = ContextsHandler(clusters, add_clusters_flags)
