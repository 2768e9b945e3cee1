"""Logins: files that change, and programs that hang, fail, ask or print nonsense."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend_client.errors import BackendError, LoginNeeded
from backend_client.kubernetes.api import credentials
from backend_client.kubernetes.api.credentials import ExecPlugin, Fixed, Login, Plugin, TokenFile, bearer
from backend_client.kubernetes.api.transport import Transport
from tests.backend_client.kubernetes.support.faults import FaultyApi, Pods
from tests.support.wait import async_until

V1 = "client.authentication.k8s.io/v1"


def ended(pid: int) -> bool:
    """True as well where nobody has taken its exit status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def plugin(script: str, **more: Any) -> ExecPlugin:
    """A login program that is a Python script."""
    fields: dict[str, Any] = {
        "command": sys.executable,
        "arguments": ["-c", script],
        "environment": {},
        "api_version": V1,
        "interactive": "IfAvailable",
        "hint": "",
        "cluster": None,
        "context": "one",
    }
    return ExecPlugin(Plugin(**(fields | more)), Login())


def granting(status: str, log: Path | None = None) -> str:
    """A script that grants `status` (Python) and counts its runs in a file."""
    count = f"open({str(log)!r}, 'a').write('x')" if log else ""
    answer = f"print(json.dumps({{'apiVersion': {V1!r}, 'kind': 'ExecCredential', 'status': {status}}}))"
    return f"import json, os, sys\n{count}\n{answer}"


async def shown(source: ExecPlugin | TokenFile) -> str:
    login = await source.login()
    return login.authorization.reveal() if login.authorization else ""


async def test_a_token_is_kept_until_a_minute_before_its_end(tmp_path: Path) -> None:
    def until(seconds: int) -> str:
        end = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        return granting(f"{{'token': 't', 'expirationTimestamp': {end!r}}}", tmp_path / "log")

    lasting = plugin(until(70))
    assert await shown(lasting) == await shown(lasting) == "Bearer t"
    assert (tmp_path / "log").read_text() == "x"
    ending = plugin(until(50))
    await shown(ending)
    await shown(ending)
    assert (tmp_path / "log").read_text() == "xxx"


async def test_many_ask_and_it_runs_once(tmp_path: Path) -> None:
    source = plugin(granting("{'token': 't'}", tmp_path / "log"))
    await asyncio.gather(*(source.login() for _ in range(20)))
    assert (tmp_path / "log").read_text() == "x"
    refused = await source.login()
    await asyncio.gather(*(source.login(rejected=refused) for _ in range(20)))
    assert (tmp_path / "log").read_text() == "xx"


async def test_a_failure_is_shared(tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'log')!r}, 'a').write('x'); raise SystemExit(3)"
    answers = await asyncio.gather(*(s.login() for s in [plugin(script)] * 9), return_exceptions=True)
    assert all(isinstance(answer, LoginNeeded) for answer in answers)
    assert (tmp_path / "log").read_text() == "x"


async def test_what_it_is_told(tmp_path: Path) -> None:
    script = granting("{'token': os.environ['MINE'] + os.environ['KUBERNETES_EXEC_INFO'].replace(' ', '')}")
    said = await shown(plugin(script, environment={"MINE": "own"}, cluster={"server": "https://x"}))
    info = msgspec.json.decode(said.removeprefix("Bearer own"))
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://x"}}
    assert info["apiVersion"] == V1


async def test_it_has_no_terminal() -> None:
    script = granting(
        "{'token': f'{sys.stdin.read()!r}-{os.getsid(0) == os.getpid()}'.replace(' ', '')}",
    )
    assert await shown(plugin(script)) == "Bearer ''-True"


CERTIFICATE = "{'clientCertificateData': 'CERT', 'clientKeyData': 'KEY'}"


async def test_a_certificate() -> None:
    login = await plugin(granting(CERTIFICATE)).login()
    assert login.certificate
    assert login.certificate.reveal() == "CERT\nKEY"
    assert "KEY" not in repr(login)


@pytest.mark.parametrize(
    ("script", "more", "words"),
    [
        ("import sys; sys.exit('\\x1b[31mno\\n\\nplease  log in\\x07')", {}, "exit code 1: please log in"),
        ("raise SystemExit(3)", {}, "exit code 3: it said nothing"),
        ("print('SECRET')", {}, "did not print an ExecCredential"),
        (granting("{'token': ''}"), {}, "neither a token nor a certificate"),
        (granting("None"), {}, "neither a token nor a certificate"),
        (granting("{'token': 'a\\nb'}"), {}, "characters"),
        (
            granting("{'token': 't'}"),
            {"api_version": "client.authentication.k8s.io/v1beta1"},
            "another version",
        ),
        ("", {"api_version": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ("", {"interactive": "Always"}, "asks questions"),
        ("", {"command": "/absent/aws", "hint": "install aws"}, "aws of context one cannot be started"),
    ],
)
async def test_what_goes_wrong_is_said(script: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(LoginNeeded) as caught:
        await plugin(script, **more).login()
    assert words in caught.value.title
    assert "SECRET" not in str(caught.value)
    assert str(caught.value).replace("\n", "").isprintable()
    assert caught.value.hint


async def test_one_that_hangs_is_killed_with_its_children(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(credentials, "PLUGIN_SECONDS", 2.0)
    log = tmp_path / "log"
    script = (
        "import subprocess; child = subprocess.Popen(['sleep', '99']); "
        f"open({str(log)!r}, 'w').write(str(child.pid)); child.wait()"
    )
    with pytest.raises(LoginNeeded, match="no answer"):
        await plugin(script).login()
    await async_until(lambda: ended(int(log.read_text())), 5)  # a killed one may still be on its way out


async def test_a_cancelled_login_leaves_no_program(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started")
    script = (
        f"import os, time; open({str(tmp_path / 'started')!r}, 'w').write(str(os.getpid())); time.sleep(99)"
    )
    task = asyncio.create_task(plugin(script).login())
    pid = await asyncio.to_thread((tmp_path / "started").read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pid}").exists()


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one\n")
    source = TokenFile(path, Login())
    first = await source.login()
    path.write_text("two\n")
    assert await source.login() is first
    assert (await source.login(rejected=first)).authorization == bearer("two")
    source._read_at -= credentials.TOKEN_FILE_SECONDS + 1
    path.write_text("three")
    assert await shown(source) == "Bearer three"


@pytest.mark.parametrize("content", [None, "", " \n"])
async def test_a_token_file_without_a_token(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content)
    with pytest.raises(LoginNeeded, match="token file"):
        await TokenFile(tmp_path / "token", Login()).login()


async def test_without_a_credential_there_is_no_request() -> None:
    api = FaultyApi(Pods())
    await api.start()
    transport = Transport(api.target(plugin("raise SystemExit(3)")))
    with pytest.raises(BackendError):
        await transport.request("GET", "/version")
    with pytest.raises(BackendError):
        async with transport.stream("/version"):
            pass
    assert api.requests == []
    await api.stop()


async def test_a_refused_token_is_renewed_and_the_request_sent_once_more() -> None:
    class Renewed(Fixed):
        async def login(self, rejected: Login | None = None) -> Login:
            return Login(bearer("new" if rejected else "old"))

    api = FaultyApi(Pods())
    api.tokens = {"new"}
    await api.start()
    transport = Transport(api.target(Renewed(Login())))
    assert (await transport.request("POST", "/version", body=b"{}")).status == 200
    assert api.authorizations == ["Bearer old", "Bearer new"]
    api.tokens = {"other"}
    with pytest.raises(LoginNeeded):
        await transport.request("POST", "/version", body=b"{}")
    assert len(api.requests) == 4
    await transport.aclose()
    await api.stop()
