"""In what order and in what groups jobs are listed, and which of them match a filter. Pure."""

from collections.abc import Callable
from enum import StrEnum

from backend_client.models import Job
from backend_client.models.names import natural_key

GroupKey = tuple[int, str]
"""Rank of a group among the groups, and its heading."""
OrderKey = tuple[float, float, tuple[str | int, ...], str]


class Order(StrEnum):
    """The orders of the list, which `o` goes through."""

    ATTENTION = "what needs you first"
    NEWEST = "newest first"
    NAME = "by name"

    @property
    def following(self) -> "Order":
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


class Group(StrEnum):
    """The groupings of the list, which `O` goes through."""

    NONE = "none"
    STATE = "state"
    OWNER = "owner"
    SWEEP = "sweep"

    @property
    def following(self) -> "Group":
        groups = list(Group)
        return groups[(groups.index(self) + 1) % len(groups)]


def _age(job: Job) -> float:
    return -job.created.timestamp()


_ORDERS: dict[Order, Callable[[Job], OrderKey]] = {
    Order.ATTENTION: lambda job: (job.state.style.rank, _age(job), natural_key(job.name), job.ref.uid),
    Order.NEWEST: lambda job: (0, _age(job), natural_key(job.name), job.ref.uid),
    Order.NAME: lambda job: (0, 0, natural_key(job.name), job.ref.uid),
}
_GROUPS: dict[Group, Callable[[Job], GroupKey]] = {
    Group.NONE: lambda _: (0, ""),
    Group.STATE: lambda job: (job.state.style.rank, job.state.value),
    Group.OWNER: lambda job: (0, job.owner) if job.owner else (1, "owner unknown"),
    Group.SWEEP: lambda job: (0, job.spec.sweep.name) if job.spec.sweep.name else (1, "in no sweep"),
}


def order_key(order: Order, job: Job) -> OrderKey:
    """Return what a job is sorted by, within its group."""
    return _ORDERS[order](job)


def group_key(group: Group, job: Job) -> GroupKey:
    """Return what the group of a job is sorted by; its second part is the heading."""
    return _GROUPS[group](job)


def haystack(job: Job) -> str:
    """Return what a filter looks for its words in, in small letters: name, state, owner and other text."""
    labels = " ".join(f"{key}={value}" for key, value in job.spec.labels.items())
    values = " ".join(f"{key}={value}" for key, value in job.spec.sweep.values.items())
    node = job.attempts[-1].node if job.attempts else ""
    about = (job.name, job.state, job.owner, job.ref.namespace, job.ref.kind, node, labels, job.reason)
    texts = (*about, job.spec.sweep.name, values)
    return "\n".join(texts).lower()


def matches(job: Job, words: tuple[str, ...]) -> bool:
    """Return True if each word (in small letters) is in the name, state, owner or other text of a job."""
    text = haystack(job)
    return all(word in text for word in words)
