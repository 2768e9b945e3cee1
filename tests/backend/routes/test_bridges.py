"""Commands and ports through a server, over real sockets into real processes: who may, and how they end."""

import asyncio
import base64
import contextlib
import re
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from backend import audit, websocket_protocol
from backend.auth.caller import Caller
from backend.auth.cookie import NAME
from backend.auth.password_guard import TooMany
from backend.bridges import trail
from backend.bridges.open_bridges import Kind, OpenBridges
from backend.clusters.cluster import Cluster
from backend.db.models import AuditRow, Token, User
from backend_client.errors import LoginNeeded, NotFound, Refused, Unreachable
from backend_client.exec_session import ExecChannel, ExecQuery, TerminalSize
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec, JobState
from backend_client.models.secret import Secret
from backend_client.protocol import AccessReview, Feature, Verb
from backend_client.server import exec_session
from backend_client.server.backend import ServerBackend
from backend_client.server.roles import Role
from tests.backend_client.server.support.running import PASSWORD, running
from tests.contract.support.harness import remove_all, until
from tests.contract.test_contract_ports import ECHO, free_port
from tests.support.wait import async_until

PEOPLE = {"root": "admin", "ann": "researcher", "bob": "researcher", "eve": "viewer", "dan": "researcher"}
WORD = "hush-hush"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
}


@pytest.fixture
async def server(tmp_path, monkeypatch):
    """A server whose cluster is this machine, as a cluster that it may let people into."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running(tmp_path / "server", people=PEOPLE, local_gpus=2) as made:

        async def add():
            lab = LocalBackend(tmp_path / "lab", gpus=2, grace=0.5)
            made.app.state.runtime.jobs.clusters._connect(Cluster("local", lab, has_namespaces=False))

        made.do(add())
        yield made
    left = LocalBackend(tmp_path / "lab", gpus=2, grace=0.5)
    await remove_all(left)
    await left.aclose()


def token_of(server, name):
    answer = httpx.post(f"{server.url}/api/auth/login", json={"user": name, "password": PASSWORD})
    return answer.json()["token"]


@contextlib.asynccontextmanager
async def entered(server, name):
    token = token_of(server, name)
    backend = ServerBackend("server", server.url, lambda: Secret(token))
    backend.token = token
    yield backend
    await backend.aclose()


@pytest.fixture
async def ann(server):
    async with entered(server, "ann") as backend:
        yield backend


async def job_of(backend, script="sleep 600", name="train"):
    made = await backend.create(JobSpec(name=name, command=("sh", "-c", script)), key=name, secrets={})
    return await until(backend, made.ref, lambda job: job.state is JobState.RUNNING)


def change(server, statement):
    async def write():
        async with server.app.state.runtime.database.write() as session:
            await session.execute(statement)

    server.do(write())


def lines(server, verb):
    """The audit log of a verb, oldest first: (who, object, result)."""

    async def read():
        async with server.app.state.runtime.database.read() as session:
            assert not await audit.first_broken_line(session)
            rows = await session.scalars(select(AuditRow).where(AuditRow.verb == verb).order_by(AuditRow.id))
            return [(row.user, row.object, row.cluster, row.result) for row in rows]

    return server.do(read())


async def printed(session):
    out = b""
    while piece := await session.receive():
        out += piece[1]
    return out


async def test_a_command_and_what_is_written_of_it(server, ann, capfd):
    job = await job_of(ann)
    query = ExecQuery(ref=job.ref, argv=("sh", "-c", f"cat; echo {WORD} >&2; exit 3"), stdin=True)
    async with ann.open_exec(query) as session:
        await session.send(bytes(range(256)) * 1000)
        await session.end_input()
        found = dict.fromkeys(ExecChannel, b"")
        while piece := await session.receive():
            found[piece[0]] += piece[1]
    assert found == {
        ExecChannel.STDOUT: bytes(range(256)) * 1000,
        ExecChannel.STDERR: f"{WORD}\n".encode(),
    }
    assert session.ending.exit_code == 3
    began, ended = await async_until(lambda: len(found := lines(server, "exec")) > 1 and found)
    assert began == ("ann", "train rank 0", "local", "began")
    assert ended[:3] == began[:3]
    assert re.fullmatch(r"ended after \d s: exit 3", ended[3])
    assert WORD not in str(lines(server, "exec")) + "".join(capfd.readouterr())


async def listens(port):
    with contextlib.suppress(OSError):
        (await asyncio.open_connection("127.0.0.1", port))[1].close()
        return True


async def statuses(server, path, people):
    """Who gets which status for a WebSocket."""
    found = {}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for name, headers in people.items():
            async with client.stream("GET", path, headers=UPGRADE | headers) as answer:
                found[name] = answer.status_code
                if answer.status_code != 101:
                    kind = answer.headers["content-type"]
                    assert kind == "application/problem+json", (name, answer.status_code)
                    assert b'"title":"' in await answer.aread()
    return found


@pytest.mark.parametrize("path", ["/api/jobs/train/exec", "/api/jobs/train/ports/{port}"])
async def test_every_role(server, ann, path):
    port = free_port()
    await job_of(ann, ECHO.format(port=port, python=sys.executable))
    await async_until(lambda: listens(port))
    path = path.format(port=port)
    tokens = {name: token_of(server, name) for name in PEOPLE}
    tokens |= {name: token_of(server, "ann") for name in ("expired", "revoked")}
    people = {"nobody": {}} | {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}
    stranger = await statuses(server, path, {"eve": people["eve"]})
    change(server, update(User).where(User.name == "eve").values(team="*"))
    change(server, update(User).where(User.name == "dan").values(disabled=True))
    digests = {name: await digest_of(server, tokens[name]) for name in ("expired", "revoked")}
    past = datetime.now(UTC) - timedelta(minutes=1)
    change(server, update(Token).where(Token.id == digests["expired"]).values(expires=past))
    change(server, update(Token).where(Token.id == digests["revoked"]).values(revoked=past))
    assert stranger == {"eve": 404}
    assert await statuses(server, path, people) == {
        "nobody": 403,  # neither a login nor a page of ours
        "expired": 401,
        "revoked": 401,
        "dan": 401,
        "eve": 403,
        "bob": 404,
        "ann": 101,
        "root": 101,
    }


async def digest_of(server, token):
    """The id of a login."""
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {token}"}) as client:
        logins = (await client.get("/api/auth/tokens")).json()
    return next(one["id"] for one in logins["items"] if one["current"])


async def test_another_site_opens_nothing(server, ann):
    await job_of(ann)
    cookie = {"Cookie": f"{NAME}={ann.token}"}
    found = await statuses(
        server,
        "/api/jobs/train/exec",
        {
            "own": cookie | {"Origin": server.url},
            "foreign": cookie | {"Origin": "http://evil.example"},
            "none": cookie,
            "rebound": cookie | {"Origin": "http://evil.example", "Host": "evil.example"},
        },
    )
    assert found == {"own": 101, "foreign": 403, "none": 403, "rebound": 421}


async def test_what_is_asked_wrong_is_a_problem(server, ann):
    await job_of(ann)
    me = {"me": {"Authorization": f"Bearer {ann.token}"}}
    for path, status in {
        "/api/jobs/train/exec?rank=x": 422,
        "/api/jobs/train/ports/70000": 422,
        "/api/jobs/other/exec": 404,
        "/api/jobs": 404,
        "/api/jobs/train/exec?cluster=%00": 422,
        f"/api/jobs/train/ports/{free_port()}": 400,
    }.items():
        assert await statuses(server, path, me) == {"me": status}, path
    async with httpx.AsyncClient(base_url=server.url, headers=me["me"]) as client:
        body = await client.request("GET", "/api/jobs/train/exec", headers=UPGRADE, content=b"no")
        assert body.status_code == 400
        long = f"/api/jobs/train/exec?x={'x' * 9000}"  # longer than `websockets` reads a line
        assert (await client.get(long, headers=UPGRADE)).status_code == 431


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"\x00hello", "the first message says what to run"),
        (b"\x03{", "start"),
        (b'\x03{"shell": true}', "shell"),
        (b'\x03{"command": ["a\\u0000"]}', "NUL"),
        (b'\x03{"terminal": {"columns": 0, "rows": 1}}', "columns"),
    ],
)
async def test_a_first_message_that_is_none(server, ann, first, words):
    job = await job_of(ann)
    async with ann._connection.websocket("/api/jobs/train/exec", query={"uid": job.ref.uid}) as websocket:
        await websocket.send(first)
        with pytest.raises(Exception, match=words) as caught:
            exec_session.read_or_raise((await websocket.receive())[1:], "server")
    assert type(caught.value).__name__ == "Invalid"
    assert lines(server, "exec") == []


async def test_a_login_that_ends_ends_what_it_has_open(server, ann):
    """Within the bound of streams, and with all that ran in the job."""
    job = await job_of(ann)
    async with ann.open_exec(ExecQuery(ref=job.ref, argv=("sh", "-c", "echo $$; sleep 600"))) as session:
        pid = int((await session.receive())[1])
        async with httpx.AsyncClient(base_url=server.url) as client:
            await client.post("/api/auth/logout", headers={"Authorization": f"Bearer {ann.token}"})
        with pytest.raises(LoginNeeded, match="This login has ended"):
            await session.receive()
        await async_until(lambda: not alive(pid))
    ended = await async_until(lambda: lines(server, "exec")[1:])
    assert ended[0][3].endswith("this login has ended")


async def test_an_account_that_is_disabled_by_another_process(server, ann):
    job = await job_of(ann)
    async with ann.open_exec(ExecQuery(ref=job.ref, argv=("sleep", "600"))) as session:
        change(server, update(User).where(User.name == "ann").values(disabled=True))
        with pytest.raises(LoginNeeded):
            await asyncio.wait_for(session.receive(), 60)


async def test_a_server_that_stops_says_so_and_leaves_nothing(server, ann):
    job = await job_of(ann)
    script = "(trap '' HUP; sleep 600; :) & echo $!; sleep 600"
    async with ann.open_exec(ExecQuery(ref=job.ref, argv=("sh", "-c", script))) as session:
        pid = int((await session.receive())[1])
        await asyncio.to_thread(server.stop)
        with pytest.raises(Unreachable, match="The server stops"):
            await session.receive()
    await async_until(lambda: not alive(pid))


def alive(pid):
    """Whether a process runs; one that waits for its parent does not."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    return False


async def test_a_message_that_is_too_large_ends_it(server, ann):
    job = await job_of(ann)
    async with ann.open_exec(ExecQuery(ref=job.ref, argv=("cat",), stdin=True)) as session:
        await session._websocket.send(bytes(200_000))
        with pytest.raises(Unreachable):
            await asyncio.wait_for(session.receive(), 60)
    await async_until(lambda: len(lines(server, "exec")) == 2)


async def test_a_client_that_reads_nothing_holds_up_the_command_and_nobody_else(server, ann, tmp_path):
    job = await job_of(ann)
    done = tmp_path / "done"
    script = f"head -c 67108864 /dev/zero; touch {done}"
    async with ann.open_exec(ExecQuery(ref=job.ref, argv=("sh", "-c", script))) as session:
        _, first = await session.receive()
        async with ann.open_exec(ExecQuery(ref=job.ref, argv=("echo", "hi"))) as other:
            assert await printed(other) == b"hi\n"
        assert not done.exists()
        size = len(first)
        while piece := await session.receive():
            size += len(piece[1])
    assert done.exists()
    assert size == 67108864


async def test_a_client_that_is_gone_while_nothing_takes_its_input(server, ann, monkeypatch):
    monkeypatch.setattr(websocket_protocol, "PING_SECONDS", 0.05)
    job = await job_of(ann)
    query = ExecQuery(ref=job.ref, argv=("sh", "-c", "echo $$; exec sleep 600"), stdin=True)
    async with ann.open_exec(query) as session:
        pid = int((await session.receive())[1])
        giving = asyncio.create_task(session.send(bytes(2**26)))
        await asyncio.sleep(0)
        assert alive(pid)
        giving.cancel()
    await async_until(lambda: not alive(pid))
    assert (await async_until(lambda: lines(server, "exec")[1:]))[0][3].endswith("the client left")


async def test_a_client_that_answers_nothing_is_dead(server, ann, monkeypatch):
    monkeypatch.setattr(websocket_protocol, "PING_SECONDS", 0.05)
    monkeypatch.setattr(websocket_protocol, "DEAD_SECONDS", 0.3)
    job = await job_of(ann)
    async with ann.open_exec(ExecQuery(ref=job.ref, argv=("sleep", "600"))):
        ended = await async_until(lambda: lines(server, "exec")[1:])  # nobody receives here
        assert ended[0][3].endswith("the client left")


async def test_a_terminal_and_its_size(server, ann):
    job = await job_of(ann)
    query = ExecQuery(ref=job.ref, argv=("sh",), stdin=True, terminal=TerminalSize(101, 33), term="vt100")
    async with ann.open_exec(query) as session:
        await session.resize(TerminalSize(0, 20))  # one that does not know its width
        await session.send(b"stty size; echo $TERM; exit 7\n")
        out = await printed(session)
    assert b"20 1\r\nvt100\r\n" in out
    assert session.ending.exit_code == 7


async def test_ports_and_what_is_written_of_them(server, ann, monkeypatch):
    monkeypatch.setattr(trail, "QUIET_SECONDS", 0.2)
    port = free_port()
    job = await job_of(ann, ECHO.format(port=port, python=sys.executable))
    data = bytes(range(256)) * 2000

    async def echoed():
        async with ann.open_port(job.ref, port) as connection:
            sending = asyncio.create_task(connection.send(data))
            got = b""
            while len(got) < len(data) and (more := await connection.receive()):
                got += more
            await sending
            return got

    await async_until(lambda: listens(port))
    assert await asyncio.gather(*(echoed() for _ in range(6))) == [data] * 6
    found = await async_until(lambda: len(found := lines(server, "port")) == 2 and found)
    assert found[0] == ("ann", f"train rank 0 port {port}", "local", "began")
    assert re.fullmatch(r"ended after \d s: connections: 6", found[1][3])


async def test_a_rank_that_is_not_there_and_a_job_that_is_not(server, ann):
    job = await job_of(ann)
    with pytest.raises(NotFound, match="There is no rank 3 of train"):
        async with ann.open_exec(ExecQuery(ref=job.ref, rank=3, argv=("true",))):
            pass
    async with entered(server, "bob") as bob:
        with pytest.raises(NotFound, match="There is no job train"):
            async with bob.open_exec(ExecQuery(ref=job.ref, argv=("true",))):
                pass
        with pytest.raises(NotFound, match="There is no job train"):
            async with bob.open_port(job.ref, 80):
                pass


async def test_who_may_is_told_before(server, ann):
    job = await job_of(ann)

    async def told(name):
        async with entered(server, name) as backend:
            asked = [AccessReview(Verb.EXEC), AccessReview(Verb.EXEC, job.ref)]
            return [(one.allowed, one.why) for one in await backend.check_access(asked)]

    assert await told("ann") == [(True, ""), (True, "")]
    assert await told("root") == [(True, ""), (True, "")]
    assert (await told("bob"))[1] == (None, "There is no such job of yours.")
    change(server, update(User).where(User.name == "eve").values(team="*"))
    assert [(allowed, why[:7]) for allowed, why in await told("eve")] == [(False, "Viewers")] * 2


async def test_no_ports_and_no_shells_of_the_machine_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running(tmp_path / "server", people=PEOPLE, local=True, local_gpus=2, exec=True) as server:
        async with entered(server, "ann") as ann:
            job = await job_of(ann)
            with pytest.raises(Refused, match="No command can be run in the job train"):
                async with ann.open_exec(ExecQuery(ref=job.ref, argv=("true",))):
                    pass
            with pytest.raises(Refused, match=r"The ports of the job train cannot be reached\.") as caught:
                async with ann.open_port(job.ref, server.port):
                    pass
            assert caught.value.hint.startswith("A server opens no ports of the machine")
            lacks = (await ann.fetch_capabilities()).missing_features
            assert lacks[Feature.EXEC].startswith("a server opens no shells on the machine")
            (decision,) = await ann.check_access([AccessReview(Verb.EXEC, job.ref)])
            assert decision.allowed is False
    await remove_all(LocalBackend(gpus=2, grace=0.5))


def test_a_login_has_a_bounded_number():
    bridges, who = OpenBridges(), Caller(1, "ann", Role.RESEARCHER, 1, "", "")
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(bridges.count(Kind.COMMANDS, who))
        with pytest.raises(TooMany, match="32 commands and shells"), bridges.count(Kind.COMMANDS, who):
            pass
        with bridges.count(Kind.CONNECTIONS, who):
            pass
    with bridges.count(Kind.COMMANDS, who):
        pass


def test_clusters_let_nobody_in_until_an_admin_says_so(server):
    registry = server.app.state.runtime.jobs.clusters
    backend = next(iter(registry)).backend
    for switched, features in ((False, set()), (True, {Feature.EXEC, Feature.PORTS})):
        registry._settings = registry._settings.model_copy(update={"exec": switched})
        cluster = registry._cluster("lab", backend, "")
        assert {Feature.EXEC, Feature.PORTS} - cluster.lacks.keys() == features
