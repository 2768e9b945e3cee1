"""What a backend brings to the contract suite: itself, a way to run a script, a client that dies halfway."""

import asyncio
import contextlib
from pathlib import Path
from typing import Protocol

import pytest

from backend_client.local.backend import LocalBackend
from backend_client.models import Job, JobRef, JobSpec
from backend_client.protocol import Changed, Feature, JobBackend, JobQuery, Lines, LogQuery, Scope, Snapshot
from tests.contract.support.dying import DyingClients
from tests.support.wait import PATIENCE

DEADLINE = PATIENCE
"""Seconds that anything may take here."""


class Harness(Protocol):
    """One implementation, ready to use. A new backend adds one of these and a line in conftest."""

    backend: JobBackend

    def spec(self, script: str, **fields: object) -> JobSpec:
        """A job that runs `sh -c script`, as this context takes it."""
        ...

    def kept(self, written: bytes) -> bytes:
        """What a log keeps of what a job has written."""
        ...

    def refused(self) -> dict[str, str]:
        """Text that is not the default's, for each field that this context refuses."""
        ...

    async def crash_create(self, spec: JobSpec, key: str, step: int) -> bool:
        """Create it in a client that is killed at its step-th step (from 1); False where it has fewer."""
        ...

    async def queue(self) -> tuple[str, str]:
        """Make a queue in which one job runs, and name a priority there; both "" where there are none."""
        ...

    def outputs(self) -> str:
        """Where jobs write what is to stay, as this context takes it."""
        ...

    async def aclose(self) -> None: ...


def needs(backend: JobBackend, feature: Feature) -> None:
    """The one reason why a case may be left out."""
    if feature not in backend.features:
        pytest.skip(f"{backend.context} lacks {feature}: {backend.missing_features[feature]}")


SAMPLES = dict(
    pair.split("=", 1)
    for pair in """image=pytorch:2 gpu_type=H100 cpu=4 memory=8Gi shm_size=1Gi nodes=2 replicas=2 ports=8080
    ingress=off retries=3 priority=high queue=team queue_priority=urgent volumes=data:/data
    image_pull_secrets=login namespace=elsewhere cluster=other node_names=gpu-1 node_selector=disk=nvme
    tolerations=dedicated pod={"spec":{}} code=src""".split()
)


class LocalHarness:
    """Processes of this machine; the device table is two slots."""

    def __init__(self, root: Path) -> None:
        self._folder = root.parent
        self.backend = LocalBackend(root, gpus=2, grace=2.0)
        self._clients = DyingClients("dying_client", str(root))

    def spec(self, script: str, **fields: object) -> JobSpec:
        return JobSpec(command=("sh", "-c", script), **fields)  # type: ignore[arg-type]

    def kept(self, written: bytes) -> bytes:
        return written

    def refused(self) -> dict[str, str]:
        return SAMPLES

    async def crash_create(self, spec: JobSpec, key: str, step: int) -> bool:
        return await self._clients.create(spec, key, step)

    async def queue(self) -> tuple[str, str]:
        return "", ""

    def outputs(self) -> str:
        return str(self._folder / "results")

    async def aclose(self) -> None:
        self._clients.close()
        await remove_all(self.backend)
        await self.backend.aclose()


async def remove_all(backend: JobBackend) -> None:
    """Leave no process behind."""
    for job in (await backend.list(JobQuery())).items:
        if not job.read_only:
            async with contextlib.aclosing(backend.delete(job.ref)) as steps:
                async for _ in steps:
                    pass


async def until(backend: JobBackend, ref: JobRef, holds, seconds: float = DEADLINE) -> Job:
    """The job, as soon as `holds(job)`; told by watch alone."""
    last = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), contextlib.aclosing(backend.watch([Scope()])) as batches:
            async for batch in batches:
                for event in batch:
                    for job in event.jobs if isinstance(event, Snapshot | Changed) else ():
                        if job.ref.uid == ref.uid:
                            last = job
                            if holds(job):
                                return job
    raise AssertionError(f"not within {seconds} s; last seen: {last}")


async def finished(backend: JobBackend, ref: JobRef) -> Job:
    """The job, once it has ended for good."""
    return await until(backend, ref, lambda job: job.ended)


async def log_items(backend: JobBackend, ref: JobRef, *, after: str = "", **query) -> list:
    """Everything that `logs` gives, flat."""
    items = []
    async with asyncio.timeout(DEADLINE):
        async for batch in backend.logs(LogQuery(ref=ref, **query), after=after):
            items += batch
    return items


def text(items: list) -> bytes:
    """The bytes that the job wrote, put together as `Lines` says."""
    out = b""
    for item in items:
        if isinstance(item, Lines):
            out += b"\n".join(item.lines) + (b"" if item.open else b"\n")
    return out


async def log_text(backend: JobBackend, ref: JobRef, **query) -> bytes:
    """What the job wrote."""
    return text(await log_items(backend, ref, **query))
