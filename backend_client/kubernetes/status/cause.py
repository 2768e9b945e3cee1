"""What the makers of reasons share: a `Cause` in its parts, and the pod that holds a job up (pure).

A parser of prose leaves the object of its cause open where the message names none; whoever has the object at
hand fills it in (`about`).
"""

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from backend_client.kubernetes.resources.core import Pod
from backend_client.why import Cause


class Blocker(NamedTuple):
    """What keeps a job from running, or how it ended; `pod`: whose cause that is, where it is one pod's."""

    cause: Cause
    pod: Pod | None = None


def cause(
    id_: str, sentence: str, object_: str = "", *, raw: str = "", since: datetime | None = None
) -> Cause:
    """Return a cause; `object_` "" where only the caller knows it."""
    return Cause(id=id_, sentence=sentence, object=object_, raw=raw, since=since)


def about(found: Cause, object_: str, since: datetime | None = None) -> Cause:
    """Fill in the object and the time of a cause, where it has none."""
    return replace(found, object=found.object or object_, since=found.since or since)


def reworded(found: Cause, sentence: str, id_: str = "") -> Cause:
    """Return a cause with another sentence, and another id where one is given."""
    return replace(found, sentence=sentence, id=id_ or found.id)


def pod_object(pod: Pod) -> str:
    """Return a pod as kubectl names it: "pod/bert-0-x7x"."""
    return f"pod/{pod.name}"


def node_object(pod: Pod) -> str:
    """Return the node of a pod as kubectl names it; the pod itself where it has none."""
    return f"node/{pod.spec.node_name}" if pod.spec.node_name else pod_object(pod)


def placed_at(pod: Pod) -> datetime | None:
    """Return when a pod was placed on its node; None where it has none."""
    scheduled = pod.condition("PodScheduled")
    return scheduled.last_transition_time if scheduled and scheduled.true else None
