"""Pods on a real node, and people who may do little to them."""

import uuid
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from backend_client.kubernetes.api.kubeconfig import Target
from tests.backend_client.kubernetes.support.live import Live, Manifest, eventually, path_of

BUSYBOX = "traindeck.dev/busybox:1"
SLOT = "traindeck.dev/slot"
"""A device that the nodes with a real kubelet get, and no other."""
_RBAC = "rbac.authorization.k8s.io"


class NodePods:
    """A namespace of a test's own, and what it puts there. `close` takes it away again."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.namespace = f"exec-{uuid.uuid4().hex[:8]}"
        live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        eventually(lambda: live.items("v1", "serviceaccounts", self.namespace), bool)

    def close(self) -> None:
        self.live.call("DELETE", path_of("v1", "namespaces", name=self.namespace))

    def make(self, api: str, kind: str, name: str, **fields: Any) -> Manifest:
        metadata = {"name": name, "namespace": self.namespace}
        return self.live.make({"apiVersion": api, "kind": kind, "metadata": metadata, **fields})

    def offer_slots(self) -> None:
        for node in self.live.items("v1", "nodes"):
            if node["metadata"]["labels"].get("type") == "real":
                path = f"{path_of('v1', 'nodes', name=node['metadata']['name'])}/status"
                patch = {"status": {"capacity": {SLOT: "1000"}}}
                assert self.live.call("PATCH", path, patch, media="merge-patch+json")[0] == 200

    def spec(self, *command: str, **container: Any) -> Manifest:
        main = {"name": "main", "image": BUSYBOX, "command": [*command] or ["sleep", "3600"], **container}
        return {
            "restartPolicy": "Never",
            "nodeSelector": {"type": "real"},
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
            "containers": [main],
        }

    def until_ready(self, count: int) -> None:
        """Return when so many pods run."""
        eventually(
            lambda: self.live.items("v1", "pods", self.namespace),
            lambda pods: sum(pod["status"]["phase"] == "Running" for pod in pods) == count,
        )

    def may(self, user: str, verbs: Sequence[str]) -> None:
        """Give a person of the cluster verbs on pods/exec, and a look at pods."""
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
        if verbs:
            rules.append({"apiGroups": [""], "resources": ["pods/exec"], "verbs": [*verbs]})
        home = f"/apis/{_RBAC}/v1/namespaces/{self.namespace}"
        subject = {"kind": "User", "name": user, "apiGroup": _RBAC}
        role = {"kind": "Role", "name": user, "apiGroup": _RBAC}
        binding = {"metadata": {"name": user}, "roleRef": role, "subjects": [subject]}
        for plural, body in (
            ("roles", {"metadata": {"name": user}, "rules": rules}),
            ("rolebindings", binding),
        ):
            status, answer = self.live.call("POST", f"{home}/{plural}", body)
            assert status == 201, answer


def impersonating(target: Target, user: str) -> Target:
    return replace(target, headers=(*target.headers, ("Impersonate-User", user)))
