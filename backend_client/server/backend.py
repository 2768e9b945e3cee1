"""A traindeck server as a JobBackend: its clusters, as one user of it."""

import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from msgspec.structs import replace

from backend_client.errors import BackendError
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
from backend_client.server.bodies import Choices, Clusters, Events, Me, create_body
from backend_client.server.capabilities import UNKNOWN, Capabilities, merged
from backend_client.server.connection import Connection
from backend_client.server.delete import DeletionWatch
from backend_client.server.logs import LogStream
from backend_client.server.visible_jobs import VisibleJobsReporter
from backend_client.server.watch import WatchStream
from backend_client.server.wire import encode

_JOBS = "/api/jobs"
_PLAIN_KEY = re.compile(r"[!-~]{1,64}")


class ServerBackend:
    """Jobs that a server keeps for its users. A job's cluster stands in `spec.cluster`."""

    namespace = ""

    def __init__(
        self,
        context: str,
        url: str,
        token: Callable[[], Secret | None],
        *,
        ca: str = "",
        rules: Capabilities = UNKNOWN,
        keep: Callable[[Capabilities], None] | None = None,
    ) -> None:
        """`token`, `ca`: as of `Connection`. `rules`: those kept from last time; `keep` is given newer ones.

        Contacts nobody yet. Raises Refused for an address that a token must not travel to.
        """
        self.context = context
        self.rules = rules
        self._keep = keep
        self._learned = False
        self._connection = Connection(url, token, ca=ca)
        self._looking = VisibleJobsReporter(self._connection)

    @property
    def features(self) -> frozenset[Feature]:
        return self.rules.features

    @property
    def missing_features(self) -> Mapping[Feature, str]:
        return self.rules.lacks

    @property
    def fields(self) -> Mapping[str, FieldRule]:
        return self.rules.fields

    async def learn(self) -> Capabilities:
        """Ask the server for its rules."""
        found = merged((await self._connection.ask("GET", "/api/clusters", Clusters)).items)
        if found != self.rules and self._keep:
            self._keep(found)
        self.rules, self._learned = found, True
        return found

    async def whoami(self) -> Identity:
        me = await self._connection.ask("GET", "/api/auth/me", Me)
        return Identity(me.user, f"the server {self._connection.place}")

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        body = encode([replace(ask, ref=ask.ref and replace(ask.ref, context="")) for ask in asks])
        answer = await self._connection.request("POST", "/api/access", body=body)
        return self._connection.decode(answer, list[AccessDecision])

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        asked = _given(
            name=query.name,
            namespace=query.namespace,
            state=sorted(query.states),
            label=[f"{key}={value}" for key, value in query.labels.items()],
            limit=str(query.limit),
            after=after,
        )
        page = await self._connection.ask("GET", _JOBS, Page, query=asked)
        return Page(tuple(map(self._ours, page.items)), page.next)

    async def get(self, ref: JobRef) -> Job:
        return self._ours(await self._connection.ask("GET", _path(ref), Job, query=_named(ref)))

    async def watch(self, scopes: Sequence[Scope]) -> AsyncGenerator[Sequence[WatchEvent], None]:
        places = {scope.namespace for scope in scopes}
        watching = WatchStream(self._connection, self._ours, frozenset() if "" in places else places)
        async with contextlib.aclosing(watching.batches()) as batches:
            async for batch in batches:
                yield batch
                if not self._learned:
                    with contextlib.suppress(BackendError):
                        await self.learn()

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        self._looking.set_visible_jobs(refs)

    async def plan(self, spec: JobSpec) -> Plan:
        answer = await self._connection.request("POST", "/api/plan", body=create_body(spec, {}))
        return self._connection.decode(answer, Plan)

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        sent = key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
        answer = await self._connection.request(
            "POST", _JOBS, body=create_body(spec, secrets), headers={"Idempotency-Key": sent}
        )
        return self._ours(self._connection.decode(answer, Job))

    async def stop(self, ref: JobRef) -> Job:
        return self._ours(await self._connection.ask("POST", f"{_path(ref)}/stop", Job, query=_named(ref)))

    async def resume(self, ref: JobRef) -> Job:
        return self._ours(await self._connection.ask("POST", f"{_path(ref)}/resume", Job, query=_named(ref)))

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncGenerator[DeleteStep, None]:
        deleting = DeletionWatch(self._connection, _path(ref), _named(ref))
        async with contextlib.aclosing(deleting.steps(wait=wait)) as steps:
            async for step in steps:
                yield step

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncGenerator[Sequence[LogItem], None]:
        path = f"{_path(query.ref)}/logs"
        following = LogStream(self._connection, path, _named(query.ref), query, after)
        async with contextlib.aclosing(following.batches()) as batches:
            async for batch in batches:
                yield batch

    async def events(self, ref: JobRef) -> Sequence[Event]:
        answer = await self._connection.ask("GET", f"{_path(ref)}/events", Events, query=_named(ref))
        return answer.items

    async def capacity(self, scope: Scope) -> Capacity:  # noqa: ARG002  GPUs are the clusters'
        return await self._connection.ask("GET", "/api/capacity", Capacity)

    async def choices(self, field: str, *, namespace: str = "", cluster: str = "") -> Sequence[Choice]:  # noqa: ARG002
        asked = _given(field=field, cluster=cluster)
        return (await self._connection.ask("GET", "/api/choices", Choices, query=asked)).items

    async def history(self, query: HistoryQuery, *, after: str = "") -> HistoryPage:
        """Newest first. `after` is the `next` of the page before."""
        asked = _given(
            text=query.text,
            user=query.user,
            state=sorted(query.states),
            since=_moment(query.since),
            until=_moment(query.until),
            after=after,
        )
        return await self._connection.ask("GET", "/api/history", HistoryPage, query=asked)

    async def aclose(self) -> None:
        await self._looking.aclose()
        await self._connection.aclose()

    def _ours(self, job: Job) -> Job:
        """On the wire the context is the cluster."""
        ref = replace(job.ref, context=self.context)
        return replace(job, ref=ref, spec=replace(job.spec, cluster=job.ref.context))


def _path(ref: JobRef) -> str:
    return f"{_JOBS}/{quote(ref.name, safe='')}"


def _named(ref: JobRef) -> dict[str, str]:
    """A job by its uid, whatever else has its name."""
    return {"uid": ref.uid}


def _given(**values: str | Sequence[str]) -> dict[str, str | Sequence[str]]:
    return {name: value for name, value in values.items() if value}


def _moment(time: datetime | None) -> str:
    return time.isoformat() if time else ""
