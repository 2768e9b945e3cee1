"""Job, its attempts, progress and events, as a backend sees them. Times are aware UTC; durations seconds."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from backend_client.models.code import Code
from backend_client.models.outputs import Outputs
from backend_client.models.spec import JobSpec
from backend_client.models.state import JobState


class JobRef(Struct, frozen=True, order=True):
    """Which job. A uid is unique in its context only."""

    context: str
    namespace: str
    kind: str
    name: str
    uid: str

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.uid

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Eviction(Struct, frozen=True, kw_only=True):
    """The end of an attempt from outside."""

    how: Literal["preempted", "evicted", "lost", "other"]
    """For a job before it; by its node or its queue; with its node. The others (a node refused it, its queue
    gave it up) count in sums as its command ended."""
    why: str
    """In words: "was moved off its node gpu-7 (drain)"."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One start of one rank: a pod, or a process on this machine."""

    number: int
    """1 for the first."""
    rank: int = 0
    node: str = ""
    pod: str = ""
    pid: int = 0
    exit_code: int | None = None
    signal: int | None = None
    """The signal that ended it; then `exit_code` is 128 + signal."""
    started: datetime | None = None
    finished: datetime | None = None
    reason: str = ""
    log_gone: bool = False
    """Its log cannot be read any more: it went with its pod, or its node keeps those of later starts only."""
    uid: str = ""
    """Of its pod."""
    allocated: datetime | None = None
    """Since when its GPUs are its own: a pod holds them from its binding on, before it starts."""
    released: datetime | None = None
    """Since when they are not: the pod has ended, or is gone."""
    gpu_type: str = ""
    """The product of its GPUs, as its node calls it."""
    evicted: Eviction | None = None
    """What ended it, where that was neither its command nor a person: such an end is no failure of it."""


class Pause(Struct, frozen=True):
    """A time for which a person stopped a job."""

    stopped: datetime | None = None
    """None where only the resume is known."""
    resumed: datetime | None = None
    """None while it is stopped."""


class StartRange(Struct, frozen=True):
    """Between which times a waiting job is likely to start."""

    earliest: datetime
    latest: datetime
    right: int = 0
    """How many of the last ranges that were told of its queue have come true; `of`: of how many."""
    of: int = 0
    far: bool = False
    """It is more than a week away: both ends are that, and no more is known."""


class QueuePlace(Struct, frozen=True, kw_only=True):
    """Where a job stands in the queue that holds it. What is not known is None, or empty."""

    queue: str
    """Its LocalQueue."""
    cluster_queue: str = ""
    position: int | None = None
    """From 1, among all that wait in the ClusterQueue, those too that can never start."""
    waiting: int | None = None
    """How many wait there."""
    priority: int | None = None
    priority_class: str = ""
    flavors: tuple[str, ...] = ()
    """The ResourceFlavors of its GPUs, once it is admitted."""
    held: bool = False
    """A person holds it back."""
    requeue_at: datetime | None = None
    """Before this time it is not tried again."""
    requeues: int = 0
    starts: StartRange | None = None
    """A server's estimate; None where there is none that is right often enough."""


Loss = float | Literal["nan", "inf", "-inf"]
"""A loss. JSON has no nan and no infinity: in a job, in a file and on the wire they are these words."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a job is, read out of its log. Every figure that the log does not give is None."""

    step: int | None = None
    total: int | None = None
    rate: float | None = None
    """Steps a second."""
    seconds_left: float | None = None
    loss: Loss | None = None
    updated: datetime | None = None
    phase: str = ""
    """What its log says that it does instead of training: "evaluating", "saving", "loading"; else empty."""

    @property
    def fraction(self) -> float | None:
        """0 to 1, where step and total are both known."""
        if self.step is None or not self.total:
            return None
        return min(1.0, max(0.0, self.step / self.total))


class JobUsage(Struct, frozen=True, kw_only=True):
    """What a running job uses, in sum over its ranks. What nobody told is None, which is not 0.

    Changes below two points of a share are not told anew, so that a list does not repaint for nothing.
    """

    gpu: float | None = None
    """Mean utilisation of its GPUs, 0 to 1."""
    gpu_min: float | None = None
    """Of the GPU that does least: a mean hides one idle rank of eight."""
    gpu_memory: float | None = None
    """The share of its GPUs' memory that is used, 0 to 1."""
    gpu_memory_max: float | None = None
    """Of the GPU that is fullest."""
    gpu_memory_total: int | None = None
    """Bytes, of that GPU: all that it has."""
    gpus_idle: int | None = None
    """How many of its GPUs are not used (`usage.UNUSED`)."""
    power: float | None = None
    """Watts, of all its GPUs."""
    cpu: float | None = None
    """Cores."""
    memory: int | None = None
    """Bytes."""
    xid: int | None = None
    """A GPU's last error (NVIDIA XID) that is not 0; 0 where none has any; None: unknown."""
    idle: tuple[str, ...] = ()
    """What of it is not used while the rest is: ranks ("5"), or GPUs of a rank ("0/3") where these are told;
    `usage.MOST_IDLE` at most. Empty where all is used, nothing is, or nobody tells."""
    source: str = ""
    as_of: datetime | None = None
    """When these figures were first seen to be so."""


class Job(Struct, frozen=True, kw_only=True):
    """One job as it stands now."""

    ref: JobRef
    state: JobState
    spec: JobSpec
    reason: str = ""
    """One plain sentence, where the state alone does not say enough."""
    owner: str = ""
    created: datetime
    queued: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    next_try: datetime | None = None
    """When a job that crashed is started again; None where it is not."""
    attempts: tuple[Attempt, ...] = ()
    """Oldest first; a backend may keep only the last ones (`restarts` counts all)."""
    restarts: int = 0
    pauses: tuple[Pause, ...] = ()
    """When it was stopped and resumed, oldest first, as far as that is known."""
    queue: QueuePlace | None = None
    """Where it stands in its queue; None where no queue holds it."""
    code: Code | None = None
    """What is recorded of its code; None where it has none of its own."""
    outputs: Outputs | None = None
    """Where its outputs lie; None where it has none."""
    progress: Progress | None = None
    usage: JobUsage | None = None
    """What it uses now; None where nobody tells."""
    urls: tuple[str, ...] = ()
    internal_addresses: tuple[str, ...] = ()
    """HOST:PORT as programs in the same cluster reach it, one for each of its ports."""
    read_only: str = ""
    """Why this caller can look but not act (another host's, another tool's); empty where it can act."""
    allows: tuple[str, ...] = ()
    """What can be done to it although it is read-only: "stop", "resume", "delete"."""
    made_by: str = ""
    """The kind of another tool's object that it is, as that tool writes it: JobSet. Its `spec` then tells of
    one sort of its ranks, and does not make it again."""

    @property
    def name(self) -> str:
        return self.ref.name

    def refuses(self, verb: str) -> bool:
        """Return whether this caller cannot do that to it, as `read_only` says."""
        return bool(self.read_only) and verb not in self.allows

    @property
    def ended(self) -> bool:
        """True where nothing runs and nothing will by itself."""
        return self.state.ended and self.next_try is None

    @property
    def exit_code(self) -> int | None:
        """Of the last attempt: the command's own, or 128 + signal."""
        return self.attempts[-1].exit_code if self.attempts else None


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened to a job."""

    time: datetime
    reason: str
    """One word, as the cluster calls it."""
    message: str
    warning: bool = False
    count: int = 1
