"""`gpus`: the machines with GPUs, what is free on each, and who holds the rest."""

import argparse
from datetime import UTC, datetime

from msgspec import to_builtins
from msgspec.structs import replace

from backend_client.errors import sentence
from backend_client.gpu_nodes import GpuNode, GpuNodes
from backend_client.protocol import Capacity, JobBackend, JobQuery, Scope
from backend_client.text.gpus import (
    LEGEND,
    Order,
    arranged,
    bar,
    bar_text,
    holder_words,
    shares,
    state_words,
    unknown_words,
)
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import list_all_jobs
from tui.cli.output import Table, print_as, print_data, print_message
from tui.gpus.gpus_text import sums

_PRODUCTS = 20


def add_gpus_flags(parser: Parser) -> None:
    """Add no flags: `gpus` has none of its own."""


async def gpus(args: argparse.Namespace, backend: JobBackend) -> int:
    """List the machines with GPUs, those with the most free ones first."""
    found = await backend.nodes(Scope(args.scope))
    nodes = arranged(found.nodes, Order.FREE)
    if args.output == "name":
        for name in dict.fromkeys(node.name for node in nodes):
            print_data(name)
    elif not print_as(args.output, lambda: to_builtins(replace(found, nodes=tuple(nodes)))):
        if found.unknown_because:
            await _print_unknown(found, args.scope, backend)
        else:
            _print_table(nodes, wide=args.output == "wide")
            if found.unsure_because:
                print_message(sentence(found.unsure_because))
    return 0


def _print_table(nodes: list[GpuNode], *, wide: bool) -> None:
    now = datetime.now(UTC)
    titles = ["NODE", "PRODUCT", *(["RESOURCE"] if wide else []), "FREE", "TOTAL", "GPUS", "STATE", "HELD BY"]
    Table(titles, [_cells(node, now, wide=wide) for node in nodes]).print()
    for line in sums(nodes, _PRODUCTS):
        print_message(line)
    print_message(LEGEND if nodes else "No machine here has GPUs.")


def _cells(node: GpuNode, now: datetime, *, wide: bool) -> list[str]:
    name = f"{node.cluster}/{node.name}" if node.cluster else node.name
    figures = [str(node.free), str(node.total), bar_text(bar(shares(node)))]
    resource = [node.resource] if wide else []
    return [name, node.product, *resource, *figures, state_words(node), holder_words(node, now)]


async def _print_unknown(found: GpuNodes, scope: str, backend: JobBackend) -> None:
    """Print what can be said all the same."""
    capacity: Capacity = await backend.capacity(Scope(scope))
    for line in unknown_words(found, capacity, await list_all_jobs(backend, JobQuery(namespace=scope))):
        print_message(line)


GPUS = BackendHandler(gpus, add_gpus_flags)
