"""The contexts of a kubeconfig in the context switcher, before anything is contacted."""

import contextlib
import json
from pathlib import Path

import pytest

from backend_client.contexts import Contexts, LocalContext
from backend_client.errors import NotFound, Refused, Unreachable
from backend_client.kubernetes.contexts import KubeconfigContexts
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import Freshness, FreshnessState, JobQuery, Scope

KUBECONFIG = {
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [
        {"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}},
        {"name": "local", "context": {"cluster": "c", "user": "u"}},
        {"name": "torn", "context": {"cluster": "none", "user": "u"}},
    ],
    "current-context": "lab",
}


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contexts:
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return Contexts([KubeconfigContexts(KubernetesSettings()), LocalContext()], tmp_path / "context")


def test_they_stand_beside_local_and_names_that_meet_are_told_apart(contexts):
    shown = [(info.name, info.kind, info.about) for info in contexts.list_contexts()]
    assert shown == [
        ("lab", "k8s", "cluster c"),
        ("k8s:local", "k8s", "cluster c"),
        ("torn", "k8s", "cluster none"),
        ("local:local", "local", "this machine"),
    ]
    assert contexts.default() == "lab"


def test_the_namespace_is_the_context_s_own(contexts):
    assert contexts.open("lab").namespace == "team-a"
    assert contexts.open("k8s:local").namespace == "default"
    assert contexts.open("local:local").namespace == ""


def test_without_a_kubeconfig_there_is_local_alone(contexts, monkeypatch, tmp_path):
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [info.name for info in contexts.list_contexts()] == ["local"]
    assert contexts.default() == "local"


def test_a_broken_one_is_a_context_that_says_why(contexts, tmp_path):
    (tmp_path / "kubeconfig").write_text("{")
    broken, local = contexts.list_contexts()
    assert broken.unavailable.startswith(f"the kubeconfig {tmp_path / 'kubeconfig'} is no YAML in line 2: ")
    assert (local.name, contexts.default("local")) == ("local", "local")
    with pytest.raises(Refused, match="is no YAML in line 2"):
        contexts.default()
    with pytest.raises(Refused):
        contexts.open(broken.name)
    with pytest.raises(NotFound) as missing:
        contexts.open("lab")
    assert "is no YAML in line 2" in missing.value.hint


async def test_one_that_does_not_answer_is_unreachable_and_a_watch_waits_for_it(contexts):
    backend = contexts.open("lab")
    with pytest.raises(Unreachable):
        await backend.list(JobQuery())
    async with contextlib.aclosing(backend.watch([Scope("team-a")])) as batches:
        told = await anext(batches)
    assert [(type(event), event.state) for event in told] == [(Freshness, FreshnessState.STALE)]
    assert "127.0.0.1" in told[0].why


async def test_one_that_is_torn_says_what_is_missing(contexts):
    backend = contexts.open("torn")
    with pytest.raises(Refused, match="names the cluster 'none', which the kubeconfig lacks"):
        await backend.list(JobQuery())
    async with contextlib.aclosing(backend.watch([Scope()])) as batches:
        assert "which the kubeconfig lacks" in (await anext(batches))[0].why
