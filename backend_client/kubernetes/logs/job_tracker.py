"""Tracks the job that a log belongs to: its root object and its pods, kept current by two reflectors."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from backend_client.errors import Forbidden, NotFound, sentence
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.container_runs import ContainerRun, runs_by_rank
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.resource_types import PODS, ROOT_TYPES, ResourceType
from backend_client.kubernetes.resources.selectors import label_selector
from backend_client.kubernetes.resources.training import TrainingJob
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.kubernetes.resources.workloads import Deployment
from backend_client.kubernetes.status.attempts import NO_PAST, PastAttempts
from backend_client.kubernetes.status.job_status import job_of, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.kubernetes.watch.training import load_made, root_type
from backend_client.models import Job, JobRef
from backend_client.protocol import Freshness, FreshnessState


class JobTracker:
    """A job and its pods: `load` them once, then `follow` them. `final`: nothing will start any more."""

    def __init__(
        self, transport: Transport, ref: JobRef, past: Callable[[], PastAttempts] = lambda: NO_PAST
    ) -> None:
        """Track nothing yet. `past`: what was seen of earlier attempts, by which the others are numbered."""
        self.ref = ref
        self._past = past
        self.final = False
        self._transport = transport
        self._kind: ResourceType[Any] | None = ROOT_TYPES.get(ref.kind)
        """None for a kind that the cluster is asked for first."""
        self._root: RootObject | None = None
        self._pods: dict[str, Pod] = {}
        self._labels = f"batch.kubernetes.io/controller-uid={ref.uid}"
        self._selectors: tuple[str, ...] = ()
        """Labels that find the pods of a training job."""
        self._followed: set[str] = set()
        """Those by which they are followed."""
        self._changed = asyncio.Event()

    @property
    def job(self) -> Job | None:
        """The job as it is now; None once it is deleted."""
        if self._root is None:
            return None
        return job_of(
            self._root, list(self._pods.values()), self.ref.context, RelatedObjects(past=self._past())
        )

    @property
    def ended(self) -> bool:
        """Whether the job has ended or is gone."""
        job = self.job
        return job is None or job.ended

    def runs(self) -> dict[int, list[ContainerRun]]:
        """List the runs that have a log by rank, oldest first."""
        return runs_by_rank(self._pods.values(), self._past())

    def find_run(self, run: ContainerRun) -> ContainerRun | None:
        """Find a run as it is now; None where its log is gone."""
        runs = self.runs().get(run.rank, ())
        return next((current for current in runs if current.key == run.key), None)

    async def load(self) -> None:
        """Read the job and its pods once; the pods of a deleted job may be left. Raises BackendError."""
        ref = self.ref
        self._root = None
        with contextlib.suppress(NotFound):
            kind = await self._root_type()
            body = (await self._transport.request("GET", kind.path(ref.namespace, ref.name))).body
            self._set_root(kind.decode_object(body))
        if ref.kind in TRAINING_KINDS:
            await self._load_made()
            return
        if self._kind is PODS or (not self._root and not self._pods):
            self._pods = {self._root.uid: self._root} if isinstance(self._root, Pod) else {}
            return
        path, query = PODS.path(ref.namespace), {"labelSelector": self._labels}
        answer = await self._transport.request("GET", path, query=query)
        self._pods = {pod.uid: pod for pod in PODS.decode_page(answer.body).items if self._belongs(pod)}

    async def follow(self) -> None:
        """Follow every change, for ever. Raises Forbidden where the caller may not watch it."""
        self._followed.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_root(group))
            if self.ref.kind in TRAINING_KINDS:
                self._follow_all_made(group)
            elif self._kind is not PODS:
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

    async def _root_type(self) -> ResourceType[Any]:
        if self._kind is None:
            self._kind = await root_type(self._transport, self.ref.kind)
        return self._kind

    async def _load_made(self) -> None:
        """Read the pods of a training job of another tool; those of one that is gone stay as they were."""
        if isinstance(self._root, TrainingJob):
            made = await load_made(self._transport, self._root)
            self._pods = {pod.uid: pod for pod in made.pods}
            self._selectors = made.selectors

    def _follow_all_made(self, group: asyncio.TaskGroup) -> None:
        """Follow the pods of a training job; what it is made of, and names them, comes after it."""
        for selector in self._selectors:
            if selector not in self._followed:
                self._followed.add(selector)
                group.create_task(self._follow_made(selector))

    async def _follow_made(self, selector: str) -> None:
        """Read the pods of a training job anew whenever one of them changes: what is between may have too."""
        pods = Reflector(self._transport, PODS, self.ref.namespace, labels=selector)
        async for batch in pods.batches():
            if isinstance(batch, Freshness):
                _raise_forbidden(batch)
            elif isinstance(batch, Delta):
                await self._load_made()
                self.wake_waiters()

    async def _follow_root(self, group: asyncio.TaskGroup) -> None:
        fields = f"metadata.name={self.ref.name}"
        kind = await self._root_type()
        root: Reflector[Any] = Reflector(self._transport, kind, self.ref.namespace, fields=fields)
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
                if isinstance(self._root, TrainingJob):
                    await self._load_made()
                    self._follow_all_made(group)
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
        kind = self._kind.kind if self._kind else ""
        return root_key(pod) == (kind, self.ref.namespace, self.ref.name)


def _raise_forbidden(freshness: Freshness) -> None:
    if freshness.state is FreshnessState.FORBIDDEN:
        raise Forbidden(sentence(freshness.why))
