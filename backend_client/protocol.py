"""`JobBackend`, the one interface between jobs and front ends, and the types that cross it.

A screen, the command line and our server talk to a `JobBackend` and never learn which one it is (Kubernetes,
a server, this machine): they ask for its `features`, `missing_features` and `fields` instead.
Batches cross this line, never single lines or single events. Cursors are opaque and can be stored.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from backend_client.models import Event, Job, JobRef, JobSpec, JobState
from backend_client.models.secret import Secret

if TYPE_CHECKING:  # a list of jobs needs neither
    from backend_client.gpu_nodes import GpuNodes
    from backend_client.why import Explanation


class Feature(StrEnum):
    """What a context may lack. An absent one is greyed out; `JobBackend.missing_features` says why."""

    RESUME = "resume"
    RANKS = "ranks"
    QUEUE = "queue"
    HISTORY = "history"
    METRICS = "metrics"
    """What jobs use can be told (`usage.HasUsage`); which figures, depends on what the context measures."""
    ALERTS = "alerts"
    """Alerts are sent by the context itself, also while no program is open (`alerts.HasAlerts`)."""
    ACCOUNTING = "accounting"
    """What jobs have used is recorded, and stays (`usage_report.HasAccounting`)."""
    PORTS = "ports"
    """Connections to ports in running jobs (`exec_session.HasPorts`)."""
    EXEC = "exec"
    """Commands and shells in running jobs (`exec_session.HasExec`)."""
    FILES = "files"
    """What a job has written to its outputs can be listed (`output_files.HasFiles`)."""
    CODE = "code"
    """A copy of one's own code goes with a job, and stays as it is (`code_bundle.HasCode`)."""
    NAMESPACES = "namespaces"
    STOPPED_LOGS = "stopped_logs"
    """The log of a stopped job can still be read."""
    UNFINISHED_LINES = "unfinished_lines"
    """A line without its newline (a bar, a prompt) is in the log as soon as it is written."""


class Use(StrEnum):
    """What a context makes of a field."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    REFUSED = "refused"


class FieldRule(Struct, frozen=True):
    """What a context makes of one JobSpec field."""

    use: Use
    why: str = ""
    """For a refused field: one sentence that a user can act on."""


class Identity(Struct, frozen=True):
    """Who acts, and where."""

    user: str
    place: str
    """Where jobs of this context run, as text: "this machine, gpu-7"."""


class Verb(StrEnum):
    """What a person can do to a job."""

    CREATE = "create"
    STOP = "stop"
    RESUME = "resume"
    DELETE = "delete"
    LOGS = "logs"
    EXEC = "exec"
    PORTS = "ports"


class AccessReview(Struct, frozen=True):
    """May I do this? About one job, or (create) about a namespace."""

    verb: Verb
    ref: JobRef | None = None
    namespace: str = ""


class AccessDecision(Struct, frozen=True):
    """allowed: True, False (then `why` says what is missing) or None: unknown, which stays enabled."""

    allowed: bool | None
    why: str = ""


class Scope(Struct, frozen=True):
    """What to watch: one namespace, or all that the caller may read ("")."""

    namespace: str = ""


class JobQuery(Struct, frozen=True, kw_only=True):
    """Which jobs. Everything given must hold."""

    namespace: str = ""
    name: str = ""
    states: frozenset[JobState] = frozenset()
    labels: Mapping[str, str] = {}
    sweep: str = ""
    limit: int = 500


class Page(Struct, frozen=True):
    """A part of a list."""

    items: tuple[Job, ...]
    next: str = ""
    """Cursor of the next page; empty at the end."""


class Snapshot(Struct, frozen=True):
    """A part of the list as it is now. What no Snapshot before a Synced names is gone."""

    jobs: tuple[Job, ...]


class Synced(Struct, frozen=True):
    """The Snapshots before this are the whole list."""


class Changed(Struct, frozen=True):
    """Jobs as they are now, new ones too."""

    jobs: tuple[Job, ...]


class Gone(Struct, frozen=True):
    """Jobs that are no more."""

    refs: tuple[JobRef, ...]


class FreshnessState(StrEnum):
    """Whether what was said still holds."""

    LIVE = "live"
    SYNCING = "syncing"
    """It is being read for the first time; `why`: what that waits for, where it takes long."""
    STALE = "stale"
    FORBIDDEN = "forbidden"


class Freshness(Struct, frozen=True):
    """How fresh what was said is. A consumer starts in no state at all, and is told."""

    state: FreshnessState
    since: datetime
    why: str = ""


WatchEvent = Snapshot | Synced | Changed | Gone | Freshness


class LogQuery(Struct, frozen=True, kw_only=True):
    """Which lines. Without `attempt` the newest one and, while following, those that come after it."""

    ref: JobRef
    follow: bool = False
    tail: int | None = None
    """Begin with the last so many lines; None begins with the first."""
    since: datetime | None = None
    attempt: int | None = None
    rank: int | None = None


class LogSource(Struct, frozen=True):
    """Where lines come from: one attempt of one rank."""

    attempt: int
    rank: int = 0
    where: str = ""
    """Pod or host."""


class Opened(Struct, frozen=True):
    """A source starts: lines of it follow."""

    source: LogSource


class Lines(Struct, frozen=True, kw_only=True):
    """Lines of one source, oldest first, as the job wrote them (bytes, without the newline).

    `times[i]` is when line i was written, nanoseconds since the epoch. `continues`: the first entry goes on
    with the unfinished line that the batch before left open. `open`: the last entry has no newline yet.
    So the bytes written are b"\\n".join(lines), plus b"\\n" unless open.
    """

    source: LogSource
    lines: list[bytes]
    times: list[int]
    continues: bool = False
    open: bool = False
    cursor: str = ""
    """Pass as `after` to continue behind this batch."""


class Gap(Struct, frozen=True):
    """Lines are missing here, and why."""

    source: LogSource
    why: str


class Closed(Struct, frozen=True):
    """The end of the stream. `lost`: the connection broke; open it again behind the last cursor."""

    why: str
    lost: bool = False


LogItem = Opened | Lines | Gap | Closed


class Diagnostic(Struct, frozen=True):
    """One sentence about one field (or "" for the whole)."""

    field: str
    message: str


class Plan(Struct, frozen=True, kw_only=True):
    """What `create` would do."""

    name: str
    """The name it would get."""
    yaml: str
    """The objects that it would create, as YAML."""
    place: str
    """Where it would run, as text."""
    warnings: tuple[Diagnostic, ...] = ()
    errors: tuple[Diagnostic, ...] = ()
    urls: tuple[str, ...] = ()
    question: str = ""
    """A question to put to a person before the create; empty where there is none."""
    advice: str = ""
    """What a person should know about this place, shown with their first create in it."""


class GpuPool(Struct, frozen=True):
    """GPUs of one product."""

    product: str
    total: int
    free: int
    largest: int
    """The largest number free on one machine."""
    usable: bool = True
    """False where jobs of this context ask for another resource, and so never get these."""


class GpuQuota(Struct, frozen=True):
    """What a namespace may have of GPUs, whether they are free or not."""

    used: int
    hard: int


class Capacity(Struct, frozen=True):
    """GPUs, free and in all."""

    pools: tuple[GpuPool, ...] = ()
    unknown_because: str = field(default="", name="hidden")
    """Why the figures are unknown; empty where they are known."""
    quota: GpuQuota | None = None
    """The namespace's quota, where the figures are unknown and it has one."""

    @property
    def total(self) -> int:
        return sum(pool.total for pool in self.pools if pool.usable)

    @property
    def free(self) -> int:
        return sum(pool.free for pool in self.pools if pool.usable)


class Choice(Struct, frozen=True):
    """What can stand in a field, as it is written there; or one word of it, where several can."""

    value: str
    about: str = ""


class DeleteStep(Struct, frozen=True):
    """What a deletion is doing, or what still holds it."""

    message: str
    slow: bool = False
    """It takes long: a person may want to leave the rest to the context (`wait=False`)."""


class JobBackend(Protocol):
    """One caller's view of one context; the caller was settled when it was opened.

    Every method may raise a `BackendError` and nothing else; all but `watch`, `logs` and `delete` answer or
    raise within the context's time limit.
    """

    @property
    def context(self) -> str:
        """The context's name, as in `JobRef.context`."""
        ...

    @property
    def namespace(self) -> str:
        """The default namespace; "" stands for all that the context has."""
        ...

    @property
    def features(self) -> frozenset[Feature]:
        """The features that this context has."""
        ...

    @property
    def missing_features(self) -> Mapping[Feature, str]:
        """Absent feature -> why, in one sentence."""
        ...

    @property
    def fields(self) -> Mapping[str, FieldRule]:
        """JobSpec field -> rule, for every field."""
        ...

    async def whoami(self) -> Identity:
        """Return the user that this context knows the caller as."""
        ...

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        """Decide what the caller may do: one decision for each review, in their order."""
        ...

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        """List a page of jobs, newest first. `after` is the `next` of the page before."""
        ...

    async def get(self, ref: JobRef) -> Job:
        """Return a job by its uid. Raises NotFound where none has it; the same name does not count."""
        ...

    def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        """Watch jobs: the list as Snapshots and Synced, then every change.

        It reconnects by itself and never ends; a Freshness says whether the list is still up to date.
        """
        ...

    async def refresh(self) -> None:
        """Ask the context anew at once: no watch waits for its next try, and GPUs are counted again.

        Returns at once and never fails; what has changed comes by the watches.
        """
        ...

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        """Set the jobs that a person looks at, the most important first, so that their progress is read.

        A hint while somebody watches: progress comes as any change does. Replaces the jobs set before,
        contacts nobody, never fails.
        """
        ...

    async def plan(self, spec: JobSpec) -> Plan:
        """Work out what `create` would do, and what speaks against it; creates nothing."""
        ...

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        """Create a job. The same key gives the same job: safe to repeat after any failure.

        An empty name is derived from the command. Raises Conflict for a name that is taken.
        """
        ...

    async def stop(self, ref: JobRef) -> Job:
        """Request the end of a job; its state may be Stopping then. A job that has ended is left alone."""
        ...

    async def extend(self, ref: JobRef, max_runtime: int) -> Job:
        """Raise the time limit of a job to so many seconds, from its start. May be repeated.

        Raises Refused for a job that has ended or has no limit, and for a limit below its own.
        """
        ...

    async def resume(self, ref: JobRef) -> Job:
        """Start a stopped job again, where the context has `Feature.RESUME`."""
        ...

    def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:
        """Stop a job if it runs, then remove all of it. Raises NotFound where no job has its uid.

        Ends when the job is gone; without `wait`, when the context needs no caller for the rest. May be
        repeated.
        """
        ...

    def logs(self, query: LogQuery, *, after: str = "") -> AsyncIterator[Sequence[LogItem]]:
        """Read, and with `query.follow` follow, the log of a job. The last item is always a Closed.

        With `tail` a source that has no lines yet gives an empty Lines: what was there has been read.
        """
        ...

    async def events(self, ref: JobRef) -> Sequence[Event]:
        """List what happened to a job beside what the Job itself shows, oldest first."""
        ...

    async def explain(self, ref: JobRef) -> "Explanation":
        """Explain why a job does not run, or ended badly; an empty Explanation where all is well."""
        ...

    async def nodes(self, scope: Scope) -> "GpuNodes":
        """List the machines with GPUs: what is free on each, and who holds the rest."""
        ...

    async def capacity(self, scope: Scope) -> Capacity:
        """Count the GPUs, free and in all."""
        ...

    async def choices(self, field: str, *, namespace: str = "", cluster: str = "") -> Sequence[Choice]:
        """List the values that the context has for a field of JobSpec; none where it knows none.

        Raises Forbidden where the caller may not see them: then the value is typed by hand.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
