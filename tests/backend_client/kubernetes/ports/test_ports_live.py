"""Forwards to pods of a real node: byte for byte, many at once, over a pod's death."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Iterator

import pytest
from msgspec import convert

from backend_client.errors import Forbidden, NotFound, Refused
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.ports.connection import open_connection
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobRef, JobSpec, JobState
from backend_client.ports import forward as forwarding
from backend_client.ports.forward import Forward
from tests.backend_client.kubernetes.conftest import Cluster, through
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.backend_client.kubernetes.support.node_pods import BUSYBOX, SLOT, NodePods, impersonating
from tests.support.faults import Wire, reset

pytestmark = [pytest.mark.node, pytest.mark.xdist_group("ports")]

ECHO, WORD, WEB = 7000, 7001, 7002
_SERVE = (
    "trap exit TERM; mkdir /tmp/w; head -c 300000 /dev/urandom >/tmp/w/data; "
    f"nc -ll -p {ECHO} -e cat & nc -ll -p {WORD} -e echo hello & httpd -f -p 127.0.0.1:{WEB} -h /tmp/w & wait"
)


@pytest.fixture(scope="module")
def pods(shared_cluster: Cluster) -> Iterator[NodePods]:
    made = NodePods(Live(shared_cluster.kubeconfig))
    try:
        made.offer_slots()
        yield made
    finally:
        made.close()


@pytest.fixture
async def backend(shared_cluster: Cluster, pods: NodePods) -> AsyncIterator[KubernetesBackend]:
    site = KubernetesSettings(gpu_resource=SLOT)
    made = KubernetesBackend("c", site, namespace=pods.namespace, target=shared_cluster.target())
    yield made
    await made.aclose()


@pytest.fixture
async def ref(backend: KubernetesBackend) -> JobRef:
    """The same deployment for all: its create is repeated."""
    spec = JobSpec(name="srv", kind="deployment", image=BUSYBOX, gpus=1, command=("sh", "-c", _SERVE))
    job = await backend.create(spec, key="srv", secrets={})
    async with asyncio.timeout(60):
        while job.state is not JobState.RUNNING:
            job = await backend.get(job.ref)
        while not await _answers(backend, job.ref):
            pass
    return job.ref


async def _answers(backend: KubernetesBackend, ref: JobRef) -> bool:
    try:
        async with backend.open_port(ref, WORD) as connection:
            return await connection.receive() == b"hello\n"
    except Refused:
        return False


@pytest.fixture
async def said() -> list[str]:
    return []


@pytest.fixture
async def forward(backend, ref, said) -> AsyncIterator[Forward]:
    made = Forward(backend, ref, ECHO, say=said.append)
    await made.listen()
    yield made
    await made.aclose()


async def echoed(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def write() -> None:
        for begin in range(0, len(data), 65536):
            writer.write(data[begin : begin + 65536])
            await writer.drain()

    writing = asyncio.create_task(write())
    try:
        return await reader.readexactly(len(data))
    finally:
        await writing
        writer.close()


async def test_20_megabytes_both_ways_are_exact(forward):
    data = os.urandom(20_000_000)
    assert hashlib.sha256(await echoed(forward.local_port, data)).digest() == hashlib.sha256(data).digest()
    assert (forward.sent, forward.received) == (len(data), len(data))


async def fetched(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /data HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


async def test_fifty_at_once_are_exact(backend, ref, said):
    """By a server that listens on the pod's loopback alone, as Jupyter and TensorBoard do."""
    made = Forward(backend, ref, WEB, say=said.append)
    await made.listen()
    try:
        first = await fetched(made.local_port)
        assert len(first) == 300_000
        assert await asyncio.gather(*(fetched(made.local_port) for _ in range(50))) == [first] * 50
        assert (made.connections, said) == (51, [])
    finally:
        await made.aclose()


async def test_the_end_of_an_answer_comes(backend, ref):
    made = Forward(backend, ref, WORD)
    await made.listen()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.local_port)
        assert await reader.read() == b"hello\n"
        writer.close()
    finally:
        await made.aclose()


async def test_nothing_listens(backend, ref, said):
    made = Forward(backend, ref, 7999, say=said.append)
    await made.listen()
    try:
        for _ in range(2):
            reader, _writer = await asyncio.open_connection("127.0.0.1", made.local_port)
            with pytest.raises(ConnectionResetError):
                await reader.read()
    finally:
        await made.aclose()
    assert len(said) == 1
    assert said[0].startswith("Nothing listens on port 7999 of pod srv-")


async def test_a_replaced_pod_is_served_again(forward, pods, said):
    assert await echoed(forward.local_port, b"before") == b"before"
    (pod,) = pods.live.items("v1", "pods", pods.namespace)
    pods.live.call("DELETE", path_of("v1", "pods", pods.namespace, pod["metadata"]["name"]))

    async def again() -> bool:
        try:
            return await echoed(forward.local_port, b"after") == b"after"
        except (OSError, EOFError):
            return False

    async with asyncio.timeout(60):
        while not await again():
            pass
    assert forward.trouble == ""


async def echoed_or_cut(port: int, data: bytes) -> bool:
    """Return True where all came back, False where the connection was reset: an end would look like all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        assert await reader.readexactly(len(data)) == data
    except ConnectionError:
        return False
    finally:
        reset(writer)
    return True


@pytest.mark.slow
async def test_200_cuts_of_the_line(shared_cluster, pods, ref, said, monkeypatch):
    """Each cut connection ends for its client, the next ones work, the forward goes on and counts right."""
    monkeypatch.setattr(forwarding, "_PAUSE", 0.01)
    target, data, clients, outcomes = shared_cluster.target(), os.urandom(100_000), 8, []
    async with Wire(target.address.host, target.address.port) as wire:
        chance = random.Random(16)
        wire.limits = [chance.randrange(1_000, 800_000) for _ in range(200)]
        wire.both_ways = True
        site = KubernetesSettings(gpu_resource=SLOT)
        far = KubernetesBackend("c", site, namespace=pods.namespace, target=through(wire, target))
        forward = Forward(far, ref, ECHO, say=said.append)
        await forward.listen()

        async def connect_again_and_again() -> None:
            while wire.limits:
                async with asyncio.timeout(60):
                    outcomes.append(await echoed_or_cut(forward.local_port, data))

        try:
            await asyncio.gather(*(connect_again_and_again() for _ in range(clients)))
            assert await echoed(forward.local_port, data) == data
            assert forward.trouble == ""
        finally:
            await forward.aclose()
            await far.aclose()
    whole = outcomes.count(True) + 1
    assert wire.cuts == 200
    assert min(whole, outcomes.count(False)) > 20
    assert (forward.connections, forward.open) == (len(outcomes) + 1, 0)
    assert whole * len(data) <= forward.received <= forward.sent <= forward.connections * len(data)


async def test_who_may_not_is_told_which_right_is_missing(shared_cluster, pods, ref):
    pods.may("nia", [])
    target = impersonating(shared_cluster.target(), "nia")
    theirs = KubernetesBackend("c", KubernetesSettings(), namespace=pods.namespace, target=target)
    (pod,) = pods.live.items("v1", "pods", pods.namespace)
    try:
        transport = await theirs._session.transport()
        mine = convert(pod, Pod)
        with pytest.raises(Forbidden, match="pods/portforward in"):
            async with open_connection(transport, mine, ECHO):
                pass
    finally:
        await theirs.aclose()


async def test_no_such_job(backend, ref):
    with pytest.raises(NotFound):
        async with backend.open_port(JobRef(ref.context, ref.namespace, ref.kind, "nope", "0"), ECHO):
            pass
