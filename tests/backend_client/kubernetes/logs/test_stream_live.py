"""Logs of real containers; `kubectl logs` is the judge."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
import pytest

from backend_client.errors import NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.stream import stream_job_log
from backend_client.kubernetes.resources.resource_types import JOBS, PODS
from backend_client.logs import follow
from backend_client.models import JobRef
from backend_client.protocol import Closed, Gap, Lines, LogItem, LogQuery, Opened
from tests.backend_client.kubernetes.conftest import Cluster

pytestmark = pytest.mark.node


class Backend:
    """The part of a backend that `follow` needs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def logs(self, query: LogQuery, *, after: str = "") -> AsyncIterator[Sequence[LogItem]]:
        return stream_job_log(self._transport, query, after=after)


def pod_spec(script: str, restart: str) -> dict[str, Any]:
    main = {"name": "main", "image": "traindeck.dev/busybox:1", "command": ["sh", "-c", script]}
    return {
        "restartPolicy": restart,
        "nodeSelector": {"type": "real"},
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
        "containers": [main],
    }


@pytest.fixture
def make(transport: Transport, namespace: str) -> Callable[..., Any]:
    """A pod, or with `ranks` an Indexed Job."""

    async def made(script: str, *, restart: str = "Never", ranks: int = 0, retries: int = 0) -> JobRef:
        pod = {"spec": pod_spec(script, restart)}
        kind, body = PODS, pod | {"metadata": {"name": "p"}}
        if ranks:
            spec = {"completionMode": "Indexed", "completions": ranks, "parallelism": ranks}
            kind = JOBS
            body = {"metadata": {"name": "j"}, "spec": spec | {"template": pod, "backoffLimit": retries}}
        answer = await transport.request("POST", kind.path(namespace), body=msgspec.json.encode(body))
        metadata = json.loads(answer.body)["metadata"]
        return JobRef("k", namespace, "job" if ranks else "pod", metadata["name"], metadata["uid"])

    return made


async def everything(transport: Transport, ref: JobRef, **query: Any) -> list[LogItem]:
    """All that a log tells, reopened wherever it breaks."""
    items: list[LogItem] = []
    async with asyncio.timeout(100):
        async for batch in follow(Backend(transport), LogQuery(ref=ref, **query), random_part=lambda: 0.05):
            items += batch
    return items


def text(items: Sequence[LogItem], rank: int | None = None) -> bytes:
    return b"".join(
        b"\n".join(item.lines) + b"\n" * (not item.open)
        for item in items
        if isinstance(item, Lines) and rank in (None, item.source.rank)
    )


async def kubectl(cluster: Cluster, *argv: str) -> bytes:
    command = [shutil.which("kubectl") or "kubectl", f"--kubeconfig={cluster.kubeconfig}", *argv]
    done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    return done.stdout


async def test_followed_from_before_it_starts_to_its_end(
    transport: Transport, cluster: Cluster, make: Callable[..., Any]
) -> None:
    ref = await make("for i in $(seq 300); do echo line $i; done; sleep 1; echo; printf 'no newline'")
    items = await everything(transport, ref, follow=True)
    assert isinstance(items[0], Opened)
    assert items[-1] == Closed("Succeeded")
    assert not any(isinstance(item, Gap) for item in items)
    assert text(items) == await kubectl(cluster, "logs", "-n", ref.namespace, ref.name)
    assert text(await everything(transport, ref)) == text(items)
    for count in (0, 1, 2, 250, 999):
        lines = [*[b"line %d" % number for number in range(1, 301)], b"", b"no newline"]
        assert text(await everything(transport, ref, tail=count)) == b"\n".join(lines[-count:] * bool(count))


async def test_restarts_are_followed_on(transport: Transport, make: Callable[..., Any]) -> None:
    script = (
        "n=$(cat /d/n 2>/dev/null || echo 0); for i in 1 2 3; do echo $i; done; sleep 0.3; echo end; exit 1"
    )
    ref = await make(script, restart="OnFailure")
    seen: list[LogItem] = []
    async with asyncio.timeout(60):
        async for batch in stream_job_log(transport, LogQuery(ref=ref, follow=True)):
            seen += batch
            if text(seen).count(b"end") == 2:
                break
    opened = [item.source.attempt for item in seen if isinstance(item, Opened)]
    assert opened == [1, 2]
    assert text(seen) == b"1\n2\n3\nend\n" * 2
    assert not any(isinstance(item, Gap) for item in seen)


async def test_ranks_come_merged_or_one_by_one(transport: Transport, make: Callable[..., Any]) -> None:
    ref = await make("for i in $(seq 20); do echo $JOB_COMPLETION_INDEX $i; sleep 0.05; done", ranks=3)
    items = await everything(transport, ref, follow=True)
    assert items[-1] == Closed("Succeeded")
    for rank in range(3):
        assert text(items, rank) == b"".join(b"%d %d\n" % (rank, number) for number in range(1, 21))
        assert text(await everything(transport, ref, rank=rank)) == text(items, rank)
    again = await everything(transport, ref)
    times = [time for item in again if isinstance(item, Lines) for time in item.times]
    assert times == sorted(times)
    assert len(times) == 60
    with pytest.raises(NotFound):
        await everything(transport, ref, rank=3)
    with pytest.raises(NotFound):
        await everything(transport, ref, attempt=2)


async def test_a_retried_rank_is_another_attempt(transport: Transport, make: Callable[..., Any]) -> None:
    script = 'echo "on $HOSTNAME"; sleep 0.5; exit 3'
    ref = await make(script, ranks=1, retries=1)
    items = await everything(transport, ref, follow=True)
    assert [item.source.attempt for item in items if isinstance(item, Opened)] == [1, 2]
    assert len({item.source.where for item in items if isinstance(item, Opened)}) == 2
    assert text(items).count(b"on ") == 2
    first = await everything(transport, ref, attempt=1)
    assert text(first) == next(item.lines[0] for item in items if isinstance(item, Lines)) + b"\n"


async def test_going_on_behind_any_cursor(transport: Transport, make: Callable[..., Any]) -> None:
    ref = await make("for i in 1 2 3 4 5 6; do printf 'a%s ' $i; sleep 0.3; echo b$i; seq 50; done")
    await everything(transport, ref, follow=True)
    items = await everything(transport, ref)
    for place, item in enumerate(items):
        if isinstance(item, Lines):
            rest = [
                new
                async for batch in stream_job_log(transport, LogQuery(ref=ref), after=item.cursor)
                for new in batch
            ]
            assert text(items[: place + 1]) + text(rest) == text(items)
            assert not any(isinstance(new, Opened | Gap) for new in rest)


async def test_a_deleted_pod_ends_its_log(transport: Transport, make: Callable[..., Any]) -> None:
    ref = await make("echo started; sleep 1000")
    items: list[LogItem] = []
    async with asyncio.timeout(60):
        async for batch in stream_job_log(transport, LogQuery(ref=ref, follow=True)):
            items += batch
            if batch == [item for item in batch if isinstance(item, Lines)]:
                await transport.request("DELETE", PODS.path(ref.namespace, ref.name))
    assert text(items) == b"started\n"
    assert items[-1] == Closed("the job was deleted")
    with pytest.raises(NotFound):
        await everything(transport, ref)
