"""What every backend with ports promises: bytes as they are, and a sentence where nobody is."""

import asyncio
import socket
import sys

import pytest

from backend_client.errors import Conflict, NotFound, Refused
from backend_client.exec_session import HasPorts
from backend_client.models import JobRef, JobState
from backend_client.protocol import Feature
from tests.contract.support.harness import finished, needs, until

DATA = bytes(range(256)) * 40
ECHO = """if [ -x {python} ]; then exec {python} -c '
import socket
with socket.create_server(("127.0.0.1", {port})) as server:
    while True:
        with server.accept()[0] as peer:
            while data := peer.recv(65536):
                peer.sendall(data)
'; else exec nc -ll -p {port} -e cat; fi"""
"""By the Python of this machine; in a container by busybox."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def running(harness, backend, script):
    needs(backend, Feature.PORTS)
    job = await backend.create(harness.spec(script), key="k", secrets={})
    return await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)


async def echoed(backend, ref, port) -> bytes:
    async with backend.open_port(ref, port) as connection:
        await connection.send(DATA)
        got = b""
        while len(got) < len(DATA) and (more := await connection.receive()):
            got += more
        return got


async def test_what_is_sent_comes_back(harness, backend):
    port = free_port()
    job = await running(harness, backend, ECHO.format(port=port, python=sys.executable))
    async with asyncio.timeout(30):
        while True:
            try:
                assert await echoed(backend, job.ref, port) == DATA
                break
            except Refused:  # it does not listen yet
                await asyncio.sleep(0.1)


async def test_nothing_listens(harness, backend):
    job = await running(harness, backend, "sleep 100")
    with pytest.raises(Refused, match="Nothing listens on port"):
        async with backend.open_port(job.ref, free_port()) as connection:
            await connection.receive()


async def test_an_ended_job_has_no_ports(harness, backend):
    needs(backend, Feature.PORTS)
    assert isinstance(backend, HasPorts)
    job = await backend.create(harness.spec("true"), key="k", secrets={})
    await finished(backend, job.ref)
    with pytest.raises(Refused, match="has ended") as caught:
        await echoed(backend, job.ref, 1)
    assert not isinstance(caught.value, Conflict)  # nobody waits for it


async def test_a_job_that_is_not_there_is_not_found(backend):
    needs(backend, Feature.PORTS)
    with pytest.raises(NotFound):
        await echoed(backend, JobRef(backend.context, backend.namespace, "job", "nope", "0"), 1)
