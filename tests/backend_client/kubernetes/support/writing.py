"""What tests of writes share: writers, a connection to cut, and what is there."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from backend_client import backoff
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.write.writer import JobWriter
from backend_client.models import JobRef
from backend_client.models.secret import Secret
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.cutter import Cutter
from tests.backend_client.kubernetes.support.live import PLURALS, Live, Manifest, path_of
from tests.backend_client.kubernetes.support.specs import spec

SECRETS = {"TOKEN": Secret("hf_secret")}
KINDS = (
    ("batch/v1", "jobs"),
    ("apps/v1", "deployments"),
    ("v1", "services"),
    ("v1", "secrets"),
    ("networking.k8s.io/v1", "ingresses"),
)
STAYS = {"test.traindeck.dev/outcome": "run"}
"""Else the pods of a Job on a pretended node succeed in a second."""
FULL = {
    "job": spec(nodes=2, ports=[8080], secrets=["TOKEN"], annotations=STAYS),
    "deployment": spec(kind="deployment", replicas=3, ports=[8080], secrets=["TOKEN"]),
}
CUTS = {"before": {"before": True}, "after": {}, "and stays away": {"count": 10**6}}


@pytest.fixture(name="live")
def a_live(cluster: Cluster) -> Live:
    return Live(cluster.kubeconfig)


@pytest.fixture(name="writer")
async def a_writer(transport: Transport, namespace: str) -> JobWriter:
    return JobWriter(transport, KubernetesSettings(), "here", namespace)


@pytest.fixture(name="cutter")
async def a_cutter(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cutter]:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.001)
    async with Cutter(cluster.target()) as made:
        yield made


@pytest.fixture(name="cut_off")
async def a_cut_off(cutter: Cutter, namespace: str) -> AsyncIterator[JobWriter]:
    """A writer whose connection is cut where the cutter says."""
    transport = Transport(cutter.target)
    yield JobWriter(transport, KubernetesSettings(), "here", namespace)
    await transport.aclose()


def there(live: Live, namespace: str) -> list[Manifest]:
    """All that jobs are made of, less what is on its way out."""
    found = [item for api, plural in KINDS for item in live.items(api, plural, namespace)]
    return [item for item in found if "deletionTimestamp" not in item["metadata"]]


def called(items: list[Manifest]) -> list[str]:
    return sorted(f"{item['kind']} {item['metadata']['name']}" for item in items)


def remove(live: Live, items: list[Manifest]) -> None:
    for item in items:
        home, plural = item["metadata"], PLURALS[item["kind"]]
        live.call("DELETE", path_of(item["apiVersion"], plural, home["namespace"], home["name"]))


def anchors(items: list[Manifest]) -> list[Manifest]:
    return [item for item in items if item["kind"] in ("Job", "Deployment")]


def runs(anchor: Manifest) -> bool:
    body = anchor["spec"]
    return not body["suspend"] if anchor["kind"] == "Job" else body["replicas"] > 0


def whole(name: str, kind: str) -> list[str]:
    ranks = [f"Service {name}-ranks"] if kind == "job" else []
    first = "Job" if kind == "job" else "Deployment"
    return sorted([f"{first} {name}", f"Ingress {name}", f"Secret {name}-secrets", f"Service {name}", *ranks])


async def steps(writer: JobWriter, ref: JobRef) -> list[str]:
    return [step.message async for step in writer.delete(ref)]


def config_of(kind: str, namespace: str, name: str) -> Manifest:
    """Somebody else's object."""
    pod = {"containers": [{"name": "c", "image": "i"}]}
    body: dict[str, Any] = {
        "Deployment": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod},
        },
        "Job": {"suspend": True, "template": {"spec": pod | {"restartPolicy": "Never"}}},
        "Service": {"ports": [{"port": 1}]},
        "Ingress": {"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}},
    }
    api = {"Deployment": "apps/v1", "Job": "batch/v1", "Ingress": "networking.k8s.io/v1"}.get(kind, "v1")
    content = {"spec": body[kind]} if kind in body else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


def ref_of(live: Live, namespace: str, name: str, kind: str = "job") -> JobRef:
    found = next(a for a in anchors(there(live, namespace)) if a["metadata"]["name"] == name)
    return JobRef("here", namespace, kind, name, found["metadata"]["uid"])
