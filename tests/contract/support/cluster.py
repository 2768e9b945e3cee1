"""Kubernetes in the contract suite: a namespace on a real node, and a user who sees nothing else."""

import base64
import json
import os
import uuid
from pathlib import Path
from typing import Any

import yaml

from backend_client.kubernetes import labels
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec, Volume
from tests.backend_client.kubernetes.support import kueue
from tests.backend_client.kubernetes.support.live import Live, Manifest, path_of
from tests.contract.support.dying import DyingClients
from tests.contract.support.harness import SAMPLES, remove_all

IMAGE = "traindeck.dev/busybox:1"
SLOT = "traindeck.dev/slot"
"""A resource that only nodes with a real kubelet get: so nothing lands on a fake one."""

PRIORITY = "contract-urgent"
"""A WorkloadPriorityClass that the cluster keeps: it is the same for all cases."""
_SCRIPT = "trap 'exit 143' TERM; sh -c \"$1\" & wait $!"
"""Without a trap the first process of a container does not heed SIGTERM, and stopping takes 30 s."""


class ClusterHarness:
    """The cluster of a kubeconfig whose current context may do all.

    `near` reaches it directly; `backend` through 127.0.0.1:`port`, where one is given.
    """

    def __init__(self, folder: Path, admin: Path, port: int = 0) -> None:
        self._folder = folder
        self._port = port
        self._live = Live(admin)
        self.namespace = f"contract-{uuid.uuid4().hex[:8]}"
        self._make("v1", "namespaces", {"metadata": {"name": self.namespace}})
        self._slots()
        (folder / "kubeconfig").write_text(json.dumps(self._kubeconfig(admin)))
        self._before = os.environ.get("KUBECONFIG")
        os.environ["KUBECONFIG"] = str(folder / "kubeconfig")
        site = KubernetesSettings(gpu_resource=SLOT)
        self.near = KubernetesBackend("near", site, namespace=self.namespace)
        self.backend = KubernetesBackend("contract", site, namespace=self.namespace)
        self._has_queue = False
        self._volume = ""
        self._clients = DyingClients("dying_cluster_client", self.namespace)

    def spec(self, script: str, **fields: object) -> JobSpec:
        """The test's folder is there in the container too."""
        folder = str(self._folder)
        return JobSpec(
            image=IMAGE,
            command=("sh", "-c", _SCRIPT, "sh", script),
            gpus=1,
            volumes=(Volume(path=folder, host_path=folder),),
            **fields,  # type: ignore[arg-type]
        )

    def kept(self, written: bytes) -> bytes:
        """A container runtime takes the carriage return at the end of a line for a part of the newline."""
        return written.replace(b"\r\n", b"\n")

    def refused(self) -> dict[str, str]:
        return SAMPLES

    async def crash_create(self, spec: JobSpec, key: str, step: int) -> bool:
        return await self._clients.create(spec, key, step)

    async def queue(self) -> tuple[str, str]:
        if not kueue.has_kueue(self._live):
            return "", ""
        self._has_queue = True
        kueue.single_queue(self._live, self.namespace, SLOT)
        kueue.priority(self._live, PRIORITY, 1000)
        account = {"kind": "ServiceAccount", "name": "researcher", "namespace": self.namespace}
        kueue.bind(self._live, self.namespace, "kueue-batch-user-role", account)
        return "q", PRIORITY

    def outputs(self) -> str:
        """A claim on a folder of the test's, for everybody: the server's jobs have one namespace."""
        folder = self._folder / "results"
        folder.mkdir()
        folder.chmod(0o777)
        size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
        volume = {"metadata": {"name": self.namespace}, "spec": {
            "capacity": size, "accessModes": modes, "storageClassName": "", "hostPath": {"path": str(folder)},
            "claimRef": {"namespace": self.namespace, "name": "results"},
        }}  # fmt: skip
        self._make("v1", "persistentvolumes", volume)
        self._volume = self.namespace
        meta = {"name": "results", "annotations": {labels.OWNER: "*"}}
        asked = {"accessModes": modes, "storageClassName": "", "resources": {"requests": size}}
        claim = {"metadata": meta, "spec": {**asked, "volumeName": self.namespace}}
        self._make("v1", "persistentvolumeclaims", claim, self.namespace)
        return "results"

    async def aclose(self) -> None:
        self._clients.close()
        await remove_all(self.near)
        await self.near.aclose()
        await self.backend.aclose()
        os.environ.pop("KUBECONFIG")
        if self._before is not None:
            os.environ["KUBECONFIG"] = self._before
        self._live.call("DELETE", path_of("v1", "namespaces", name=self.namespace))
        if self._volume:
            self._live.call("DELETE", path_of("v1", "persistentvolumes", name=self._volume))
        if self._has_queue:
            kueue.remove_single_queue(self._live, self.namespace)

    def _make(self, api: str, plural: str, manifest: Manifest, place: str = "") -> Any:
        status, answer = self._live.call("POST", path_of(api, plural, place), manifest)
        assert status == 201, answer
        return answer

    def _slots(self) -> None:
        for node in self._live.items("v1", "nodes"):
            if node["metadata"]["labels"].get("type") != "kwok":
                path = f"{path_of('v1', 'nodes', name=node['metadata']['name'])}/status"
                patch = {"status": {"capacity": {SLOT: "1000"}}}
                status, answer = self._live.call("PATCH", path, patch, media="merge-patch+json")
                assert status == 200, answer

    def _kubeconfig(self, admin: Path) -> Manifest:
        """Of an account that may edit its namespace, and knows of no other."""
        config = yaml.safe_load(admin.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = (admin.parent / cluster["certificate-authority"]).read_bytes()
        trusted = {"certificate-authority-data": base64.b64encode(authority).decode()}
        far = f"https://127.0.0.1:{self._port}" if self._port else cluster["server"]
        ways = {"contract": far, "near": cluster["server"]}
        home = {"user": "u", "namespace": self.namespace}
        return {
            "clusters": [{"name": way, "cluster": {"server": url, **trusted}} for way, url in ways.items()],
            "users": [{"name": "u", "user": {"token": self._token()}}],
            "contexts": [{"name": way, "context": {"cluster": way, **home}} for way in ways],
            "current-context": "contract",
        }

    def _token(self) -> str:
        account = {"metadata": {"name": "researcher"}}
        self._make("v1", "serviceaccounts", account, self.namespace)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
        who = {"kind": "ServiceAccount", "name": "researcher", "namespace": self.namespace}
        binding = {"metadata": {"name": "researcher"}, "roleRef": role, "subjects": [who]}
        self._make("rbac.authorization.k8s.io/v1", "rolebindings", binding, self.namespace)
        path = f"{path_of('v1', 'serviceaccounts', self.namespace, 'researcher')}/token"
        status, answer = self._live.call("POST", path, {"spec": {"expirationSeconds": 3600}})
        assert status == 201, answer
        return str(answer["status"]["token"])
