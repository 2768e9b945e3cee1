"""Why a job does not run, or ended badly: a chain of causes, what would help, and a card of its failure.

`JobBackend.explain` answers with an `Explanation`; docs/WHY.md lists the causes.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

MayName = Callable[[str], bool]
"""Whether the job with this uid may be named to whoever asks."""


def anyone(_uid: str) -> bool:
    """Return True: who asks may read for themselves."""
    return True


class CauseKind(NamedTuple):
    """One row of docs/WHY.md: a cause that has a sentence of its own."""

    id: str
    """What a `Cause` of this kind has as its id: "queue.quota"."""
    example: str
    """The sentence, of one real case."""
    way_out: str
    """What ends it: who has to do what, or what comes by itself."""


class Cause(Struct, frozen=True, kw_only=True):
    """One link of the chain from a job down to what blocks it."""

    id: str
    """Of the table in docs/WHY.md: "queue.quota"; "" for a message that no parser knows."""
    sentence: str
    """One plain sentence."""
    object: str
    """What it is about, as kubectl writes it: "pod/bert-0-x7x", "workload/job-bert-1a2b", "node/gpu-7"."""
    since: datetime | None = None
    raw: str = ""
    """What the object says itself, word for word; "" where that is a field and no text."""


class Offer(Struct, frozen=True, kw_only=True):
    """A change of the job that would certainly help, as far as is known now."""

    id: str
    sentence: str
    """What would be so with it: "4 GPUs fit on gpu-12 now"."""
    changes: dict[str, str]
    """Field of JobSpec -> its new text, as a form and a flag take it."""


class Failure(Struct, frozen=True, kw_only=True):
    """How a job ended badly: the exit in words, and what the rank that failed first said last."""

    exit: str
    kind: str = ""
    """"memory", "gpu-memory", "shm", "disk", "nccl", "module", "nan", "file"; "" where nothing tells."""
    rank: int | None = None
    """Of several ranks the one that failed first."""
    where: str = ""
    """Its pod, or its host."""
    said: str = ""
    """The line of its log that tells what failed."""
    facts: tuple[str, ...] = ()
    """What else is known, a sentence each: "limit 64Gi, used 63.8Gi"."""


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a job is as it is."""

    sentence: str = ""
    """As in the list (`Job.reason`); "" where nothing is to be explained."""
    chain: tuple[Cause, ...] = ()
    """From the job down; the last one blocks."""
    offers: tuple[Offer, ...] = ()
    """The best first."""
    failure: Failure | None = None
    unknown: tuple[str, ...] = ()
    """What could not be read, a sentence each: "you may not list nodes, so ..."."""
