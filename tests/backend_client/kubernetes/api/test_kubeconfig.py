"""The kubeconfig as kubectl reads it: kubectl and the `kubernetes` package are the judges."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend_client.errors import NotFound, Refused
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.credentials import ExecPlugin, TokenFile
from backend_client.kubernetes.api.kubeconfig import Context, list_contexts, load
from backend_client.kubernetes.api.proxy import proxy_of
from tests.backend_client.kubernetes.support import controlplane

PROXIES = [name for base in ("http_proxy", "https_proxy", "no_proxy") for name in (base, base.upper())]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", *PROXIES):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    """One context, `one`."""
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://gpu.example.org:6443", **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(user: dict[str, Any] | None = None, **cluster: Any) -> kubeconfig.Target:
        monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "config", user, **cluster)))
        return load("one")

    return made


def test_nothing_at_all() -> None:
    assert list_contexts() == []
    with pytest.raises(NotFound, match="No context x"):
        load("x")


def test_the_default_file(tmp_path: Path) -> None:
    write(tmp_path / ".kube/config")
    assert list_contexts() == [Context("one", "c", "u", "n", True)]
    target = load("one")
    assert (str(target.address), target.namespace, target.encrypted) == ("gpu.example.org:6443", "n", True)


NAMES = st.sampled_from(["a", "b", "c"])
ENTRIES = st.lists(NAMES, unique=True, max_size=3)
FILES = st.lists(
    st.tuples(ENTRIES, ENTRIES, ENTRIES, st.sampled_from(["", "a", "b"])), min_size=1, max_size=3
)


def configs(folder: Path, files: list[tuple[list[str], list[str], list[str], str]]) -> str:
    """Files whose entries say where they come from."""
    for number, (clusters, users, contexts, current) in enumerate(files):
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": n, "cluster": {"server": f"https://{n}-{number}"}} for n in clusters],
            "users": [{"name": n, "user": {"token": f"{n}-{number}"}} for n in users],
            "contexts": [
                {"name": n, "context": {"cluster": n, "user": n, "namespace": f"f{number}"}} for n in contexts
            ],
            "current-context": current,
        }
        (folder / str(number)).write_text(yaml.safe_dump(content))
    return os.pathsep.join(str(folder / str(number)) for number in range(len(files)))


def seen() -> tuple[dict[str, str], str]:
    """Context -> namespace, and the current one."""
    try:
        contexts = list_contexts()
    except Refused:  # none is named: kubectl shows an empty view
        return {}, ""
    return {c.name: c.namespace for c in contexts}, next((c.name for c in contexts if c.current), "")


def reached() -> dict[str, str]:
    """Context -> host, of those that can be used."""
    hosts = {}
    for name in seen()[0]:
        try:
            hosts[name] = load(name).address.host
        except Refused:
            continue
    return hosts


@given(FILES)
@settings(max_examples=50, suppress_health_check=list(HealthCheck))
def test_merges_entries_as_the_kubernetes_package_does(tmp_path: Path, files: Any) -> None:
    from kubernetes.config.kube_config import KubeConfigMerger  # noqa: PLC0415  dear

    paths = configs(tmp_path, files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", paths)
        merged = KubeConfigMerger(paths).config.value
        places = {entry.value["name"]: entry.value["context"]["namespace"] for entry in merged["contexts"]}
        servers = {entry.value["name"]: entry.value["cluster"]["server"] for entry in merged["clusters"]}
        assert seen()[0] == places
        usable = set(servers) & {entry.value["name"] for entry in merged["users"]}
        assert reached() == {n: servers[n].removeprefix("https://") for n in places if n in usable}


@pytest.mark.skipif(not (shutil.which("kubectl") or controlplane.binaries()), reason="needs kubectl")
@pytest.mark.parametrize(
    "files",
    [
        [(["a"], ["a"], ["a"], "a"), (["a", "b"], ["b"], ["a", "b"], "b")],
        [([], [], [], ""), (["b"], [], ["b"], "b"), (["b"], [], ["a"], "a")],
        [(["c"], [], ["c"], "b"), (["b"], ["b"], ["b"], "a")],
    ],
)
def test_merges_as_kubectl_does(tmp_path: Path, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", paths := configs(tmp_path, files))
    kubectl = shutil.which("kubectl") or str((controlplane.binaries() or Path()) / "kubectl")
    argv = [kubectl, "config", "view", "--raw", "-o", "json"]
    answer = subprocess.run(argv, capture_output=True, check=True, env=os.environ | {"KUBECONFIG": paths})
    view = json.loads(answer.stdout)
    places = {entry["name"]: entry["context"]["namespace"] for entry in view["contexts"] or []}
    assert seen() == (places, view["current-context"] if view["current-context"] in places else "")


@pytest.mark.parametrize("content", ["a: [", "\t", "\x00", "a: !!python/object:os.system x"])
def test_a_broken_file_is_refused_in_words(tmp_path: Path, monkeypatch: Any, content: str) -> None:
    (tmp_path / "config").write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(Refused, match="config is no YAML"):
        list_contexts()


def test_paths_are_relative_to_their_file(tmp_path: Path, use: Any) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "me.crt").write_text("CERT")
    (tmp_path / "me.key").write_text("KEY")
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"}
    target = use(user, **{"certificate-authority": "ca.crt"})
    assert target.ca == "CA"
    assert isinstance(target.credentials, TokenFile)


def test_data_wins_over_files(use: Any) -> None:
    data = base64.b64encode(b"CA").decode()
    assert use(**{"certificate-authority": "/absent", "certificate-authority-data": data}).ca == "CA"


def test_all_that_a_cluster_can_say(use: Any) -> None:
    target = use(
        {"token": "t", "as": "eve", "as-groups": ["x", "y"], "as-user-extra": {"why": ["z"]}},
        **{
            "server": "https://10.0.0.1/k8s/clusters/c-1/",
            "proxy-url": "http://me:pw@proxy:3128",
            "tls-server-name": "inner",
            "insecure-skip-tls-verify": True,
        },
    )
    assert (target.address.port, target.base_path, target.insecure) == (443, "/k8s/clusters/c-1", True)
    assert (target.address.server_name, target.address.proxy_without_login) == ("inner", "proxy:3128")
    groups = (("Impersonate-Group", "x"), ("Impersonate-Group", "y"))
    assert target.headers == (("Impersonate-User", "eve"), *groups, ("Impersonate-Extra-why", "z"))


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({}, {"server": "gpu:6443"}, "no https URL"),
        ({}, {"server": ""}, "no https URL"),
        ({}, {"server": "https://h:port"}, "cannot be used"),
        ({}, {"proxy-url": "socks4://p:1"}, "socks4"),
        (None, {"certificate-authority": "absent"}, "absent"),
        (None, {"certificate-authority-data": "%"}, "cannot be used"),
        ({"auth-provider": {"name": "azure"}}, {}, "auth-provider azure"),
        ({}, {}, "its user u has no token"),
        ({"token": " "}, {}, "its user u has no token"),
        ({"as": "eve"}, {}, "its user u has no token"),
        ({"exec": None}, {}, "its user u has no token"),
        ({"client-certificate-data": base64.b64encode(b"CERT").decode()}, {}, "no client-key"),
        ({"client-certificate-data": "%"}, {}, "client-certificate-data is no text in base64"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(use: Any, user: Any, cluster: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        use(user, **cluster)


async def test_logins(use: Any) -> None:
    password = await use({"username": "u", "password": "p"}).credentials.login()
    assert password.authorization.reveal() == "Basic dTpw"
    token = await use({"token": "t", "username": "u"}).credentials.login()
    assert token.authorization.reveal() == "Bearer t"
    assert (await use({}, server="http://localhost:8001").credentials.login()).authorization is None
    assert "Bearer" not in repr(token)


def test_an_exec_plugin(use: Any, tmp_path: Path) -> None:
    program = {
        "command": "./login",
        "args": ["a"],
        "env": [{"name": "X", "value": "1"}],
        "apiVersion": "client.authentication.k8s.io/v1",
        "provideClusterInfo": True,
        "installHint": "install it",
    }
    credentials = use({"exec": program}).credentials
    assert isinstance(credentials, ExecPlugin)
    plugin = credentials._plugin
    assert plugin.command == str(tmp_path / "login")
    assert (plugin.arguments, plugin.environment, plugin.hint) == (["a"], {"X": "1"}, "install it")
    assert plugin.cluster == {"server": "https://gpu.example.org:6443"}


def test_in_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in {"token": "t", "ca.crt": "CA", "namespace": "team-a\n"}.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert [(context.name, context.current) for context in list_contexts()] == [("in-cluster", True)]
    target = load("in-cluster")
    assert (target.namespace, target.ca, target.address.port) == ("team-a", "CA", 443)


@pytest.mark.parametrize(
    ("no_proxy", "host", "used"),
    [
        ("", "gpu.example.org", True),
        ("", "127.0.0.1", False),
        ("", "localhost", False),
        ("", "::1", False),
        ("*", "gpu.example.org", False),
        ("example.org", "gpu.example.org", False),
        (".example.org", "gpu.example.org", False),
        (".example.org", "example.org", True),
        ("*.example.org", "gpu.example.org", False),
        ("ample.org", "gpu.example.org", True),
        ("10.0.0.0/8, x", "10.1.2.3", False),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("not/a/network", "11.1.2.3", True),
        ("gpu.example.org:6443", "gpu.example.org", False),
        ("gpu.example.org:443", "gpu.example.org", True),
        ("[fd00::1]:6443", "fd00::1", False),
        ("fd00::1", "fd00::1", False),
    ],
)
def test_the_proxy_of_the_environment(monkeypatch: Any, no_proxy: str, host: str, used: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_of("", "https", host, 6443) == ("http://proxy:3128" if used else "")
    assert proxy_of("http://own:1", "https", host, 6443) == "http://own:1"
    assert proxy_of("", "http", host, 6443) == ""


def test_imports_nothing_dear() -> None:
    code = (
        "import sys; import backend_client.kubernetes.watch.reflector; "
        "dear = 'kubernetes', 'httpx', 'pydantic', 'textual', 'urllib.request'; "
        "print([module for module in dear if module in sys.modules])"
    )
    argv = [sys.executable, "-c", code]
    assert subprocess.run(argv, capture_output=True, check=True, text=True).stdout == "[]\n"
