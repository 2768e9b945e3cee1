"""Legacy auth-provider users: a token that is renewed at a real issuer, kept, and never none at all."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend_client.errors import LoginNeeded
from backend_client.kubernetes.api.credentials import Login
from backend_client.kubernetes.api.kubeconfig import load
from tests.backend_client.kubernetes.api.test_kubeconfig import write
from tests.backend_client.server.support.certificates import authority, server_tls
from tests.support.oidc import CLIENT, CLIENT_SECRET, Issuer, id_token


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    made = Issuer(server_tls(tmp_path))
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def oidc(issuer: Issuer, **config: str) -> dict[str, Any]:
    """A user whose token ended an hour ago."""
    standard = {
        "idp-issuer-url": issuer.url,
        "idp-certificate-authority": "authority.pem",
        "client-id": CLIENT,
        "client-secret": CLIENT_SECRET,
        "refresh-token": "r0",
        "id-token": id_token(-3600),
    }
    return {"auth-provider": {"name": "oidc", "config": standard | config}}


def header(login: Login) -> str:
    return login.authorization.reveal() if login.authorization else ""


async def test_an_expired_token_is_renewed_and_kept(issuer: Issuer, file: Path) -> None:
    write(file, oidc(issuer))
    first = load("one").credentials
    login = await first.login()
    assert header(login) == f"Bearer {issuer.granted[0]}"
    assert await first.login() is login
    kept = yaml.safe_load(file.read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert (kept["id-token"], kept["refresh-token"]) == (issuer.granted[0], "r1")
    assert header(await load("one").credentials.login()) == header(login), "the next program needs no other"
    assert len(issuer.granted) == 1


async def test_a_token_that_lasts_asks_nobody(issuer: Issuer, file: Path) -> None:
    token = id_token(3600)
    write(file, oidc(issuer, **{"id-token": token}))
    issuer.refuses = True
    assert header(await load("one").credentials.login()) == f"Bearer {token}"


async def test_without_a_token_no_login(issuer: Issuer, file: Path, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, str], str]] = [
        ({"id-token": ""}, "gave no token"),
        ({"id-token": "not.a-token"}, "gave no token"),
        ({"id-token": f"{id_token(3600)}="}, "gave no token"),
        ({"refresh-token": "old"}, "failed: .*no .2Jlonger"),
        ({"idp-issuer-url": "https://127.0.0.1:1"}, "failed: "),
        ({"idp-certificate-authority": str(tmp_path / "absent")}, "failed: "),
    ]
    for config, words in cases:
        write(file, oidc(issuer, **config))
        with pytest.raises(LoginNeeded, match=words):
            await load("one").credentials.login()
    assert issuer.granted == []


async def test_an_issuer_of_an_unknown_authority_gets_no_refresh_token(issuer: Issuer, file: Path) -> None:
    user = oidc(issuer)
    del user["auth-provider"]["config"]["idp-certificate-authority"]
    write(file, user)
    with pytest.raises(LoginNeeded, match="failed: "):
        await load("one").credentials.login()
    pem = base64.b64encode(authority(file.parent).read_bytes()).decode()
    user["auth-provider"]["config"]["idp-certificate-authority-data"] = pem
    write(file, user)
    assert header(await load("one").credentials.login()) == f"Bearer {issuer.granted[0]}"


async def test_gcp_runs_the_program_that_is_named(file: Path, tmp_path: Path) -> None:
    program = tmp_path / "helper"
    answer = {"credential": {"access_token": "from-gcp", "token_expiry": "2099-01-01T00:00:00Z"}}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    program.chmod(0o755)
    write(file, {"auth-provider": {"name": "gcp", "config": {"cmd-path": str(program)}}})
    assert header(await load("one").credentials.login()) == "Bearer from-gcp"
    for config, words in (({}, "names no cmd-path"), ({"cmd-path": "/absent"}, "failed: ")):
        write(file, {"auth-provider": {"name": "gcp", "config": config}})
        with pytest.raises(LoginNeeded, match=words):
            await load("one").credentials.login()
