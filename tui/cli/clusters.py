"""`clusters`: list those of a server; admins add one from a kubeconfig, or remove one."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import to_builtins

from backend_client.contexts import Contexts
from backend_client.errors import Invalid
from backend_client.server.measured_clusters import MeasuredCluster, MeasuredClusters
from backend_client.text.clusters import gpu_use_source
from backend_client.text.figures import span
from tui.cli import prompt
from tui.cli.arguments import Parser, one_of
from tui.cli.handlers import ContextsHandler
from tui.cli.output import Table, print_as, print_data, print_message
from tui.cli.server_account import ServerAccount, require_account, require_writable
from tui.settings.loaded import LoadedSettings


def add_clusters_flags(parser: Parser) -> None:
    """Add the flags of `clusters`."""
    actions = ("list", "add", "remove")
    parser.add_argument("what", nargs="?", default="list", type=one_of(*actions), help=", ".join(actions))
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


def clusters(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:
    """List the server's clusters, add one, or take one away."""
    account = require_account(args, contexts)
    if args.what == "list":
        return _list(args, asyncio.run(account.call("GET", "/api/clusters?usage=true", MeasuredClusters)))
    require_writable(args, loaded, "clusters")
    if not args.cluster:
        raise Invalid({"NAME": "is missing"})
    if args.what == "add":
        _add(account, args)
        print_message(f"The server {account.record.url} has the cluster {args.cluster}.")
    else:
        asyncio.run(account.send("DELETE", f"/api/clusters/{quote(args.cluster, safe='')}"))
        message = f"has the cluster {args.cluster} no more; what runs there goes on."
        print_message(f"The server {account.record.url} {message}")
    return 0


def _add(account: ServerAccount, args: argparse.Namespace) -> None:
    """Register the cluster of a kubeconfig, read here: its paths, programs and proxies never travel."""
    from backend_client.kubernetes.cluster_credentials import extract  # noqa: PLC0415  YAML and TLS

    token = prompt.ask_secret("Token", from_stdin=True) if args.token_stdin else None
    credentials = extract(Path(args.kubeconfig).expanduser(), args.kube_context, token)
    body: dict[str, Any] = {"name": args.cluster, "server": credentials.server, "ca": credentials.ca}
    if credentials.token:
        body["token"] = credentials.token.reveal()
    if credentials.key:
        body |= {"certificate": credentials.certificate, "key": credentials.key.reveal()}
    if args.namespace:
        body["namespace"] = args.namespace
    asyncio.run(account.call("POST", "/api/clusters", dict, **body))


def _list(args: argparse.Namespace, clusters: MeasuredClusters) -> int:
    if args.output == "name":
        for cluster in clusters.items:
            print_data(cluster.name)
    elif not print_as(args.output, lambda: [_fields(cluster) for cluster in clusters.items]):
        rows = (
            [cluster.name, cluster.state.value, _age(cluster), cluster.why, gpu_use_source(cluster.usage)]
            for cluster in clusters.items
        )
        Table(["NAME", "STATE", "SINCE", "WHY", "GPU USE"], rows).print()
        if not clusters.items:
            print_message("The server has no clusters yet; an admin adds one: `traindeck clusters add NAME`.")
    return 0


def _fields(cluster: MeasuredCluster) -> dict[str, Any]:
    known = {"name": cluster.name, "state": cluster.state, "since": cluster.since, "why": cluster.why}
    return {**known, "usage": to_builtins(cluster.usage)}


def _age(cluster: MeasuredCluster) -> str:
    return span((datetime.now(UTC) - cluster.since).total_seconds()) if cluster.since else ""


CLUSTERS = ContextsHandler(clusters, add_clusters_flags)
