"""A small client of a real API server for tests: no code of ours between the test and the server's answer."""

import functools
import http.client
import json
import select
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.support.wait import until

T = TypeVar("T")
Manifest = dict[str, Any]

PLURALS = {
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Ingress": "ingresses",
    "Job": "jobs",
    "LimitRange": "limitranges",
    "Namespace": "namespaces",
    "Node": "nodes",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "PriorityClass": "priorityclasses",
    "ResourceQuota": "resourcequotas",
    "RuntimeClass": "runtimeclasses",
    "Secret": "secrets",
    "Service": "services",
    "StorageClass": "storageclasses",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}


def path_of(api: str, plural: str, namespace: str = "", name: str = "") -> str:
    """Where the server keeps an object, or a kind of them."""
    root = f"/api/{api}" if "/" not in api else f"/apis/{api}"
    return "/".join(
        [root, *(["namespaces", namespace] if namespace else []), plural, *([name] if name else [])]
    )


class _Lines(threading.local):
    """The connections of one thread, by server: a handshake for each request would cost more than it."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, Path], http.client.HTTPSConnection] = {}

    def to(self, server: str, authority: Path) -> http.client.HTTPSConnection:
        """One that its server has not closed."""
        line = self.open.get((server, authority))
        if line is None:
            tls = _trusting(authority, authority.stat().st_mtime)
            host = server.removeprefix("https://")
            line = self.open[server, authority] = http.client.HTTPSConnection(host, timeout=60, context=tls)
        elif line.sock and select.select([line.sock], [], [], 0)[0]:
            line.close()  # nothing was asked: that is its end; the next request opens it again
        return line


_lines = _Lines()


@functools.cache
def _trusting(authority: Path, _written: float) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


class Live:
    """One user's view of a cluster, by a kubeconfig with a server, a certificate authority and a token."""

    def __init__(self, kubeconfig: Path, user: str = "") -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        name = user or config["current-context"]
        context = _named(config["contexts"], name)["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        self.server: str = cluster["server"]
        self._token = _named(config["users"], context["user"])["user"]["token"]
        self._authority = kubeconfig.parent / cluster["certificate-authority"]

    def call(
        self, method: str, path: str, body: Manifest | None = None, media: str = "json", **query: str
    ) -> tuple[int, Any]:
        """(status, answer), whatever the status is."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": f"application/{media}"}
        data = json.dumps(body).encode() if body is not None else None
        line = _lines.to(self.server, self._authority)
        try:
            line.request(method, f"{path}?{urllib.parse.urlencode(query)}", data, headers)
            answer = line.getresponse()
            return answer.status, _read(answer.read())
        except BaseException:
            line.close()
            raise

    def post(self, manifest: Manifest, **query: str) -> tuple[int, Any]:
        """Create an object; the server refuses fields that it does not know."""
        api, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace", "")
        path = path_of(api, PLURALS[manifest["kind"]], namespace)
        return self.call("POST", path, manifest, fieldValidation="Strict", **query)

    def make(self, manifest: Manifest) -> Manifest:
        """Create an object that must come about."""
        status, answer = self.post(manifest)
        assert status == 201, answer
        return answer

    def patch(self, made: Manifest, patch: Manifest, part: str = "") -> Manifest:
        """A merge patch that must work; `part`: of a subresource."""
        metadata = made["metadata"]
        path = path_of(made["apiVersion"], PLURALS[made["kind"]], metadata["namespace"], metadata["name"])
        status, answer = self.call("PATCH", path + f"/{part}" * bool(part), patch, media="merge-patch+json")
        assert status == 200, answer
        return answer

    def items(self, api: str, plural: str, namespace: str = "", **query: str) -> list[Manifest]:
        """All objects of a kind, each with its apiVersion and kind."""
        status, answer = self.call("GET", path_of(api, plural, namespace), **query)
        assert status == 200, answer
        kind = answer["kind"].removesuffix("List")
        return [{"apiVersion": answer["apiVersion"], "kind": kind} | item for item in answer["items"]]


def _named(entries: list[Manifest], name: str) -> Manifest:
    return next(entry for entry in entries if entry["name"] == name)


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


def eventually(look: Callable[[], T], good: Callable[[T], object], seconds: float = 60) -> T:
    """Return what `look` answers once it is good. Raises AssertionError with the last answer."""
    answers: list[T] = []

    def is_good() -> object:
        answers[:] = [look()]
        return good(answers[0])

    until(is_good, seconds, message=lambda: answers[0], pause=0.2)
    return answers[0]
