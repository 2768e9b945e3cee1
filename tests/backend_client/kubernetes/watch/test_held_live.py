"""Since when a pod holds its GPUs, and until when, as a real API server writes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest

from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import Attempt
from backend_client.protocol import Changed, Scope, Snapshot
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, Manifest, path_of

pytestmark = [pytest.mark.api, pytest.mark.timeout(120)]
GPUS = {"nvidia.com/gpu": "2"}


class Watched:
    """The attempts of the only job of a namespace, as a watch tells them."""

    def __init__(self) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self._news = asyncio.Condition()

    async def follow(self, backend: KubernetesBackend, namespace: str) -> None:
        async with contextlib.aclosing(backend.watch([Scope(namespace)])) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Snapshot | Changed) and event.jobs:
                        self.attempts = event.jobs[-1].attempts
                async with self._news:
                    self._news.notify_all()

    async def until(self, holds: Callable[[Attempt], object]) -> Attempt:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: bool(self.attempts and holds(self.attempts[-1])))
        return self.attempts[-1]


@pytest.fixture
async def watched(cluster: Cluster, namespace: str) -> AsyncIterator[Watched]:
    backend = KubernetesBackend("lab", KubernetesSettings(), namespace=namespace, target=cluster.target())
    made = Watched()
    task = asyncio.create_task(made.follow(backend, namespace))
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await backend.aclose()


def job(namespace: str) -> Manifest:
    spec = {"managedBy": "example.org/nobody", "template": {"spec": body()}}
    metadata = {"name": "train", "namespace": namespace}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def body() -> Manifest:
    main = {"name": "main", "image": "i", "resources": {"limits": GPUS}}
    return {"restartPolicy": "Never", "containers": [main], "schedulerName": "nobody"}


class Node:
    """What scheduler and kubelet would do to one pod."""

    def __init__(self, live: Live, namespace: str, owner: Manifest) -> None:
        self.live, self.path = live, path_of("v1", "pods", namespace, "train-x")
        reference = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": "train",
            "uid": owner["metadata"]["uid"],
        }
        metadata = {
            "name": "train-x",
            "namespace": namespace,
            "ownerReferences": [reference | {"controller": True}],
        }
        self.pod = live.make({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body()})

    def bind(self) -> datetime:
        target = {"apiVersion": "v1", "kind": "Node", "name": "nowhere"}
        binding = {"metadata": {"name": "train-x"}, "target": target}
        status, answer = self.live.call("POST", f"{self.path}/binding", binding)
        assert status == 201, answer
        _, pod = self.live.call("GET", self.path)
        bound = next(one for one in pod["status"]["conditions"] if one["type"] == "PodScheduled")
        assert bound["status"] == "True"
        return datetime.fromisoformat(bound["lastTransitionTime"])

    def say(self, phase: str, state: Manifest) -> None:
        container = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        status = {"phase": phase, "containerStatuses": [container | {"state": state}]}
        code, answer = self.live.call(
            "PATCH", f"{self.path}/status", {"status": status}, media="merge-patch+json"
        )
        assert code == 200, answer


async def test_a_pod_holds_from_its_binding_until_it_has_ended(
    cluster: Cluster, namespace: str, watched: Watched
):
    live = Live(cluster.kubeconfig)
    node = Node(live, namespace, live.make(job(namespace)))
    waiting = await watched.until(lambda attempt: attempt.uid)
    assert (waiting.allocated, waiting.released) == (None, None)

    bound = node.bind()
    held = await watched.until(lambda attempt: attempt.allocated)
    assert (held.allocated, held.started, held.released) == (bound, None, None)

    node.say("Running", {"running": {"startedAt": "2026-11-30T10:05:00Z"}})
    live.call("DELETE", node.path, {"gracePeriodSeconds": 600})
    await watched.until(lambda attempt: attempt.started)
    assert watched.attempts[-1].released is None  # asked to end, it goes on to hold them

    ended = {"exitCode": 0, "startedAt": "2026-11-30T10:05:00Z", "finishedAt": "2099-01-01T00:00:00Z"}
    node.say("Succeeded", {"terminated": ended})
    freed = await watched.until(lambda attempt: attempt.released)
    assert freed.released == freed.finished == datetime.fromisoformat("2099-01-01T00:00:00+00:00")
    assert (freed.allocated, freed.exit_code, freed.evicted) == (bound, 0, None)


async def test_a_pod_that_is_gone_without_a_word_is_released_when_it_was_missed(
    cluster: Cluster, namespace: str, watched: Watched
):
    live = Live(cluster.kubeconfig)
    node = Node(live, namespace, live.make(job(namespace)))
    bound = node.bind()
    node.say("Running", {"running": {"startedAt": "2026-11-30T10:05:00Z"}})
    await watched.until(lambda attempt: attempt.started)
    live.call("DELETE", node.path, {"gracePeriodSeconds": 0})
    gone = await watched.until(lambda attempt: attempt.released)
    assert gone.log_gone
    assert gone.allocated == bound
    assert gone.released is not None
    assert abs((gone.released - bound).total_seconds()) < 60
