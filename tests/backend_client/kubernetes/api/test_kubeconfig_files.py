"""Kubeconfig files that cannot be used: an error each, never the next file. kubectl is the judge."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from backend_client.errors import Refused
from backend_client.kubernetes.api.kubeconfig import current_context, list_contexts, load
from backend_client.kubernetes.contexts import KubeconfigContexts
from backend_client.kubernetes.settings import KubernetesSettings
from tests.backend_client.kubernetes.support import controlplane

ENTRIES = """\
clusters:
- name: k1
  cluster: {server: 'https://gpu.example.org:6443'}
users:
- name: u1
  user: {token: x}
"""
ONE = "contexts:\n- name: c1\n  context: {cluster: k1, user: u1}\n"
GOOD = ENTRIES + ONE + "current-context: c1\n"

BROKEN = {
    "html": ("<html>login</html>", "it holds a line of text"),
    "page": ("<!DOCTYPE html>\n<html>\n<head><title>Log in: SSO</title></head>\n", "is no"),
    "list": ("- a\n- b\n", "it holds a list"),
    "scalar": ("hello", "it holds a line of text"),
    "number": ("42", "it holds one value"),
    "tab": ("clusters:\n- name: k1\n\tcluster: {}\n", "no YAML in line 3: it is indented by a tab"),
    "open": ("clusters: [", "no YAML in line"),
    "latin1": (b"# \xfcber\n" + GOOD.encode(), "no YAML"),
    "contexts a mapping": (ENTRIES + "contexts: {c1: {}}", "contexts: expected a list, found a mapping"),
    "users a mapping": ("users: {}", "users: expected a list, found a mapping"),
    "clusters text": ("clusters: k1", "clusters: expected a list, found text"),
    "item text": (ENTRIES + "contexts: [c1]", r"contexts\[0\]: expected a mapping, found text"),
    "number name": (
        ENTRIES + "contexts: [{name: 12, context: {}}]",
        r"contexts\[0\].name: expected text, fou",
    ),
    "truth name": (ENTRIES + "contexts: [{name: yes, context: {}}]", "put it in quotes"),
    "number within": (
        ENTRIES + "contexts: [{name: a, context: {cluster: 5}}]",
        "context.cluster: expected text",
    ),
    "number token": (
        "users: [{name: u, user: {token: 0123}}]",
        r"users\[0\].user.token: expected text, found a n",
    ),
    "argument": (
        "users: [{name: u, user: {exec: {command: x, args: [1]}}}]",
        r"exec.args\[0\]: expected text",
    ),
    "list as server": (
        "clusters: [{name: k, cluster: {server: [x]}}]",
        "cluster.server: expected text, found a",
    ),
    "current a list": (
        GOOD.replace("current-context: c1", "current-context: [c1]"),
        "current-context: expected",
    ),
    "twice": (ENTRIES + ONE + ONE.removeprefix("contexts:\n"), "the name c1 stands twice"),
    "version": ("apiVersion: v2\nkind: Config\n" + GOOD, "it is a Config of v2"),
    "pod": ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "it is a Pod of v1"),
}
USED = {
    "good": GOOD,
    "unknown keys": GOOD + "colour: blue\n",
    "bom": b"\xef\xbb\xbf" + GOOD.encode(),
    "utf16": GOOD.encode("utf-16"),
    "crlf": GOOD.replace("\n", "\r\n"),
    "several documents": GOOD + "---\n- x\n",
    "json": json.dumps(yaml.safe_load(GOOD)),
    "dates are text": GOOD.replace("c1", "2026-01-01"),
}
EMPTY = {
    "empty": "",
    "null": "null",
    "null lists": "clusters: null\nusers: null\ncontexts: null\n",
    "no contexts": ENTRIES + "contexts: []\n",
    "unnamed": ENTRIES + "contexts: [{name: null, context: {cluster: k1}}]",
}


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """named(content, ...) -> KUBECONFIG with a file for each content; None is one that is not there."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)

    def make(*contents: str | bytes | None) -> str:
        paths = []
        for number, content in enumerate(contents):
            paths.append(tmp_path / f"file-{number}")
            if content is not None:
                paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
        return os.environ["KUBECONFIG"]

    return make


def source() -> KubeconfigContexts:
    return KubeconfigContexts(KubernetesSettings())


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("beside", [(), (GOOD,)], ids=["alone", "beside a good one"])
def test_a_broken_file_is_an_error_wherever_it_stands(named, content, words, beside):
    for contents in ((content, *beside), (*beside, content)):
        named(*contents)
        with pytest.raises(Refused, match=words):
            list_contexts()
        with pytest.raises(Refused, match=words):
            source().current()
        (placeholder,) = source().contexts()
        assert placeholder.unavailable.startswith("the kubeconfig ")


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_the_default_file_is_no_other(tmp_path, content, words):
    path = tmp_path / "home/.kube/config"
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Refused, match=words):
        source().current()


@pytest.mark.parametrize("content", USED.values(), ids=USED)
def test_what_kubectl_takes_is_taken(named, content):
    named(content)
    name = "2026-01-01" if "2026" in str(content) else "c1"
    assert source().current() == current_context() == name
    assert load(name).address.host == "gpu.example.org"


@pytest.mark.parametrize("content", EMPTY.values(), ids=EMPTY)
def test_a_named_file_without_contexts_is_an_error_the_default_one_is_not(
    named, tmp_path, content, monkeypatch
):
    named(content)
    with pytest.raises(Refused, match=r"^KUBECONFIG names .*, which has no contexts"):
        source().current()
    monkeypatch.delenv("KUBECONFIG")
    (tmp_path / "home/.kube").mkdir(parents=True)
    (tmp_path / "home/.kube/config").write_text(content)
    assert (source().current(), list(source().contexts())) == ("", [])


def test_files_that_are_not_there(named):
    assert source().current() == ""
    named(None, None)
    with pytest.raises(Refused, match=r"^KUBECONFIG names .*file-0, .*file-1, which is not there"):
        source().current()
    named(None, GOOD, "")
    assert source().current() == "c1"


def test_dev_null_says_that_there_is_none(monkeypatch):
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    assert (source().current(), list(source().contexts())) == ("", [])


def test_a_folder_and_a_path_through_a_file(named, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}{os.pathsep}{named(GOOD)}")
    with pytest.raises(Refused, match="cannot be read: is a directory"):
        source().current()
    monkeypatch.setenv("KUBECONFIG", f"{named(GOOD)}/config")
    with pytest.raises(Refused, match="which is not there"):
        source().current()
    monkeypatch.setenv("KUBECONFIG", "~nobody-of-this-name/config")
    with pytest.raises(Refused, match="which is not there"):
        source().current()


def test_a_mode_that_forbids_reading(named, monkeypatch):
    named(GOOD)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read all
    with pytest.raises(Refused, match="cannot be read: permission denied"):
        source().current()


def test_a_current_context_that_is_not_there(named, tmp_path, monkeypatch):
    named(GOOD.replace("current-context: c1", "current-context: nope"), GOOD)
    with pytest.raises(Refused, match="current-context is nope, which it does not have") as refused:
        source().current()
    assert "There are: c1." in refused.value.hint
    assert [info.name for info in source().contexts()] == ["c1"]
    named(ENTRIES + ONE)
    with pytest.raises(Refused, match="has no current-context"):
        source().current()
    monkeypatch.setenv("KUBECONFIG", "")
    (tmp_path / "home/.kube").mkdir(parents=True)
    (tmp_path / "home/.kube/config").write_text(ENTRIES + ONE)
    assert source().current() == ""


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ("{cluster: k1, user: nope}", "names the user 'nope', which the kubeconfig lacks"),
        ("{cluster: nope, user: u1}", "names the cluster 'nope', which the kubeconfig lacks"),
        ("{user: u1}", "names no cluster"),
        ("{}", "names no cluster"),
        ("null", "names no cluster"),
        ("{cluster: k1}", "it names no user, so it has no token"),
        ("{cluster: k1, user: ''}", "it names no user, so it has no token"),
    ],
)
def test_a_context_that_names_what_is_not_there_asks_nobody(named, context, words):
    named(f"{ENTRIES}contexts: [{{name: c1, context: {context}}}]\ncurrent-context: c1\n")
    with pytest.raises(Refused, match=words):
        load("c1")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("tag", ["", "!!binary "])
def test_base64_over_several_lines(named, tag, end):
    text = base64.encodebytes(b"-----BEGIN CERTIFICATE-----\n" + b"x" * 200).decode().strip()
    if tag:  # as kubectl reads it: the tag's base64 holds the field's
        text = base64.encodebytes(text.encode()).decode().strip()
    block = "".join(f"      {line}\n" for line in text.splitlines())
    server = "server: 'https://gpu.example.org:6443'"
    data = f"cluster:\n    {server}\n    certificate-authority-data: {tag}|\n{block}"
    named(GOOD.replace(f"cluster: {{{server}}}\n", data).replace("\n", end))
    assert load("c1").ca == "-----BEGIN CERTIFICATE-----\n" + "x" * 200


def _kubectl() -> str:
    return shutil.which("kubectl") or str((controlplane.binaries() or Path()) / "kubectl")


@pytest.mark.skipif(not (shutil.which("kubectl") or controlplane.binaries()), reason="needs kubectl")
def test_kubectl_refuses_the_same_files(named):
    verdicts = {}
    for name, content in {**{name: broken[0] for name, broken in BROKEN.items()}, **USED, **EMPTY}.items():
        argv = [_kubectl(), "config", "view", "-o", "name"]
        env = {**os.environ, "KUBECONFIG": named(content)}
        done = subprocess.run(argv, capture_output=True, check=False, env=env)
        verdicts[name] = b"error loading config file" in done.stderr
    assert verdicts == {name: name in BROKEN for name in verdicts}


def test_a_kubeconfig_out_of_a_pipe_is_read_once_and_asked_for_often(monkeypatch):
    reader, writer = os.pipe()
    os.write(writer, GOOD.encode())
    os.close(writer)
    monkeypatch.setenv("KUBECONFIG", f"/dev/fd/{reader}")
    try:
        assert current_context() == "c1"
        assert [context.name for context in list_contexts()] == ["c1"]
    finally:
        os.close(reader)
