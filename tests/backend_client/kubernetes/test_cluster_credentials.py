"""One cluster out of a kubeconfig, for a server: what is taken, and what is refused in words."""

import base64
from pathlib import Path

import pytest
import yaml

from backend_client.errors import NotFound, Refused
from backend_client.kubernetes.cluster_credentials import extract, extract_text
from backend_client.models.secret import Secret

CA = "-----BEGIN CERTIFICATE-----\nca\n-----END CERTIFICATE-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def written(folder: Path, cluster: dict, user: dict, **context: str) -> Path:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://k8s.example.org:6443", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "lab", "context": {"cluster": "c", "user": "u", **context}},
            {"name": "lost", "context": {"cluster": "gone", "user": "u"}},
        ],
        "current-context": "lab",
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_token_and_a_ca(tmp_path: Path):
    path = written(
        tmp_path, {"certificate-authority-data": encoded(CA)}, {"token": "t0p"}, namespace="training"
    )
    for name in ("lab", ""):
        found = extract(path, name)
        assert (found.server, found.ca, found.namespace) == ("https://k8s.example.org:6443", CA, "training")
        assert found.token == Secret("t0p")
        assert (found.certificate, found.key) == ("", None)
        assert "t0p" not in repr(found)


def test_a_token_of_the_server_s_own_stands_in_for_the_context_s_login(tmp_path: Path):
    for user in ({"token": "mine"}, {"exec": {"command": "aws"}}, {"client-certificate": "/nowhere"}):
        found = extract(written(tmp_path, {}, user), "lab", Secret("its own"))
        assert (found.token, found.certificate, found.key) == (Secret("its own"), "", None)


def test_what_stands_in_files_is_read_here(tmp_path: Path):
    for name in ("ca", "cert", "key", "token"):
        (tmp_path / name).write_text(f"{name} text\n")
    cluster = {"certificate-authority": "ca"}
    path = written(tmp_path, cluster, {"client-certificate": "cert", "client-key": "key"})
    found = extract(path, "lab")
    assert (found.ca, found.certificate, found.key) == ("ca text\n", "cert text\n", Secret("key text\n"))
    assert found.token is None
    path = written(tmp_path, cluster, {"tokenFile": "token"})
    assert extract(path, "lab").token == Secret("token text")


REFUSED = [
    ({}, {"exec": {"command": "aws"}}, "logs in by a program"),
    ({}, {"auth-provider": {"name": "oidc"}}, "logs in by a plugin"),
    ({}, {"username": "ada", "password": "pw"}, "has a password"),
    ({}, {"token": "t", "as": "boss"}, "acts as somebody else"),
    ({"proxy-url": "http://proxy:1"}, {"token": "t"}, "is behind a proxy"),
    ({"insecure-skip-tls-verify": True}, {"token": "t"}, "is not verified"),
    ({"tls-server-name": "other"}, {"token": "t"}, "has another name"),
    ({"server": "http://k8s.example.org"}, {"token": "t"}, "by https only"),
    ({}, {}, "neither a token nor a certificate"),
    ({"certificate-authority-data": "!"}, {"token": "t"}, "holds no base64"),
    ({"certificate-authority": "missing"}, {"token": "t"}, "no such file"),
]


@pytest.mark.parametrize(("cluster", "user", "why"), REFUSED, ids=[why for *_, why in REFUSED])
def test_what_a_server_could_not_use_is_refused(tmp_path: Path, cluster: dict, user: dict, why: str):
    with pytest.raises(Refused, match=why) as refused:
        extract(written(tmp_path, cluster, user), "lab")
    assert "pw" not in str(refused.value)


def test_no_such_file_context_or_cluster(tmp_path: Path):
    path = written(tmp_path, {}, {"token": "t"})
    with pytest.raises(NotFound, match="There is no file"):
        extract(tmp_path / "nothing", "lab")
    with pytest.raises(NotFound) as error:
        extract(path, "other")
    assert "lab" in error.value.hint
    with pytest.raises(Refused, match="which the kubeconfig lacks"):
        extract(path, "lost")


def test_one_that_comes_from_elsewhere_has_no_file_read_here(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("td_of_this_machine")
    data = {"certificate-authority-data": encoded(CA)}
    text = written(tmp_path, data, {"token": "t0p"}, namespace="training").read_text()
    assert extract_text(text) == extract(tmp_path / "config")
    for cluster, user in (
        ({"certificate-authority": str(secret)}, {"token": "t0p"}),
        ({}, {"tokenFile": str(secret)}),
        ({}, {"tokenFile": str(secret), "tokenFile-data": "eA=="}),
        ({}, {"client-certificate": str(secret), "client-key-data": encoded("key")}),
        ({}, {"client-certificate-data": encoded("cert"), "client-key": str(secret)}),
    ):
        with pytest.raises(Refused, match="names a file") as refused:
            extract_text(written(tmp_path, cluster, user).read_text(), "lab")
        assert "td_of" not in str(refused.value)
    for text in ("", "- a", "a: [", "{", "clusters: 3"):
        with pytest.raises((Refused, NotFound)):
            extract_text(text)
    assert extract_text(written(tmp_path, data, {"tokenFile": "x"}).read_text(), "", Secret("own")).token
