"""A server that is older than this client: what it cannot tell is said; its job is not taken for gone."""

import pytest

from backend_client.errors import NotFound, Refused, Unreachable
from backend_client.exec_session import ExecQuery
from backend_client.models import JobRef
from backend_client.models.secret import Secret
from backend_client.protocol import Scope
from backend_client.server.backend import ServerBackend
from tests.backend_client.server.conftest import TOKEN
from tests.backend_client.server.support.scripted import answer

REF = JobRef("gpu", "ns", "job", "train", "uid-1")
JOB = {
    "ref": {"context": "", "namespace": "ns", "kind": "job", "name": "train", "uid": "uid-1"},
    "spec": {"name": "train"},
    "state": "Running",
    "created": "2026-11-30T12:00:00Z",
}
NOTHING = answer({"title": "There is nothing at that path.", "kind": "NotFound"}, "404 Not Found")
NO_JOB = answer({"title": "There is no job train.", "kind": "NotFound"}, "404 Not Found")


@pytest.fixture
async def backend(server):
    made = ServerBackend("gpu", server.url, lambda: Secret(TOKEN))
    yield made
    await made.aclose()


async def test_a_server_without_reasons_is_not_a_job_that_is_gone(server, backend):
    server.script = [NOTHING, answer(JOB)]
    with pytest.raises(Refused, match="tells no reasons"):
        await backend.explain(REF)


async def test_a_job_that_is_gone_is_gone(server, backend):
    server.script = [NO_JOB, NO_JOB]
    with pytest.raises(NotFound, match="no job train"):
        await backend.explain(REF)


async def test_a_server_without_machines_says_so(server, backend):
    server.script = [NOTHING]
    found = await backend.nodes(Scope())
    assert not found.nodes
    assert found.unknown_because.startswith("this server tells nothing of them")


async def test_a_server_that_lets_nobody_into_jobs_is_not_a_job_that_is_gone(server, backend):
    server.script = [NOTHING, answer(JOB), NOTHING, answer(JOB), NO_JOB, NO_JOB]
    with pytest.raises(Refused, match="runs no commands in jobs"):
        async with backend.open_exec(ExecQuery(ref=REF)):
            pass
    with pytest.raises(Refused, match="passes no connections on"):
        async with backend.open_port(REF, 80):
            pass
    with pytest.raises(NotFound, match="no job train"):
        async with backend.open_port(REF, 80):
            pass


async def test_a_proxy_that_lets_no_websocket_through(server, backend):
    server.script = [answer(JOB)]
    with pytest.raises(Unreachable, match="answers what is no WebSocket"):
        async with backend.open_port(REF, 80):
            pass
