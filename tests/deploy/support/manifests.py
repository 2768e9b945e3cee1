"""The manifests of deploy/kubernetes for a test: in a namespace of its own, beside those of other tests."""

import json
from pathlib import Path
from typing import Any

import yaml

from backend_client.kubernetes.api.transport import Transport

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
HOME = "traindeck"
Manifest = dict[str, Any]

PLURALS = {
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "Namespace": ("/api/v1", "namespaces"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ValidatingAdmissionPolicy": ("/apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
    ),
}


def manifests(file: str, home: str) -> list[Manifest]:
    """A file's objects, with `home` for the namespace; what has none is called after it too."""
    found: list[Manifest] = list(yaml.safe_load_all((FOLDER / file).read_text()))
    for manifest in found:
        _move(manifest, home)
    return found


def _move(manifest: Manifest, home: str) -> None:
    metadata = manifest["metadata"]
    if "namespace" in metadata:
        metadata["namespace"] = home
    else:
        metadata["name"] = home if manifest["kind"] == "Namespace" else f"{metadata['name']}-{home}"
    for subject in manifest.get("subjects", ()):
        subject["namespace"] = home
    if "roleRef" in manifest:
        manifest["roleRef"]["name"] += f"-{home}"
    spec = manifest.get("spec", {})
    if "policyName" in spec:
        spec["policyName"] += f"-{home}"
    for condition in spec.get("matchConditions", ()):
        account = f"system:serviceaccount:{HOME}:"
        condition["expression"] = condition["expression"].replace(account, f"system:serviceaccount:{home}:")


def path_of(manifest: Manifest) -> str:
    """Where the API server keeps it."""
    api, plural = PLURALS[manifest["kind"]]
    namespace = manifest["metadata"].get("namespace")
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{api}{place}/{plural}/{manifest['metadata']['name']}"


async def apply(transport: Transport, manifest: Manifest, *, dry: bool = False) -> None:
    """As `kubectl apply --server-side` does, which refuses fields that the server does not know."""
    query = {"fieldManager": "test", "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
    await transport.request(
        "PATCH",
        path_of(manifest),
        query=query,
        body=json.dumps(manifest).encode(),
        content_type="application/apply-patch+yaml",
    )


async def remove(transport: Transport, manifest: Manifest) -> None:
    """Whether it is there or not."""
    await transport.request("DELETE", path_of(manifest), allow=(404,))
