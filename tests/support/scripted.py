"""A JobBackend in memory whose jobs, logs and faults a test writes as it goes."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from backend_client.alerts.alert import (
    Alert,
    AlertList,
    AlertWishes,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
)
from backend_client.contexts import ContextInfo
from backend_client.errors import BackendError, Conflict, NotFound, Refused
from backend_client.extension import check_extension
from backend_client.gpu_nodes import GpuNode, GpuNodes
from backend_client.models import Attempt, Event, Job, JobRef, JobSpec, JobState
from backend_client.models.fields import FIELD_NAMES, spec_fields
from backend_client.models.names import suggest_name
from backend_client.models.secret import Secret
from backend_client.output_files import FileList
from backend_client.protocol import (
    AccessDecision,
    AccessReview,
    Capacity,
    Changed,
    Choice,
    Closed,
    DeleteStep,
    Feature,
    FieldRule,
    Freshness,
    FreshnessState,
    Gone,
    GpuPool,
    Identity,
    JobBackend,
    JobQuery,
    Lines,
    LogItem,
    LogQuery,
    LogSource,
    Opened,
    Page,
    Plan,
    Scope,
    Snapshot,
    Synced,
    Use,
    Verb,
    WatchEvent,
)
from backend_client.queues import QueueBoard
from backend_client.usage import Usage, UsageHistory, UsageTable
from backend_client.why import Cause, Explanation

_LIVE = (JobState.RUNNING, JobState.STOPPING)


def make_job(name: str = "bert-ft", state: JobState = JobState.RUNNING, **more: Any) -> Job:
    """A job of the scripted context. In `more`: uid, gpus, command, labels, kind, and Job's own fields."""
    now = datetime.now(UTC)
    uid = more.pop("uid", f"uid-{name}")
    spec = JobSpec(
        name=name,
        gpus=more.pop("gpus", 0),
        command=tuple(more.pop("command", ("python", "train.py"))),
        kind=more.get("kind", "job"),
        labels=more.pop("labels", {}),
    )
    ref = JobRef("scripted", more.pop("namespace", ""), more.pop("kind", "job"), name, uid)
    created = more.pop("created", now - timedelta(minutes=12))
    return Job(ref=ref, state=state, spec=more.pop("spec", spec), created=created, **more)


def make_alert(job: str = "bert-ft", rule: str = "gpu-idle", **more: Any) -> Alert:
    """An alert of a job of the scripted context that fired ten minutes ago, unless `more` says otherwise."""
    ref = more.pop("ref", None) or make_job(job).ref
    fields = {
        "id": f"{rule}-{ref.uid}",
        "sentence": f"no GPU of {job} was used for 30 min",
        "fired": datetime.now(UTC) - timedelta(minutes=10),
    }
    return Alert(rule=rule, job=ref, **fields | more)


def make_jobs(count: int, start: int = 0) -> list[Job]:
    """Many jobs in all states, the newest first: those numbered `start` to `count`."""
    states = list(JobState)
    now = datetime.now(UTC)
    return [
        make_job(
            f"job-{n:05}",
            states[n % len(states)],
            gpus=n % 9,
            owner=f"user{n % 7}",
            created=now - timedelta(minutes=n),
            reason="" if states[n % len(states)] in _LIVE else f"waits for {n % 9} GPUs",
        )
        for n in range(start, count)
    ]


class EchoPort:
    """A connection to a port that sends back what comes. What begins with "bye" is its last."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> bytes:
        return await self._waiting.get()

    async def send(self, data: bytes) -> None:
        self._waiting.put_nowait(data)
        if data.startswith(b"bye"):
            self._waiting.put_nowait(b"")


class ScriptedBackend:
    """`put`, `remove`, `write_log`, `set_link` change the world; `fail[method] = error` breaks one call."""

    def __init__(self, jobs: Iterable[Job] = (), *, gpus: int = 4, lacks: dict[Feature, str] | None = None):
        self.context = "scripted"
        self.namespace = ""
        self.missing_features = (
            {Feature.RESUME: "this context cannot resume jobs"} if lacks is None else lacks
        )
        self.features = frozenset(Feature) - frozenset(self.missing_features)
        self.fields = {name: FieldRule(Use.OPTIONAL) for name in FIELD_NAMES}
        self.jobs = {job.ref.uid: job for job in jobs}
        self.logs_of: dict[str, list[bytes]] = defaultdict(list)
        self.events_of: dict[str, list[Event]] = defaultdict(list)
        self.figures = Capacity((GpuPool("A100", gpus, gpus, gpus),))
        self.machines = GpuNodes((GpuNode(name="box", product="A100", total=gpus, free=gpus),))
        self.board = QueueBoard()
        self.explanations: dict[str, Explanation] = {}
        self.files_of: dict[str, FileList] = {}
        self.offered: dict[str, Sequence[Choice]] = {}
        self.fired: dict[str, Alert] = {}
        self.wishes = AlertWishes()
        self.addresses: dict[str, Secret] = {}
        self.delivery = Delivery(channel="", state=DeliveryState.SENT, tries=1)
        self.hold_alerts = asyncio.Event()
        self.hold_alerts.set()
        self.used: dict[str, Usage] = {}
        self.use_histories: dict[str, UsageHistory] = {}
        self.hold_usage = asyncio.Event()
        self.hold_usage.set()
        self.fail: dict[str, BackendError] = {}
        self.barred: dict[Verb, AccessDecision] = {}
        self.calls: list[tuple[str, object]] = []
        self.secrets: dict[str, Secret] = {}
        self.created: dict[str, str] = {}
        self.ended_logs: set[str] = set()
        self.plan_errors: tuple = ()
        self.question = ""
        self.holds_deletions: asyncio.Event | None = None
        self.hold_list = asyncio.Event()
        self.hold_list.set()
        self._watchers: list[asyncio.Queue[Sequence[WatchEvent]]] = []
        self._wrote = asyncio.Condition()

    def _call(self, method: str, about: object = None) -> None:
        self.calls.append((method, about))
        if method in self.fail:
            raise self.fail[method]

    def tell(self, *events: WatchEvent) -> None:
        """Send a batch to whoever watches."""
        for queue in self._watchers:
            queue.put_nowait(events)

    def put(self, *jobs: Job) -> None:
        """Add or change jobs."""
        self.jobs.update((job.ref.uid, job) for job in jobs)
        self.tell(Changed(jobs))

    def change(self, uid: str, **fields: Any) -> Job:
        """Change some fields of one job."""
        job = msgspec.structs.replace(self.jobs[uid], **fields)
        self.put(job)
        return job

    def remove(self, *uids: str) -> None:
        """Make jobs vanish."""
        self.tell(Gone(tuple(self.jobs.pop(uid).ref for uid in uids)))

    def set_link(self, state: FreshnessState, why: str = "", since: datetime | None = None) -> None:
        """Say how fresh the list is."""
        self.tell(Freshness(state, since or datetime.now(UTC), why))

    async def write_log(self, uid: str, *lines: bytes, end: bool = False) -> None:
        """Append lines to a job's log; `end` closes it."""
        self.logs_of[uid].extend(lines)
        if end:
            self.ended_logs.add(uid)
        async with self._wrote:
            self._wrote.notify_all()

    def _job(self, ref: JobRef) -> Job:
        if ref.uid not in self.jobs:
            raise NotFound(f"There is no job {ref}.")
        return self.jobs[ref.uid]

    async def whoami(self) -> Identity:
        self._call("whoami")
        return Identity("me", "a script")

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        """What is barred is so about every job; of no job in particular nothing is known."""
        return [
            self.barred.get(ask.verb, AccessDecision(allowed=True)) if ask.ref else AccessDecision(None)
            for ask in asks
        ]

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        self._call("list", query)
        jobs = (job for job in self.jobs.values() if query.name in ("", job.name))
        return Page(tuple(job for job in jobs if query.sweep in ("", job.spec.sweep.name)))

    async def get(self, ref: JobRef) -> Job:
        self._call("get", ref)
        return self._job(ref)

    async def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        self._call("watch", scopes)
        queue: asyncio.Queue[Sequence[WatchEvent]] = asyncio.Queue()
        self._watchers.append(queue)
        try:
            await self.hold_list.wait()
            jobs = tuple(self.jobs.values())
            for start in range(0, len(jobs), 500):
                yield [Snapshot(jobs[start : start + 500])]
                await asyncio.sleep(0)
            yield [Synced(), Freshness(FreshnessState.LIVE, datetime.now(UTC))]
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)

    async def refresh(self) -> None:
        self._call("refresh")

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        self._call("look", tuple(refs))

    async def plan(self, spec: JobSpec) -> Plan:
        self._call("plan", spec)
        name = spec.name or suggest_name(spec.command, [job.name for job in self.jobs.values()])
        lines = "\n".join(f"{key}: {value}" for key, value in spec_fields(spec).items())
        return Plan(name=name, yaml=lines, place="a script", errors=self.plan_errors, question=self.question)

    async def create(self, spec: JobSpec, *, key: str, secrets: dict[str, Secret]) -> Job:
        self._call("create", spec)
        if key in self.created:
            return self.jobs[self.created[key]]
        names = [job.name for job in self.jobs.values()]
        if spec.name in names:
            raise Conflict(
                f"The name {spec.name} is taken.", "Choose another one.", fields={"name": "is taken"}
            )
        name = spec.name or suggest_name(spec.command, names)
        self.secrets.update(secrets)
        spec = msgspec.structs.replace(spec, name=name)
        job = make_job(name, JobState.PENDING, spec=spec, kind=spec.kind, created=datetime.now(UTC))
        self.created[key] = job.ref.uid
        self.put(job)
        return job

    async def stop(self, ref: JobRef) -> Job:
        self._call("stop", ref)
        self._job(ref)
        return self.change(ref.uid, state=JobState.STOPPED, finished=datetime.now(UTC))

    async def extend(self, ref: JobRef, max_runtime: int) -> Job:
        self._call("extend", ref)
        check_extension(self._job(ref), max_runtime)
        return self.change(
            ref.uid, spec=msgspec.structs.replace(self._job(ref).spec, max_runtime=max_runtime)
        )

    async def resume(self, ref: JobRef) -> Job:
        self._call("resume", ref)
        return self.change(ref.uid, state=JobState.PENDING)

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:
        self._call("delete" if wait else "delete without waiting", ref)
        self._job(ref)
        yield DeleteStep("stopping it")
        if wait and self.holds_deletions:
            yield DeleteStep("held by the finalizer example.org/keep", slow=True)
            await self.holds_deletions.wait()
        yield DeleteStep("removing its log")
        self.remove(ref.uid)

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncIterator[Sequence[LogItem]]:
        self._call("logs", query)
        uid = query.ref.uid
        source = LogSource(1)
        at = int(after) if after else max(0, len(self.logs_of[uid]) - (query.tail or 10**9))
        yield [Opened(source)]
        if not self.logs_of[uid][at:]:
            yield [Lines(source=source, lines=[], times=[], open=True, cursor=str(at))]
        while True:
            lines = self.logs_of[uid][at:]
            if lines:
                at += len(lines)
                now = time.time_ns()
                yield [Lines(source=source, lines=lines, times=[now] * len(lines), cursor=str(at))]
            if not query.follow or uid in self.ended_logs:
                break
            async with self._wrote:
                if len(self.logs_of[uid]) == at and uid not in self.ended_logs:
                    await self._wrote.wait()
        yield [Closed("the job has ended")]

    async def events(self, ref: JobRef) -> Sequence[Event]:
        self._call("events", ref)
        return self.events_of[ref.uid]

    async def explain(self, ref: JobRef) -> Explanation:
        self._call("explain", ref)
        reason = self._job(ref).reason
        chain = (Cause(id="", sentence=reason, object=f"{ref.kind}/{ref.name}"),) if reason else ()
        return self.explanations.get(ref.uid, Explanation(sentence=reason, chain=chain))

    async def usage(self, ref: JobRef) -> Usage:
        """What was put into `used`; nothing is told while `hold_usage` is clear."""
        self._call("usage", ref)
        await self.hold_usage.wait()
        return self.used.get(self._job(ref).ref.uid, Usage())

    async def usage_history(self, ref: JobRef, since: datetime) -> UsageHistory:
        """What was put into `use_histories`."""
        self._call("usage_history", (ref, since))
        await self.hold_usage.wait()
        return self.use_histories.get(self._job(ref).ref.uid, UsageHistory(start=since, step=30.0))

    async def usages(self, scope: Scope) -> UsageTable:
        """What the jobs themselves carry."""
        self._call("usages", scope)
        await self.hold_usage.wait()
        return UsageTable(jobs={uid: job.usage for uid, job in self.jobs.items() if job.usage})

    async def output_files(self, ref: JobRef, path: str = "") -> FileList:
        self._call("output_files", (ref, path))
        return self.files_of[ref.uid]

    @asynccontextmanager
    async def open_port(self, ref: JobRef, port: int, *, rank: int = 0) -> AsyncIterator[EchoPort]:
        """What is sent comes back; `fail["open_port"]`: why there is nobody."""
        self._call("open_port", (ref, port, rank))
        self._job(ref)
        yield EchoPort()

    async def nodes(self, scope: Scope) -> GpuNodes:
        self._call("nodes", scope)
        return self.machines

    async def queues(self, scope: Scope) -> QueueBoard:
        self._call("queues", scope)
        return self.board

    async def set_priority(self, ref: JobRef, name: str) -> Job:
        self._call("priority", (ref.name, name))
        return self._change_waiting(ref)

    async def hold(self, ref: JobRef) -> Job:
        self._call("hold", ref.name)
        return self._change_waiting(ref, held=True, position=None)

    async def release(self, ref: JobRef) -> Job:
        self._call("release", ref.name)
        return self._change_waiting(ref, held=False)

    async def move(self, ref: JobRef, queue: str) -> Job:
        self._call("move", (ref.name, queue))
        return self._change_waiting(ref, queue=queue)

    def _change_waiting(self, ref: JobRef, **fields: Any) -> Job:
        waiting = (
            msgspec.structs.replace(job, **fields) if job.uid == ref.uid else job
            for job in self.board.waiting
        )
        self.board = msgspec.structs.replace(self.board, waiting=tuple(waiting))
        return self._job(ref)

    def fire(self, *alerts: Alert) -> None:
        """Add alerts, or put them in place of what they were."""
        self.fired |= {alert.id: alert for alert in alerts}

    async def alerts(self, *, everybody: bool = False) -> AlertList:
        self._call("alerts", everybody or None)
        await self.hold_alerts.wait()
        return AlertList(items=tuple(self.fired.values()))

    async def acknowledge(self, alert_id: str) -> Alert:
        self._call("acknowledge", alert_id)
        return self._change_alert(alert_id, acknowledged=datetime.now(UTC), acknowledged_by="me")

    async def snooze(self, alert_id: str, until: datetime) -> Alert:
        self._call("snooze", (alert_id, until))
        return self._change_alert(alert_id, snoozed_until=until)

    async def silence(self, alert_id: str) -> Alert:
        self._call("silence", alert_id)
        return self._change_alert(alert_id, acknowledged=datetime.now(UTC))

    def _change_alert(self, alert_id: str, **fields: Any) -> Alert:
        if alert_id not in self.fired:
            raise NotFound(f"There is no alert {alert_id}.")
        self.fire(msgspec.structs.replace(self.fired[alert_id], **fields))
        return self.fired[alert_id]

    async def alert_wishes(self) -> AlertWishes:
        self._call("alert_wishes")
        return self.wishes

    async def set_alert_wishes(self, wishes: AlertWishes) -> AlertWishes:
        self._call("set_alert_wishes", wishes)
        self.wishes = msgspec.structs.replace(wishes, channels=self.wishes.channels)
        return self.wishes

    async def add_channel(self, name: str, kind: ChannelKind, address: Secret) -> Channel:
        self._call("add_channel", (name, kind))
        self.addresses[name] = address
        channel = Channel(name=name, kind=kind, shown="shown")
        self.wishes = msgspec.structs.replace(self.wishes, channels=(*self.wishes.channels, channel))
        return channel

    async def remove_channel(self, name: str) -> None:
        self._call("remove_channel", name)
        left = tuple(channel for channel in self.wishes.channels if channel.name != name)
        self.wishes = msgspec.structs.replace(self.wishes, channels=left)

    async def test_channel(self, name: str) -> Delivery:
        self._call("test_channel", name)
        return msgspec.structs.replace(self.delivery, channel=name)

    async def capacity(self, scope: Scope) -> Capacity:
        self._call("capacity", scope)
        return self.figures

    async def choices(self, field: str, *, namespace: str = "", cluster: str = "") -> Sequence[Choice]:
        self._call("choices", (field, namespace, cluster))
        return self.offered.get(field, ())

    async def aclose(self) -> None:
        self._call("aclose")


def attempt(number: int = 1, **more: Any) -> Attempt:
    """One start that ended with exit code 1, unless `more` says otherwise."""
    return Attempt(**{"number": number, "node": "gpu-7", "pid": 4242, "exit_code": 1, **more})


class Way:
    """One way with one context, named scripted, and one that cannot be used."""

    kind = "scripted"

    def __init__(self, backend: JobBackend | None) -> None:
        self.backend = backend

    def contexts(self) -> Sequence[ContextInfo]:
        return [
            ContextInfo("scripted", self.kind, "a script"),
            ContextInfo("other", self.kind, "another script"),
            ContextInfo("off", self.kind, "", "switched off"),
        ]

    def current(self) -> str:
        return "scripted"

    def open(self, name: str) -> JobBackend:
        if self.backend is None:
            raise Refused("The script is not there.", "Write one.")
        return self.backend if name == "scripted" else ScriptedBackend()
