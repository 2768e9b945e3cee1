"""The job that a log is of: its object and its pods, as they are now."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.container_runs import ContainerRun, runs
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.resource_types import PODS, ROOT_TYPES
from backend_client.kubernetes.resources.selectors import label_selector
from backend_client.kubernetes.resources.workloads import Deployment
from backend_client.kubernetes.status.job_status import job_of, root_key
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.models import Job, JobRef
from backend_client.protocol import Freshness, FreshnessState


class JobTracker:
    """`load` it once, then `keep` it true. `final`: nothing will start any more."""

    def __init__(self, transport: Transport, ref: JobRef) -> None:
        self.ref = ref
        self.final = False
        self._transport = transport
        self._kind = ROOT_TYPES[ref.kind]
        self._anchor: RootObject | None = None
        self._pods: dict[str, Pod] = {}
        self._labels = f"batch.kubernetes.io/controller-uid={ref.uid}"
        self._changed = asyncio.Event()

    @property
    def job(self) -> Job | None:
        """None once it is deleted."""
        if self._anchor is None:
            return None
        return job_of(self._anchor, list(self._pods.values()), self.ref.context)

    @property
    def settled(self) -> bool:
        """Whether it has ended, as far as is known."""
        job = self.job
        return job is None or job.ended

    def runs(self) -> dict[int, list[ContainerRun]]:
        """What has a log, by rank, oldest first."""
        return runs(self._pods.values())

    def find(self, run: ContainerRun) -> ContainerRun | None:
        """A run as it is now; None where its log is gone."""
        return next((now for now in self.runs().get(run.rank, ()) if now.key == run.key), None)

    async def load(self) -> None:
        """Look once. What is deleted stays known by the pods that are left. Raises a BackendError."""
        ref = self.ref
        self._anchor = None
        with contextlib.suppress(NotFound):
            body = (await self._transport.request("GET", self._kind.path(ref.namespace, ref.name))).body
            self._take(self._kind.decode_object(body))
        if self._kind is PODS or (not self._anchor and not self._pods):
            self._pods = {self._anchor.uid: self._anchor} if isinstance(self._anchor, Pod) else {}
            return
        path, query = PODS.path(ref.namespace), {"labelSelector": self._labels}
        answer = await self._transport.request("GET", path, query=query)
        self._pods = {pod.uid: pod for pod in PODS.decode_page(answer.body).items if self._is_mine(pod)}

    async def follow(self) -> None:
        """Follow every change, for ever. Raises Forbidden where this may not be watched."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_anchor())
            if self._kind is not PODS:
                group.create_task(self._keep_pods())

    async def wait_for_change(self, seconds: float | None = None) -> bool:
        """Wait for the next change, or so long; whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def wake_waiters(self) -> None:
        """Let all who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _keep_anchor(self) -> None:
        fields = f"metadata.name={self.ref.name}"
        mine: Reflector[Any] = Reflector(self._transport, self._kind, self.ref.namespace, fields=fields)
        async for batch in mine.batches():
            if isinstance(batch, Freshness):
                _raise_forbidden(batch)
            elif isinstance(batch, Delta):
                if self.ref.uid in batch.gone:
                    self._anchor = None
                for item in batch.changed:
                    self._take(item)
                if self._kind is PODS:
                    self._pods = {self._anchor.uid: self._anchor} if isinstance(self._anchor, Pod) else {}
                self.wake_waiters()

    async def _keep_pods(self) -> None:
        pods = Reflector(self._transport, PODS, self.ref.namespace, labels=self._labels)
        seen: set[str] | None = set()
        async for batch in pods.batches():
            if isinstance(batch, Freshness):
                _raise_forbidden(batch)
            elif isinstance(batch, Delta):
                self._pods.update((pod.uid, pod) for pod in batch.changed if self._is_mine(pod))
                self._drop(batch.gone)
                if seen is not None:
                    seen.update(pod.uid for pod in batch.changed)
            elif seen is not None:  # the first list is whole: what `load` found and it has not is gone
                self._drop(self._pods.keys() - seen)
                seen = None
            self.wake_waiters()

    def _drop(self, uids: Iterable[str]) -> None:
        for uid in list(uids):
            self._pods.pop(uid, None)

    def _take(self, anchor: RootObject) -> None:
        if anchor.uid == self.ref.uid:
            self._anchor = anchor
            if isinstance(anchor, Deployment):
                self._labels = label_selector(anchor.spec.selector)

    def _is_mine(self, pod: Pod) -> bool:
        return root_key(pod) == (self._kind.kind, self.ref.namespace, self.ref.name)


def _raise_forbidden(link: Freshness) -> None:
    if link.state is FreshnessState.FORBIDDEN:
        raise Forbidden(link.why)
