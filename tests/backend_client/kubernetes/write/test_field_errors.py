"""What quotas, dry runs and warnings say, at the field that it is about."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from backend_client.kubernetes.manifests.render import Manifest, render_manifests
from backend_client.kubernetes.resources.quota import ResourceQuota
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.write.field_errors import from_message, from_path, quota_findings
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.backend_client.kubernetes.support.specs import VALUES, seen, spec

BY_PRIORITY = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **more: Any) -> ResourceQuota:
    raw = {
        "metadata": {"name": "q"},
        "spec": {"hard": hard, **more},
        "status": {"hard": hard, "used": used or {}},
    }
    return msgspec.convert(raw, ResourceQuota)


@pytest.mark.parametrize(
    ("fields", "limit", "errors", "warnings"),
    [
        ({"gpus": 8, "nodes": 2}, quota({"requests.nvidia.com/gpu": "16"}), [], []),
        ({"gpus": 8, "nodes": 3}, quota({"requests.nvidia.com/gpu": "16"}),
         [("gpus", "asks for 24 GPUs; the quota q allows 16 in all")], []),
        ({"gpus": 8}, quota({"requests.nvidia.com/gpu": "16"}, {"requests.nvidia.com/gpu": "9"}),
         [], [("gpus", "asks for 8 GPUs; the quota q has 9 of 16 used: it waits until others end")]),
        ({"memory": "64Gi", "shm_size": "8Gi"}, quota({"limits.memory": "64Gi"}),
         [("memory", "asks for 72Gi memory; the quota q allows 64Gi in all")], []),
        ({"cpu": "500m", "kind": "deployment", "replicas": 3}, quota({"cpu": "1"}),
         [("cpu", "asks for 1.5 CPU; the quota q allows 1 in all")], []),
        ({"kind": "deployment", "replicas": 3}, quota({"pods": "2"}),
         [("replicas", "asks for 3 pods; the quota q allows 2 in all")], []),
        ({"nodes": 3}, quota({"pods": "2"}, scopes=["Terminating"]), [], []),
        ({"nodes": 3}, quota({"pods": "2"}, scopes=["NotBestEffort"]), [], []),
        ({"nodes": 3}, quota({"pods": "2"}, scopeSelector=BY_PRIORITY), [], []),
    ],
)  # fmt: skip
def test_quotas(
    fields: dict[str, Any],
    limit: ResourceQuota,
    errors: list[tuple[str, str]],
    warnings: list[tuple[str, str]],
) -> None:
    found = quota_findings(spec(**fields), KubernetesSettings(), [limit])
    both = (found.errors, found.warnings)
    assert [[(notice.field, notice.message) for notice in notices] for notices in both] == [errors, warnings]


@pytest.mark.parametrize(
    ("message", "field", "words"),
    [
        ('would violate PodSecurity "restricted:latest": runAsNonRoot != true', "image",
         "the namespace's PodSecurity (restricted) forbids it: runAsNonRoot != true"),
        ('pods "x" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes',
         "volumes",
         'the namespace\'s PodSecurity (baseline) forbids it: hostPath volumes'),
        ("no PriorityClass with name p was found", "priority", 'the priority class "p" does not exist'),
        ("something else", "", "something else"),
    ],
)  # fmt: skip
def test_prose(message: str, field: str, words: str) -> None:
    notice = from_message(message)
    assert (notice.field, notice.message) == (field, words)


# A real server


@pytest.fixture(scope="module")
def live(shared_cluster: Cluster) -> Live:
    return Live(shared_cluster.kubeconfig)


@pytest.fixture(scope="module")
def home(live: Live) -> Iterator[str]:
    name = f"objections-{uuid4().hex[:6]}"
    live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    live.call("DELETE", path_of("v1", "namespaces", name=name))


def set_in(manifest: Manifest, path: str, value: Any) -> Manifest:
    """A copy with one value changed, at a path like spec.template.spec.containers.0.image."""
    changed = msgspec.json.decode(msgspec.json.encode(manifest))
    at: Any = changed
    *parents, last = path.split(".")
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[last] = value
    return changed


POD = "spec.template.spec"


@pytest.mark.api
@pytest.mark.parametrize(
    ("index", "path", "value", "field"),
    [
        (0, "metadata.name", "UPPER", "name"),
        (0, "metadata.labels", {"a b": "c"}, "labels"),
        (0, f"{POD}.containers.0.image", "", "image"),
        (0, f"{POD}.containers.0.env", [{"name": "a=b"}], "env"),
        (0, f"{POD}.containers.0.resources.limits", {"nvidia.com/gpu": "500m"}, "gpus"),
        (0, f"{POD}.containers.0.resources.limits", {"memory": "-1"}, "memory"),
        (0, f"{POD}.containers.0.ports", [{"containerPort": 0}], "ports"),
        (0, f"{POD}.volumes", [{"name": "x", "persistentVolumeClaim": {"claimName": ""}}], "volumes"),
        (0, f"{POD}.tolerations", [{"key": "a", "operator": "Odd"}], "tolerations"),
        (0, "spec.backoffLimit", -1, "retries"),
        (0, "spec.activeDeadlineSeconds", -1, "max_runtime"),
        (1, "data", {"a b": ""}, "secrets"),
        (2, "spec.ports", [{"port": 0, "targetPort": 1}], "ports"),
        (3, "spec.rules.0.host", "a b", "ingress"),
    ],
)
def test_a_refused_dry_run_is_said_at_the_field(
    live: Live, home: str, index: int, path: str, value: Any, field: str
) -> None:
    asked = spec(secrets=["ODD"], ports=[80], shm_size="1Gi", gpus=1, memory="1Gi", max_runtime=9)
    made = render_manifests(asked, KubernetesSettings(), seen(home), secrets=VALUES)
    status, answer = live.post(set_in(made[index], path, value), dryRun="All")
    assert status == 422, answer
    causes = answer["details"]["causes"]
    assert field in {from_path(cause["field"], cause["message"]).field for cause in causes}, causes
