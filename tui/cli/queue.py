"""`queue`: the queues and what waits in them; hold, release, priority and move of a waiting job."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from msgspec import to_builtins

from backend_client.errors import Invalid, Refused
from backend_client.models import Job
from backend_client.protocol import Feature, JobBackend, Scope
from backend_client.queues import FlavorQuota, HasQueues, QueueBoard
from backend_client.text.queues import (
    TITLES,
    counts_devices,
    has_several_clusters,
    held_words,
    notes,
    queue_name,
    queue_words,
    quota_words,
    waiting_cells,
)
from tui.cli.arguments import Parser, one_of
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import Table, job_fields, print_as, print_data, print_message

_WITH_VALUE = {"priority": "CLASS", "move": "QUEUE"}


def add_queue_flags(parser: Parser) -> None:
    """Add the flags of `queue`."""
    actions = ("list", "hold", "release", "priority", "move")
    parser.add_argument("what", nargs="?", default="list", type=one_of(*actions), help=", ".join(actions))
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="the job that waits")
    parser.add_argument(
        "value", nargs="?", default="", metavar="CLASS|QUEUE", help="priority: its name; move: the queue"
    )


async def queue(args: argparse.Namespace, backend: JobBackend) -> int:
    """List the queues and what waits; or change how one waiting job is queued."""
    if Feature.QUEUE not in backend.features:
        raise Refused("There are no queues here.", backend.missing_features.get(Feature.QUEUE, ""))
    queues = cast("HasQueues", backend)
    if args.what == "list":
        return _print_board(args, await queues.queues(Scope(args.scope)))
    _check(args)
    job = await find_job(backend, args.name, args.scope)
    changed = await _change(args, queues, job)
    print_message(_DONE[args.what].format(name=job.name, value=args.value))
    if args.output == "name":
        print_data(changed.name)
    else:
        print_as(args.output, lambda: job_fields(changed))
    return 0


_DONE = {
    "hold": "{name} is held back; `traindeck queue release {name}` puts it into its queue again.",
    "release": "{name} is in its queue again.",
    "priority": "{name} has the priority {value}.",
    "move": "{name} is in the queue {value}.",
}


def _check(args: argparse.Namespace) -> None:
    """Check the words of a change. Raises Invalid, and Refused where traindeck is read-only."""
    if args.read_only or args.settings.read_only:
        raise Refused(
            "traindeck is read-only here, so it will not change a job.", "`traindeck config` says why."
        )
    if not args.name:
        raise Invalid({"NAME": "is missing"})
    wanted = _WITH_VALUE.get(args.what, "")
    if bool(args.value) != bool(wanted):
        raise Invalid({wanted or "NAME": "is missing" if wanted else "name one job"})


async def _change(args: argparse.Namespace, queues: HasQueues, job: Job) -> Job:
    match args.what:
        case "hold":
            return await queues.hold(job.ref)
        case "release":
            return await queues.release(job.ref)
        case "priority":
            return await queues.set_priority(job.ref, args.value)
        case _:
            return await queues.move(job.ref, args.value)


def _print_board(args: argparse.Namespace, board: QueueBoard) -> int:
    if args.output == "name":
        for job in board.waiting:
            print_data(*([job.name] if job.name else []))
    elif not print_as(args.output, lambda: to_builtins(board)):
        _print_queues(board, wide=args.output == "wide")
        _print_waiting(board)
        for note in notes(board):
            print_message(note)
    return 0


def _print_queues(board: QueueBoard, *, wide: bool) -> None:
    """Print a row for each flavor of each ClusterQueue; of LocalQueues only where those are hidden."""
    several = has_several_clusters(board)
    rows: list[Sequence[str]] = []
    for cluster_queue in board.cluster_queues:
        about, name = queue_words(cluster_queue), queue_name(cluster_queue, several_clusters=several)
        for quota in cluster_queue.quotas:
            if _is_shown(quota, wide=wide):
                flavor = f"{quota.flavor} {quota.resource}" if wide else quota.flavor
                rows.append([name, flavor, quota_words(board, cluster_queue, quota), about])
                about = ""
        if about:
            rows.append([name, "", "", about])
    if not board.cluster_queues or wide:
        rows += [
            [queue_name(local, several_clusters=several), "", held_words(local), queue_words(local)]
            for local in board.local_queues
        ]
    if rows:
        Table(["QUEUE", "FLAVOR", "USED", "ABOUT"], rows).print()
        print_data("")


def _is_shown(quota: FlavorQuota, *, wide: bool) -> bool:
    return wide or (counts_devices(quota.resource) and bool(quota.nominal or quota.used))


def _print_waiting(board: QueueBoard) -> None:
    now = datetime.now(UTC)
    if board.waiting:
        Table(TITLES, [waiting_cells(job, now) for job in board.waiting]).print()
    else:
        print_message("Nothing waits." if not board.unknown else "Nothing that you may see waits.")


QUEUE = BackendHandler(queue, add_queue_flags)
