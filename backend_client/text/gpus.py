"""Machines and their GPUs as text: bars, what is wrong, who holds what and until when. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from backend_client.gpu_sums import pools_of
from backend_client.models import Job, JobState
from backend_client.models.names import natural_key
from backend_client.protocol import Capacity
from backend_client.text.sanitize import clean

BAR = 16
"""Cells of a bar; a machine with more GPUs has them in proportion."""


class Share(StrEnum):
    """What a GPU is to the one who looks. The values are the style's names."""

    MINE = "mine"
    TEAM = "team"
    OTHER = "other"
    FREE = "free"
    CLOSED = "closed"
    """Held by nobody, on a machine that takes no new pods."""
    BROKEN = "broken"


SHARE_OF = {Whose.MINE: Share.MINE, Whose.TEAM: Share.TEAM, Whose.OTHER: Share.OTHER}
SIGNS = {
    Share.MINE: "M",
    Share.TEAM: "T",
    Share.OTHER: "#",
    Share.FREE: ".",
    Share.CLOSED: "-",
    Share.BROKEN: "!",
}
"""A sign for each, so that no colour is needed."""
LABELS = {
    Share.MINE: "mine",
    Share.TEAM: "my team's",
    Share.OTHER: "others'",
    Share.FREE: "free",
    Share.CLOSED: "closed",
    Share.BROKEN: "broken",
}
LEGEND = "  ".join(f"{SIGNS[share]} {label}" for share, label in LABELS.items())
TITLES = ("NODE", "PRODUCT", "FREE", "GPUS", "STATE", "HELD BY")


class Order(StrEnum):
    """The orders of the list."""

    FREE = "most free first"
    NAME = "by name"

    @property
    def following(self) -> "Order":
        return Order.NAME if self is Order.FREE else Order.FREE


def key_of(node: GpuNode) -> tuple[str, str, str]:
    """Return what tells a line from all others."""
    return node.cluster, node.name, node.resource + node.product


def arranged(nodes: Iterable[GpuNode], order: Order, words: Sequence[str] = ()) -> list[GpuNode]:
    """Return the machines that have all words (in small letters), in order."""
    shown = (node for node in nodes if not words or _matches(node, words))
    return sorted(shown, key=_by_free if order is Order.FREE else _by_name)


def _by_name(node: GpuNode) -> tuple[object, ...]:
    return node.cluster, natural_key(node.name), not node.usable, node.resource, node.product


def _by_free(node: GpuNode) -> tuple[object, ...]:
    return not node.usable, -node.free, *_by_name(node)


def _matches(node: GpuNode, words: Sequence[str]) -> bool:
    people = (f"{holder.name} {holder.namespace} {holder.owner}" for holder in node.holders)
    texts = (node.name, node.cluster, node.product, node.resource, state_words(node), *people)
    text = "\n".join(texts).lower()
    return all(word in text for word in words)


def shares(node: GpuNode) -> dict[Share, int]:
    """Count the GPUs of a machine by what they are; all together are those it has."""
    counts = dict.fromkeys(Share, 0)
    room = node.total
    for holder in node.holders:
        held = min(room, holder.gpus)
        counts[SHARE_OF[holder.whose]] += held
        room -= held
    counts[Share.FREE] = min(room, node.free)
    counts[Share.CLOSED] = room - counts[Share.FREE]
    counts[Share.BROKEN] = node.broken
    return counts


def bar(counts: Mapping[Share, int], width: int = BAR) -> tuple[tuple[Share, int], ...]:
    """Return the runs of a bar, one cell for each GPU; of more GPUs than cells each share its part."""
    cells = {share: count for share, count in counts.items() if count}
    whole = sum(cells.values())
    if whole > width:
        exact = {share: count * width / whole for share, count in cells.items()}
        cells = {share: max(1, int(size)) for share, size in exact.items()}
        while (over := sum(cells.values()) - width) != 0:
            gap = {share: cells[share] - exact[share] for share in cells if over < 0 or cells[share] > 1}
            share = max(gap, key=gap.__getitem__) if over > 0 else min(gap, key=gap.__getitem__)
            cells[share] -= 1 if over > 0 else -1
    return tuple(cells.items())


def bar_text(runs: Iterable[tuple[Share, int]]) -> str:
    """Return a bar as signs."""
    return "".join(SIGNS[share] * count for share, count in runs)


def counts_words(counts: Mapping[Share, int], shares: Iterable[Share] = Share) -> str:
    """Return what GPUs are, in words: "2 mine, 1 my team's, 2 others'"."""
    return ", ".join(f"{counts[share]} {LABELS[share]}" for share in shares if counts[share])


def product_text(node: GpuNode) -> str:
    """Return the product as people say it, without its maker; that it is a slice or shared stands first."""
    whole, slices, profile = node.product.removeprefix("NVIDIA-").partition("-MIG-")
    if slices:
        return clean(f"MIG-{profile} {whole}", 60)
    if whole.endswith("-SHARED"):
        return clean(f"SHARED {whole.removesuffix('-SHARED')}", 60)
    return clean(whole or node.resource, 60)


def state_words(node: GpuNode) -> str:
    """Return what is wrong with a machine, or in the way of new jobs; "" where nothing is."""
    parts = [
        clean(node.trouble, 80),
        "cordoned" if node.cordoned else "",
        f"{node.broken} broken" if node.broken else "",
        *(clean(taint, 80) for taint in node.taints),
        "" if node.usable else f"jobs here do not ask for {clean(node.resource, 40)}",
    ]
    return ", ".join(filter(None, parts))


def holder_name(holder: Holder) -> str:
    """Return the job that holds GPUs, or whose it is, where it may not be told."""
    if holder.name:
        name = clean(holder.name, 60)
        theirs = holder.whose is Whose.OTHER and holder.namespace
        return f"{clean(holder.namespace, 40)}/{name}" if theirs else name
    unnamed = {Whose.MINE: "a job of yours", Whose.TEAM: "your team", Whose.OTHER: "others"}
    return clean(holder.owner, 40) or unnamed[holder.whose]


def until_words(until: datetime | None, now: datetime) -> str:
    """Return when a job ends at the latest, in local time: "until 14:03", "until 02 Dec 14:03"."""
    if until is None:
        return ""
    local = until.astimezone()
    today = local.date() == now.astimezone().date()
    return f"until {local:%H:%M}" if today else f"until {local:%d %b %H:%M}"


def holder_words(node: GpuNode, now: datetime) -> str:
    """Return who holds GPUs of a machine: "bert 4 until 14:03, others 2"."""
    parts = (
        " ".join(filter(None, (holder_name(holder), str(holder.gpus), until_words(holder.until, now))))
        for holder in node.holders
    )
    return ", ".join(parts)


class ProductSum(NamedTuple):
    """All GPUs of one product."""

    product: str
    free: int
    total: int
    block: str
    """The largest number free on one machine: "largest block 6"; "" where none is free."""
    where: str
    """The machine of that block."""
    rest: str
    """Whose the others are, and what is broken: "2 mine, 1 my team's, 2 others'"."""


def product_sums(nodes: Sequence[GpuNode]) -> list[ProductSum]:
    """Return the sums of each product: free, in all, the largest block, whose the rest is."""
    groups: dict[tuple[bool, str, str], list[GpuNode]] = {}
    for node in nodes:
        groups.setdefault((not node.usable, node.product, node.resource), []).append(node)
    return [_sum(group) for _, group in sorted(groups.items())]


def _sum(group: Sequence[GpuNode]) -> ProductSum:
    counts = dict.fromkeys(Share, 0)
    for node in group:
        for share, count in shares(node).items():
            counts[share] += count
    free, total = sum(node.free for node in group), sum(node.total for node in group)
    largest = max(group, key=lambda node: node.free)
    block = f"largest block {largest.free}" if free else ""
    rest = counts_words(counts, (Share.MINE, Share.TEAM, Share.OTHER, Share.BROKEN))
    return ProductSum(
        product_text(group[0]), free, total, block, clean(largest.name, 30) if free else "", rest
    )


def nothing_words(found: GpuNodes) -> str:
    """Say why a list of known machines has none."""
    return "No machine has these words." if found.nodes else "No machine here has GPUs."


def unknown_words(found: GpuNodes, capacity: Capacity, jobs: Iterable[Job]) -> list[str]:
    """Return what is known all the same where the machines are not: the reason, the quota, the own jobs."""
    lines = [f"The machines are not known: {clean(found.unknown_because, 200)}."]
    if quota := capacity.quota:
        lines.append(f"Of the namespace's quota {quota.used} of {quota.hard} GPUs are used.")
    if held := sum(gpus_of(job) for job in jobs if job.state is JobState.RUNNING):
        lines.append(f"The jobs that you see run with {held} GPU{'s' if held > 1 else ''}.")
    return lines


def gpus_of(job: Job) -> int:
    """Return the GPUs of all ranks or replicas of a job."""
    return job.spec.gpus * max(job.spec.nodes, job.spec.replicas)


def free_words(found: GpuNodes) -> str:
    """Return the free GPUs, by product where there are several."""
    if found.unknown_because:
        return f"free: not known ({found.unknown_because})"
    capacity = Capacity(pools_of(found.nodes))
    if not capacity.total:
        return "there are none here"
    words = f"{capacity.free} of {capacity.total} free"
    pools = [pool for pool in capacity.pools if pool.usable]
    if len(pools) > 1:
        parts = (
            f"{pool.product.removeprefix('NVIDIA-') or 'other'} {pool.free}/{pool.total}" for pool in pools
        )
        words += f" ({', '.join(parts)})"
    return words
