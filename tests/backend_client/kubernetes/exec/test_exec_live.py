"""Commands in a container of a real node."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest

from backend_client.errors import BackendError, Forbidden, NotFound, Refused, Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.run_command import CommandResult, StillRuns, run_command
from tests.backend_client.kubernetes.conftest import Cluster, through
from tests.backend_client.kubernetes.support.live import Live
from tests.backend_client.kubernetes.support.node_pods import NodePods, impersonating
from tests.support.faults import Wire
from tests.support.wait import async_until

pytestmark = [pytest.mark.node, pytest.mark.xdist_group("exec")]


@pytest.fixture(scope="module")
def pods(shared_cluster: Cluster) -> Iterator[NodePods]:
    made = NodePods(Live(shared_cluster.kubeconfig))
    try:
        made.make("v1", "Pod", "p", spec=made.spec())
        made.until_ready(1)
        yield made
    finally:
        made.close()


@pytest.fixture
async def admin(shared_cluster: Cluster) -> AsyncIterator[Transport]:
    made = Transport(shared_cluster.target())
    yield made
    await made.aclose()


async def done(
    transport: Transport, pods: NodePods, *argv: str, name: str = "main", pod: str = "p"
) -> CommandResult:
    return await run_command(
        transport, Container(pods.namespace, pod, name), argv, most=32 * 2**20, seconds=60
    )


@pytest.mark.parametrize(
    ("argv", "code", "stdout", "stderr"),
    [
        (["true"], 0, b"", b""),
        (["false"], 1, b"", b""),
        (["sh", "-c", "exit 3"], 3, b"", b""),
        (["sh", "-c", "kill -9 $$"], 137, b"", b""),
        (["sh", "-c", "echo out; echo err >&2; echo out; exit 4"], 4, b"out\nout\n", b"err\n"),
        (["printf", r"%s|", "a b", "c&d=e", "ä€😀", "", "%2F"], 0, "a b|c&d=e|ä€😀||%2F|".encode(), b""),
        (["printf", r"\377\0\n"], 0, b"\xff\0\n", b""),
        (["head", "-c", "3"], 0, b"", b""),
        (["nope"], 127, b"", b""),
        (["/bin/nope"], 127, b"", b""),
        (["sh", "-c", "nope 2>/dev/null"], 127, b"", b""),
        (["/etc"], None, b"", b""),
    ],
)  # fmt: skip
async def test_a_command_and_its_end(admin, pods, argv, code, stdout, stderr):
    result = await done(admin, pods, *argv)
    assert (result.ending.exit_code, result.stdout, result.stderr) == (code, stdout, stderr)
    assert bool(result.ending.message) == (code is None or argv[0].endswith("nope"))


async def test_20_megabytes_come_whole(admin, pods):
    script = "head -c 20000000 /dev/urandom | tee /tmp/big; sha256sum /tmp/big >&2"
    result = await done(admin, pods, "sh", "-c", script)
    assert len(result.stdout) == 20_000_000
    assert hashlib.sha256(result.stdout).hexdigest().encode() == result.stderr.split()[0]
    assert result.ending.exit_code == 0


async def test_many_at_once(admin, pods):
    results = await asyncio.gather(*(done(admin, pods, "sh", "-c", f"echo {n}; exit {n}") for n in range(8)))
    assert [(r.ending.exit_code, r.stdout) for r in results] == [(n, b"%d\n" % n) for n in range(8)]


async def test_what_is_not_there(admin, pods):
    with pytest.raises(NotFound, match='pods "none" not found'):
        await done(admin, pods, "true", pod="none")
    with pytest.raises(Refused, match="container none is not valid for pod p"):
        await done(admin, pods, "true", name="none")
    spec = pods.spec() | {"schedulingGates": [{"name": "traindeck.dev/never"}]}
    pods.make("v1", "Pod", "waits", spec=spec)
    with pytest.raises(BackendError, match="pod waits"):
        await done(admin, pods, "true", pod="waits")


@pytest.mark.parametrize(
    ("verbs", "missing"),
    [((), "get"), (("create",), "get"), (("get",), "create"), (("get", "create"), "")],
    ids=["none", "create", "get", "both"],
)
async def test_both_rights_are_needed(shared_cluster, admin, pods, verbs, missing):
    user = f"person-{'-'.join(verbs) or 'none'}"
    pods.may(user, verbs)
    transport = Transport(impersonating(shared_cluster.target(), user))

    async def known():  # a new role is known to the API server a moment later
        path = f"/api/v1/namespaces/{pods.namespace}/pods"
        return (await transport.request("GET", path, allow={403})).status == 200

    try:
        await async_until(known)
        if missing:
            with pytest.raises(Forbidden) as caught:
                await done(transport, pods, "true")
            assert caught.value.title == f"You may not {missing} pods/exec in {pods.namespace}."
            assert "get and create" in caught.value.hint
        else:
            assert (await done(transport, pods, "true")).ending.exit_code == 0
    finally:
        await transport.aclose()


async def test_a_link_that_is_cut_midway(shared_cluster, pods):
    target = shared_cluster.target()
    async with Wire(target.address.host, target.address.port) as wire:
        transport = Transport(through(wire, target))
        try:
            assert (await done(transport, pods, "true")).ending.exit_code == 0
            wire.limits = [3_000_000]
            with pytest.raises(Unreachable, match="broke"):
                await done(transport, pods, "head", "-c", "20000000", "/dev/zero")
            assert wire.cuts == 1
            assert (await done(transport, pods, "true")).ending.exit_code == 0
        finally:
            await transport.aclose()


async def test_a_pod_that_is_deleted_ends_what_runs_in_it(admin, pods):
    pods.make("v1", "Pod", "gone", spec=pods.spec())
    pods.until_ready(2)
    task = asyncio.create_task(done(admin, pods, "sleep", "600", pod="gone"))

    async def begun():
        return b"600" in (await done(admin, pods, "ps", pod="gone")).stdout

    await async_until(begun)
    await admin.request("DELETE", f"/api/v1/namespaces/{pods.namespace}/pods/gone")
    assert (await task).ending.exit_code == 137


async def test_what_does_not_end_is_given_up(admin, pods):
    where = Container(pods.namespace, "p", "main")
    with pytest.raises(StillRuns):
        await run_command(admin, where, ["sleep", "60"], most=100, seconds=1)
    with pytest.raises(Refused, match="more than 100 bytes"):
        await run_command(admin, where, ["head", "-c", "200", "/dev/zero"], most=100, seconds=60)
