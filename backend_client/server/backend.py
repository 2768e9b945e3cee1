"""A traindeck server as a JobBackend: its clusters, as one user of it."""

import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec.structs import replace

from backend_client.errors import BackendError, NotFound, Refused
from backend_client.history import HistoryPage, HistoryQuery
from backend_client.models import Event, Job, JobRef, JobSpec
from backend_client.models.secret import Secret
from backend_client.protocol import (
    AccessDecision,
    AccessReview,
    Capacity,
    Choice,
    DeleteStep,
    Feature,
    FieldRule,
    Identity,
    JobQuery,
    LogItem,
    LogQuery,
    Page,
    Plan,
    Scope,
    WatchEvent,
)
from backend_client.refresh import RefreshRequests
from backend_client.server.alerts import AlertCalls
from backend_client.server.bodies import (
    Choices,
    Clusters,
    Events,
    Me,
    NewLimit,
    NewPriority,
    NewQueue,
    create_body,
)
from backend_client.server.capabilities import UNKNOWN, Capabilities, merge
from backend_client.server.code import CodeCalls
from backend_client.server.connection import Connection
from backend_client.server.delete import DeletionWatch
from backend_client.server.logs import LogStream
from backend_client.server.visible_jobs import VisibleJobsReporter
from backend_client.server.watch import WatchStream
from backend_client.server.wire import encode

if TYPE_CHECKING:
    from backend_client.exec_session import ExecQuery, ExecSession, PortConnection
    from backend_client.gpu_nodes import GpuNodes
    from backend_client.queues import QueueBoard
    from backend_client.usage import Usage, UsageHistory, UsageTable
    from backend_client.usage_report import Receipt, ReportQuery, UsageReport
    from backend_client.websocket import WebSocket
    from backend_client.why import Explanation

_JOBS = "/api/jobs"
_NO_USAGE = "This server tells nothing of what jobs use.", "A newer traindeck server does."
_NO_SHELLS = "This server runs no commands in jobs."
_NO_PORTS = "This server passes no connections on."
_PLAIN_KEY = re.compile(r"[!-~]{1,64}")


class ServerBackend(AlertCalls, CodeCalls):
    """The jobs of a server, as one of its users. A job's cluster is in `spec.cluster`."""

    namespace = ""

    def __init__(
        self,
        context: str,
        url: str,
        token: Callable[[], Secret | None],
        *,
        ca: str = "",
        capabilities: Capabilities = UNKNOWN,
        save: Callable[[Capabilities], None] | None = None,
    ) -> None:
        """`token`, `ca`: as of `Connection`. `capabilities`: the cached ones; `save` takes newer ones.

        Contacts nobody yet. Raises Refused for an address that a token must not be sent to.
        """
        self.context = context
        self.capabilities = capabilities
        self._save = save
        self._has_fetched = False
        self._told: dict[str, str] = {}
        self._connection = Connection(url, token, ca=ca)
        self._visible_jobs = VisibleJobsReporter(self._connection)
        self._refreshes = RefreshRequests()

    @property
    def features(self) -> frozenset[Feature]:
        return self.capabilities.features

    @property
    def missing_features(self) -> Mapping[Feature, str]:
        return self.capabilities.missing_features

    @property
    def fields(self) -> Mapping[str, FieldRule]:
        return self.capabilities.fields

    async def fetch_capabilities(self) -> Capabilities:
        """Ask the server for its capabilities, and save them."""
        capabilities = merge((await self._connection.fetch("GET", "/api/clusters", Clusters)).items)
        if capabilities != self.capabilities and self._save:
            self._save(capabilities)
        self.capabilities, self._has_fetched = capabilities, True
        return capabilities

    async def whoami(self) -> Identity:
        me = await self._connection.fetch("GET", "/api/auth/me", Me)
        return Identity(me.user, f"the server {self._connection.label}")

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        body = encode([replace(ask, ref=ask.ref and replace(ask.ref, context="")) for ask in asks])
        answer = await self._connection.request("POST", "/api/access", body=body)
        return self._connection.decode(answer, list[AccessDecision])

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        parameters = _not_empty(
            name=query.name,
            namespace=query.namespace,
            state=sorted(query.states),
            label=[f"{key}={value}" for key, value in query.labels.items()],
            limit=str(query.limit),
            after=after,
        )
        page = await self._connection.fetch("GET", _JOBS, Page, query=parameters)
        jobs = map(self._from_wire, page.items)
        return Page(tuple(job for job in jobs if query.sweep in ("", job.spec.sweep.name)), page.next)

    async def get(self, ref: JobRef) -> Job:
        return self._from_wire(await self._connection.fetch("GET", _path(ref), Job, query=_uid_query(ref)))

    async def watch(self, scopes: Sequence[Scope]) -> AsyncGenerator[Sequence[WatchEvent], None]:
        namespaces = {scope.namespace for scope in scopes}
        stream = WatchStream(
            self._connection, self._from_wire, frozenset() if "" in namespaces else namespaces
        )
        with self._refreshes.subscribe(stream.refresh):
            async with contextlib.aclosing(stream.batches()) as batches:
                async for batch in batches:
                    yield batch
                    if not self._has_fetched:
                        with contextlib.suppress(BackendError):
                            await self.fetch_capabilities()

    async def refresh(self) -> None:
        self._refreshes.send()

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        self._visible_jobs.set_visible_jobs(refs)

    async def plan(self, spec: JobSpec) -> Plan:
        answer = await self._connection.request("POST", "/api/plan", body=create_body(spec, {}))
        return self._with_told(self._connection.decode(answer, Plan), spec.code)

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        sent = key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
        answer = await self._connection.request(
            "POST", _JOBS, body=create_body(spec, secrets), headers={"Idempotency-Key": sent}
        )
        return self._from_wire(self._connection.decode(answer, Job))

    async def stop(self, ref: JobRef) -> Job:
        return self._from_wire(
            await self._connection.fetch("POST", f"{_path(ref)}/stop", Job, query=_uid_query(ref))
        )

    async def extend(self, ref: JobRef, max_runtime: int) -> Job:
        try:
            return await self._change(ref, "extend", NewLimit(max_runtime))
        except NotFound:
            await self.get(ref)  # raises as well where it is the job that is not there, and not the route
            raise Refused("This server raises no time limits.", "A newer traindeck server does.") from None

    async def resume(self, ref: JobRef) -> Job:
        return self._from_wire(
            await self._connection.fetch("POST", f"{_path(ref)}/resume", Job, query=_uid_query(ref))
        )

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncGenerator[DeleteStep, None]:
        deletion = DeletionWatch(self._connection, _path(ref), _uid_query(ref))
        async with contextlib.aclosing(deletion.steps(wait=wait)) as steps:
            async for step in steps:
                yield step

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncGenerator[Sequence[LogItem], None]:
        path = f"{_path(query.ref)}/logs"
        stream = LogStream(self._connection, path, _uid_query(query.ref), query, after)
        async with contextlib.aclosing(stream.batches()) as batches:
            async for batch in batches:
                yield batch

    async def events(self, ref: JobRef) -> Sequence[Event]:
        answer = await self._connection.fetch("GET", f"{_path(ref)}/events", Events, query=_uid_query(ref))
        return answer.items

    async def explain(self, ref: JobRef) -> "Explanation":
        from backend_client.why import Explanation  # noqa: PLC0415  a list needs none

        try:
            return await self._connection.fetch(
                "GET", f"{_path(ref)}/why", Explanation, query=_uid_query(ref)
            )
        except NotFound:
            await self.get(ref)  # raises as well where it is the job that is not there, and not the route
            raise Refused("This server tells no reasons.", "A newer traindeck server does.") from None

    @contextlib.asynccontextmanager
    async def open_exec(self, query: "ExecQuery") -> AsyncGenerator["ExecSession", None]:
        """Start a command in a running job (`HasExec`)."""
        from backend_client.server.exec_session import start  # noqa: PLC0415  a list needs none

        async with self._websocket(query.ref, "exec", query.rank, _NO_SHELLS) as websocket:
            yield await start(websocket, query, self._connection.label)

    @contextlib.asynccontextmanager
    async def open_port(
        self, ref: JobRef, port: int, *, rank: int = 0
    ) -> AsyncGenerator["PortConnection", None]:
        """Connect to a port in a running job (`HasPorts`)."""
        from backend_client.server.port import ServerPortConnection  # noqa: PLC0415  a list needs none

        async with self._websocket(ref, f"ports/{port}", rank, _NO_PORTS) as websocket:
            yield ServerPortConnection(websocket, self._connection.label)

    @contextlib.asynccontextmanager
    async def _websocket(
        self, ref: JobRef, what: str, rank: int, too_old: str
    ) -> AsyncGenerator["WebSocket", None]:
        """Open a WebSocket into a job. Raises Refused for a server that has none, by the title `too_old`."""
        query = {**_uid_query(ref), "rank": str(rank)}
        async with contextlib.AsyncExitStack() as stack:
            opening = self._connection.websocket(f"{_path(ref)}/{what}", query=query)
            try:
                opened = await stack.enter_async_context(opening)
            except NotFound:
                await self.get(ref)  # raises as well where it is the job that is not there, and not the route
                raise Refused(too_old, "A newer traindeck server does.") from None
            yield opened

    async def usage(self, ref: JobRef) -> "Usage":
        """Return what a job uses now (`HasUsage`)."""
        from backend_client.usage import Usage  # noqa: PLC0415  a list needs none

        path = f"{_path(ref)}/usage"
        try:
            return await self._connection.fetch("GET", path, Usage, query=_uid_query(ref))
        except NotFound:
            raise await self._no_usage(ref) from None

    async def usage_history(self, ref: JobRef, since: datetime) -> "UsageHistory":
        """Return what a job has used since a time (`HasUsage`)."""
        from backend_client.usage import UsageHistory  # noqa: PLC0415  a list needs none

        path, query = f"{_path(ref)}/usage/history", {**_uid_query(ref), "since": since.isoformat()}
        try:
            return await self._connection.fetch("GET", path, UsageHistory, query=query)
        except NotFound:
            raise await self._no_usage(ref) from None

    async def usages(self, scope: Scope) -> "UsageTable":  # noqa: ARG002  namespaces are the server's
        """Return what the running jobs of this person use now, each in sum (`HasUsage`)."""
        from backend_client.usage import UsageTable  # noqa: PLC0415  a list needs none

        try:
            return await self._connection.fetch("GET", "/api/usages", UsageTable)
        except NotFound:
            raise Refused(*_NO_USAGE) from None

    async def _no_usage(self, ref: JobRef) -> Refused:
        """Return that this server is too old to tell. Raises NotFound where the job is not there."""
        await self.get(ref)
        return Refused(*_NO_USAGE)

    async def nodes(self, scope: Scope) -> "GpuNodes":  # noqa: ARG002  GPUs are the clusters'
        from backend_client.gpu_nodes import GpuNodes  # noqa: PLC0415  a list needs none

        try:
            return await self._connection.fetch("GET", "/api/nodes", GpuNodes)
        except NotFound:
            return GpuNodes(unknown_because="this server tells nothing of them; a newer one does")

    async def queues(self, scope: Scope) -> "QueueBoard":  # noqa: ARG002  namespaces are the server's
        """Return the queues of the server's clusters (`HasQueues`)."""
        from backend_client.queues import QueueBoard  # noqa: PLC0415  a list needs none

        try:
            return await self._connection.fetch("GET", "/api/queues", QueueBoard)
        except NotFound:
            raise Refused("This server tells nothing of queues.", "A newer traindeck server does.") from None

    async def set_priority(self, ref: JobRef, name: str) -> Job:
        """Give a waiting job another priority of its queue (`HasQueues`)."""
        return await self._change(ref, "priority", NewPriority(name))

    async def hold(self, ref: JobRef) -> Job:
        """Hold a waiting job back (`HasQueues`)."""
        return await self._change(ref, "hold")

    async def release(self, ref: JobRef) -> Job:
        """Put a held job into its queue again (`HasQueues`)."""
        return await self._change(ref, "release")

    async def move(self, ref: JobRef, queue: str) -> Job:
        """Put a waiting job into another queue (`HasQueues`)."""
        return await self._change(ref, "queue", NewQueue(queue))

    async def _change(
        self, ref: JobRef, what: str, body: NewLimit | NewPriority | NewQueue | None = None
    ) -> Job:
        answer = await self._connection.request(
            "POST", f"{_path(ref)}/{what}", query=_uid_query(ref), body=encode(body) if body else b""
        )
        return self._from_wire(self._connection.decode(answer, Job))

    async def capacity(self, scope: Scope) -> Capacity:  # noqa: ARG002  GPUs are the clusters'
        return await self._connection.fetch("GET", "/api/capacity", Capacity)

    async def choices(self, field: str, *, namespace: str = "", cluster: str = "") -> Sequence[Choice]:  # noqa: ARG002  the protocol's signature
        parameters = _not_empty(field=field, cluster=cluster)
        return (await self._connection.fetch("GET", "/api/choices", Choices, query=parameters)).items

    async def history(self, query: HistoryQuery, *, after: str = "") -> HistoryPage:
        """Return a page of the history, newest first. `after` is the `next` of the page before."""
        parameters = _not_empty(
            text=query.text,
            user=query.user,
            state=sorted(query.states),
            since=_rfc3339(query.since),
            until=_rfc3339(query.until),
            after=after,
        )
        return await self._connection.fetch("GET", "/api/history", HistoryPage, query=parameters)

    async def usage_report(self, query: "ReportQuery") -> "UsageReport":
        """Return sums over what this person may see (`HasAccounting`)."""
        from backend_client.usage_report import UsageReport  # noqa: PLC0415  a list needs none

        parameters = _not_empty(
            by=query.by,
            since=_rfc3339(query.since),
            until=_rfc3339(query.until),
            zone=query.zone,
            user=query.user,
        )
        try:
            return await self._connection.fetch("GET", "/api/usage", UsageReport, query=parameters)
        except NotFound:
            raise _counts_nothing() from None

    async def receipt(self, ref: JobRef) -> "Receipt":
        """Return what a job has cost so far (`HasAccounting`)."""
        from backend_client.usage_report import Receipt  # noqa: PLC0415  a list needs none

        path = f"{_path(ref)}/receipt"
        try:
            found = await self._connection.fetch("GET", path, Receipt, query=_uid_query(ref))
        except NotFound:
            await self.get(ref)  # raises as well where it is the job that is not there, and not the route
            raise _counts_nothing() from None
        cluster = found.job.context
        return replace(
            found,
            job=replace(found.job, context=self.context),
            spec=replace(found.spec, cluster=cluster),
        )

    async def aclose(self) -> None:
        await self._visible_jobs.aclose()
        await self._connection.aclose()

    def _from_wire(self, job: Job) -> Job:
        """Return a job as one of this context: on the wire the context is the cluster."""
        ref = replace(job.ref, context=self.context)
        return replace(job, ref=ref, spec=replace(job.spec, cluster=job.ref.context))


def _counts_nothing() -> Refused:
    return Refused("This server does not tell what jobs have cost.", "A newer traindeck server does.")


def _path(ref: JobRef) -> str:
    return f"{_JOBS}/{quote(ref.name, safe='')}"


def _uid_query(ref: JobRef) -> dict[str, str]:
    """Return the query that names a job by its uid, whatever else has its name."""
    return {"uid": ref.uid}


def _not_empty(**values: str | Sequence[str]) -> dict[str, str | Sequence[str]]:
    return {name: value for name, value in values.items() if value}


def _rfc3339(time: datetime | None) -> str:
    return time.isoformat() if time else ""
