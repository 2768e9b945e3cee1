"""The watch of a cluster's GPUs: reflectors of nodes, of pods and of their owners feed the ledgers."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from backend_client.errors import BackendError, Unreachable, fragment, sentence
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.gpu_ledger import GpuLedger
from backend_client.kubernetes.resources.gpu_pods import DeploymentOwner, DevicePod, JobOwner, PodOwner
from backend_client.kubernetes.resources.nodes import DeviceClass
from backend_client.kubernetes.resources.resource_types import NODES, ResourceType
from backend_client.kubernetes.status.machines import MachineLedger
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.protocol import Freshness, FreshnessState, Synced

DEVICE_PODS = ResourceType("/api/v1", "Pod", "pods", DevicePod)
JOB_OWNERS = ResourceType("/apis/batch/v1", "Job", "jobs", JobOwner)
DEPLOYMENT_OWNERS = ResourceType("/apis/apps/v1", "Deployment", "deployments", DeploymentOwner)
DEVICE_CLASSES = ResourceType(
    "/apis/resource.k8s.io/v1", "DeviceClass", "deviceclasses", DeviceClass, namespaced=False
)
LISTED_EVERY = 10.0
"""Seconds between two lists of what may be listed and not watched, while somebody asks."""
FRESH_SECONDS = 30.0
"""How long what was known stays true enough, once nothing more comes."""
NOT_ENDED = "status.phase!=Succeeded,status.phase!=Failed"
"""Selects the pods that can hold anything; one without a node may have room made for it on one."""


class Source:
    """One type of object that feeds the ledger, and how it stands."""

    def __init__(self, reflector: Reflector[Any]) -> None:
        self.reflector = reflector
        self.listed: float | None = None
        """When it was last listed as a whole; of a monotonic clock."""
        self.freshness: Freshness | None = None

    @property
    def is_settled(self) -> bool:
        """True once it was listed, or why it cannot be is known."""
        return self.listed is not None or self.freshness is not None

    @property
    def state(self) -> FreshnessState | None:
        return self.freshness.state if self.freshness else None

    @property
    def why(self) -> str:
        return self.freshness.why if self.freshness else ""

    @property
    def is_fresh(self) -> bool:
        """Return whether what was listed is still true: it is watched, or was listed or read just now."""
        if self.listed is None:
            return False
        if self.state in (None, FreshnessState.LIVE) or time.monotonic() - self.listed < FRESH_SECONDS:
            return True
        as_of = self.reflector.as_of
        return bool(
            self.state is FreshnessState.STALE and as_of and time.time() - as_of.timestamp() < FRESH_SECONDS
        )


class GpuWatch:
    """Feeds two ledgers from the start until `cancel`: who holds GPUs, and what nodes have left at all."""

    def __init__(self, transport: Transport, ledger: GpuLedger, machines: MachineLedger) -> None:
        """Watch nothing yet."""
        self.ledger, self.machines = ledger, machines
        """What it feeds."""
        self.nodes = Source(Reflector(transport, NODES))
        self.pods = Source(Reflector(transport, DEVICE_PODS, fields=NOT_ENDED))
        self._owners = [Source(Reflector(transport, kind)) for kind in (JOB_OWNERS, DEPLOYMENT_OWNERS)]
        self._tasks: dict[Source, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    def start(self) -> None:
        """Start the watch of nodes and pods."""
        self._start(self.nodes, self.pods)

    def start_owners(self) -> None:
        """Start the watch of Jobs and Deployments too: they tell until when, and of whom."""
        self._start(*self._owners)

    def _start(self, *sources: Source) -> None:
        for source in sources:
            if source not in self._tasks:
                self._tasks[source] = asyncio.create_task(self._follow(source))

    def cancel(self) -> list[asyncio.Task[None]]:
        """Stop; return what is ending, for those who can wait."""
        for task in self._tasks.values():
            task.cancel()
        return [*self._tasks.values()]

    def refresh(self) -> None:
        """List everything anew at once."""
        for source in self._tasks:
            source.reflector.refresh()

    @property
    def is_fresh(self) -> bool:
        """Whether the ledger is what the cluster is, as far as one can know."""
        return self.nodes.is_fresh and self.pods.is_fresh

    async def why_unknown(self) -> str:
        """Wait until nodes and pods are known; return why they cannot be, "" where they are.

        Raises a BackendError where the cluster does not answer.
        """
        for source in (self.nodes, self.pods):
            await self._wait(lambda source=source: source.is_settled)  # type: ignore[misc]
        for source in (self.nodes, self.pods):
            if source.state is FreshnessState.FORBIDDEN and (why := await self._why_refused(source)):
                return why
            if not source.is_fresh:
                raise _error(source)
        return ""

    async def wait_for_owners(self) -> None:
        """Wait until the owners of pods are known, or cannot be."""
        for source in self._owners:
            await self._wait(lambda source=source: source.is_settled)  # type: ignore[misc]

    async def _why_refused(self, source: Source) -> str:
        """Return why a type cannot be known; where it may be listed at least, list it from time to time."""
        if source.listed is None:
            return source.why
        before = source.listed
        if time.monotonic() - before > LISTED_EVERY:
            source.reflector.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LISTED_EVERY):
                    await self._wait(lambda: source.listed != before)
        return "" if source.is_fresh else source.why

    async def _wait(self, holds: Callable[[], bool]) -> None:
        while not holds():
            for task in self._tasks.values():
                if task.cancelled():
                    raise Unreachable("The cluster is being asked anew.")
                if task.done():
                    task.result()
            news = self._news
            await news.wait()

    async def _follow(self, source: Source) -> None:
        try:
            async with contextlib.aclosing(source.reflector.batches()) as parts:
                async for part in parts:
                    self._apply(source, part)
                    self._tell()
        finally:
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _apply(self, source: Source, part: Delta[Any] | Synced | Freshness) -> None:
        match part:
            case Delta(changed, gone):
                for uid in gone:
                    self.ledger.remove(uid)
                    self.machines.remove(uid)
                for item in changed:
                    self.ledger.put(item)
                    if not isinstance(item, PodOwner):
                        self.machines.put(item)
            case Synced():
                source.listed = time.monotonic()
            case Freshness():
                source.freshness = part


def _error(source: Source) -> BackendError:
    error = source.reflector.error
    if isinstance(error, BackendError):
        return error
    return Unreachable(sentence(f"the GPUs cannot be counted: {fragment(source.why)}"))
