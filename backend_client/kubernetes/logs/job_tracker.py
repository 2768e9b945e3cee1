"""Tracks the job that a log belongs to: its root object and its pods, kept current by two reflectors."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

from backend_client.errors import Forbidden, NotFound, sentence
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.container_runs import ContainerRun, runs_by_rank
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
    """A job and its pods: `load` them once, then `follow` them. `final`: nothing will start any more."""

    def __init__(self, transport: Transport, ref: JobRef) -> None:
        self.ref = ref
        self.final = False
        self._transport = transport
        self._kind = ROOT_TYPES[ref.kind]
        self._root: RootObject | None = None
        self._pods: dict[str, Pod] = {}
        self._labels = f"batch.kubernetes.io/controller-uid={ref.uid}"
        self._changed = asyncio.Event()

    @property
    def job(self) -> Job | None:
        """The job as it is now; None once it is deleted."""
        if self._root is None:
            return None
        return job_of(self._root, list(self._pods.values()), self.ref.context)

    @property
    def ended(self) -> bool:
        """Whether the job has ended or is gone."""
        job = self.job
        return job is None or job.ended

    def runs(self) -> dict[int, list[ContainerRun]]:
        """List the runs that have a log by rank, oldest first."""
        return runs_by_rank(self._pods.values())

    def find_run(self, run: ContainerRun) -> ContainerRun | None:
        """Find a run as it is now; None where its log is gone."""
        runs = self.runs().get(run.rank, ())
        return next((current for current in runs if current.key == run.key), None)

    async def load(self) -> None:
        """Read the job and its pods once; the pods of a deleted job may be left. Raises BackendError."""
        ref = self.ref
        self._root = None
        with contextlib.suppress(NotFound):
            body = (await self._transport.request("GET", self._kind.path(ref.namespace, ref.name))).body
            self._set_root(self._kind.decode_object(body))
        if self._kind is PODS or (not self._root and not self._pods):
            self._pods = {self._root.uid: self._root} if isinstance(self._root, Pod) else {}
            return
        path, query = PODS.path(ref.namespace), {"labelSelector": self._labels}
        answer = await self._transport.request("GET", path, query=query)
        self._pods = {pod.uid: pod for pod in PODS.decode_page(answer.body).items if self._belongs(pod)}

    async def follow(self) -> None:
        """Follow every change, for ever. Raises Forbidden where the caller may not watch it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_root())
            if self._kind is not PODS:
                group.create_task(self._follow_pods())

    async def wait_for_change(self, seconds: float | None = None) -> bool:
        """Wait for the next change, at most so long; return whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def wake_waiters(self) -> None:
        """Wake all who wait for a change: something else than the job has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _follow_root(self) -> None:
        fields = f"metadata.name={self.ref.name}"
        root: Reflector[Any] = Reflector(self._transport, self._kind, self.ref.namespace, fields=fields)
        async for batch in root.batches():
            if isinstance(batch, Freshness):
                _raise_forbidden(batch)
            elif isinstance(batch, Delta):
                if self.ref.uid in batch.gone:
                    self._root = None
                for item in batch.changed:
                    self._set_root(item)
                if self._kind is PODS:
                    self._pods = {self._root.uid: self._root} if isinstance(self._root, Pod) else {}
                self.wake_waiters()

    async def _follow_pods(self) -> None:
        pods = Reflector(self._transport, PODS, self.ref.namespace, labels=self._labels)
        listed: set[str] | None = set()  # uids, until the first list is whole
        async for batch in pods.batches():
            if isinstance(batch, Freshness):
                _raise_forbidden(batch)
            elif isinstance(batch, Delta):
                self._pods.update((pod.uid, pod) for pod in batch.changed if self._belongs(pod))
                self._drop(batch.gone)
                if listed is not None:
                    listed.update(pod.uid for pod in batch.changed)
            elif listed is not None:  # the first list is whole: what `load` found and it has not is gone
                self._drop(self._pods.keys() - listed)
                listed = None
            self.wake_waiters()

    def _drop(self, uids: Iterable[str]) -> None:
        for uid in list(uids):
            self._pods.pop(uid, None)

    def _set_root(self, root: RootObject) -> None:
        if root.uid == self.ref.uid:
            self._root = root
            if isinstance(root, Deployment):
                self._labels = label_selector(root.spec.selector)

    def _belongs(self, pod: Pod) -> bool:
        return root_key(pod) == (self._kind.kind, self.ref.namespace, self.ref.name)


def _raise_forbidden(freshness: Freshness) -> None:
    if freshness.state is FreshnessState.FORBIDDEN:
        raise Forbidden(sentence(freshness.why))
