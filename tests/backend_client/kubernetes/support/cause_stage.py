"""What stands around the jobs of `cause_cases`: namespaces with rules, nodes of their own, a registry."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from backend_client.models import Job
from tests.backend_client.kubernetes.support.live import PLURALS, Live, Manifest, path_of
from tests.support.wait import until

KEEP = "example.com/keep"
"""A finalizer that nobody removes before the end."""
PLACES = {
    "plain": {},
    "limits": {},
    "secure": {"pod-security.kubernetes.io/enforce": "baseline"},
}
"""Kind of namespace -> its labels."""
_ROOM = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "8Gi"}
_DEVICES = {"amd.com/gpu": "2", "example.com/fpga": "1"}
_TAINT = {"key": "why", "value": "test", "effect": "NoSchedule"}
"""Keeps the pods of other tests off."""
_FULL = {"amd.com/gpu": "2", "example.com/fpga": "1", "cpu": "3", "memory": "6Gi", "ephemeral-storage": "6Gi"}

Act = Callable[["Stage", Job], bool]


def tolerations(*but: str) -> list[Manifest]:
    """What lets a pod on every node of the stage, but for these keys."""
    keys = ("why", "dedicated", "node.kubernetes.io/unschedulable")
    return [{"key": key, "operator": "Exists"} for key in keys if key not in but]


class Stage:
    """A cluster, made ready; `down` takes all of it away again."""

    def __init__(self, live: Live, registry: str) -> None:
        self.live, self.registry, self.run = live, registry, uuid4().hex[:6]
        self.places = {place: f"why-{place}-{self.run}" for place in PLACES}
        nodes = live.items("v1", "nodes")
        reals = [node["metadata"]["name"] for node in nodes if _labels(node).get("type") == "real"]
        self.real = reals[0] if reals else ""
        self.has_nodes = bool(reals) and any("kwok.x-k8s.io/node" in _annotations(node) for node in nodes)
        self._made: list[Manifest] = []
        self.tolerations = tolerations()
        self.slot = self._of_slot("1")
        self._slot_is_offered = False

    # What cases are made of

    def name(self, part: str) -> str:
        """The name of an object that has no namespace."""
        return f"why-{part}-{self.run}"

    node = name

    def selector(self, on: str) -> Manifest:
        return {"type": on} if on in ("real", "kwok") else {"why-node": self.node(on)}

    def make(self, manifests: list[Manifest]) -> None:
        for manifest in manifests:
            self._made.append(self.live.make(manifest))

    # What is done to jobs

    def delete(self, job: Job) -> bool:
        path = path_of("batch/v1", "jobs", job.ref.namespace, job.name)
        self.live.call("DELETE", path, {"propagationPolicy": "Foreground"})
        return True

    def delete_pods(self, job: Job) -> bool:
        for attempt in job.attempts:
            self.live.call("DELETE", path_of("v1", "pods", job.ref.namespace, attempt.pod))
        return True

    def evict_pods(self, job: Job) -> bool:
        for attempt in job.attempts:
            home = {"name": attempt.pod, "namespace": job.ref.namespace}
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": home}
            path = path_of("v1", "pods", job.ref.namespace, attempt.pod)
            status, answer = self.live.call("POST", f"{path}/eviction", body)
            assert status == 201, answer
        return True

    # Up and down

    def up(self, *, nodes: bool) -> None:
        for place, name in self.places.items():
            labels = {**PLACES[place], "why": self.run}
            self._make("v1", "Namespace", name, labels=labels)
        self._rules()
        self._policy()
        if nodes:
            self._nodes()
            self._volumes()
            self._fill()

    def down(self) -> None:
        for place in self.places.values():
            for api, plural in (("v1", "pods"), ("batch/v1", "jobs"), ("v1", "persistentvolumeclaims")):
                for item in self.live.items(api, plural, place):
                    if KEEP in item["metadata"].get("finalizers", ()):
                        self._release(path_of(api, plural, place, item["metadata"]["name"]))
        for made in reversed(self._made):
            metadata = made["metadata"]
            if "namespace" not in metadata:
                self.live.call(
                    "DELETE", path_of(made["apiVersion"], PLURALS[made["kind"]], name=metadata["name"])
                )
        if self._slot_is_offered:
            self._offer_slot(None)

    def _release(self, path: str) -> None:
        self.live.call("PATCH", path, {"metadata": {"finalizers": None}}, media="merge-patch+json")

    def _make(
        self,
        api: str,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        labels: Manifest | None = None,
        **body: Any,
    ) -> Manifest:
        home = {"name": name, "labels": labels or {}, **({"namespace": namespace} if namespace else {})}
        manifest = {"apiVersion": api, "kind": kind, "metadata": home, **body}
        self._made.append(self.live.make(manifest))
        return self._made[-1]

    def _rules(self) -> None:
        plain, limits = self.places["plain"], self.places["limits"]
        self._make("v1", "ResourceQuota", "gpus", plain, spec={"hard": {"requests.nvidia.com/gpu": "1"}})
        self._make("v1", "ResourceQuota", "memory", limits, spec={"hard": {"limits.memory": "64Gi"}})
        most = [{"type": "Container", "max": {"cpu": "2"}}]
        self._make("v1", "LimitRange", "cpu", limits, spec={"limits": most})
        self._make("v1", "ConfigMap", "there", plain, data={"epochs": "3"})
        self._make("scheduling.k8s.io/v1", "PriorityClass", self.name("high"), value=1000)

    def _policy(self) -> None:
        """A policy and a webhook that nobody answers, each for pods with a label; waits until both bite."""
        api, name = "admissionregistration.k8s.io/v1", self.name("policy")
        pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        here = {"matchLabels": {"why": self.run}}
        rules = {"namespaceSelector": here, "resourceRules": [pods]}
        unlabelled = "!has(object.metadata.labels) || !('why' in object.metadata.labels)"
        check = {"expression": f"{unlabelled} || object.metadata.labels.why != 'policy'"}
        check["message"] = "only with a project"
        policy = {"matchConstraints": rules, "validations": [check]}
        self._make(api, "ValidatingAdmissionPolicy", name, spec=policy)
        bound = {"policyName": name, "validationActions": ["Deny"]}
        self._make(api, "ValidatingAdmissionPolicyBinding", name, spec=bound)
        webhook = {
            "name": f"{self.name('webhook')}.example.com",
            "clientConfig": {"url": "https://127.0.0.1:9/"},
            "rules": [pods],
            "namespaceSelector": here,
            "objectSelector": {"matchLabels": {"why": "webhook"}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        self._make(api, "ValidatingWebhookConfiguration", self.name("webhook"), webhooks=[webhook])
        for label in ("policy", "webhook"):
            until(lambda label=label: self._is_refused(label), 30, pause=0.2)

    def _is_refused(self, label: str) -> bool:
        spec = {"containers": [{"name": "main", "image": "x"}], "automountServiceAccountToken": False}
        home = {"generateName": "probe-", "namespace": self.places["plain"], "labels": {"why": label}}
        probe = {"apiVersion": "v1", "kind": "Pod", "metadata": home, "spec": spec}
        status, answer = self.live.post(probe, dryRun="All")
        return status >= 400 and ("denied request" in str(answer) or "failed calling" in str(answer))

    def _nodes(self) -> None:
        self._node("full", _ROOM | _DEVICES)
        self._node("cordoned", _ROOM, unschedulable=True)
        self._node("tainted", _ROOM, taint={"key": "dedicated", "value": "nlp", "effect": "NoSchedule"})
        self._node("crowded", _ROOM | {"pods": "0"})
        self._offer_slot("1")
        runtime = {"handler": self.name("runtime")}
        self._make("node.k8s.io/v1", "RuntimeClass", self.name("runtime"), **runtime)
        fakes = [self.node(kind) for kind in ("full", "cordoned", "tainted", "crowded")]
        until(lambda: all(map(self._is_ready, fakes)), 30, pause=0.2)

    def _is_ready(self, node: str) -> bool:
        _, found = self.live.call("GET", path_of("v1", "nodes", name=node))
        ready = [c for c in found["status"].get("conditions", ()) if c["type"] == "Ready"]
        taints = [taint["key"] for taint in found["spec"].get("taints", ())]
        return bool(ready) and ready[0]["status"] == "True" and "node.kubernetes.io/not-ready" not in taints

    def _node(
        self,
        kind: str,
        room: Manifest,
        *,
        taint: Manifest | None = None,
        unschedulable: bool = False,
    ) -> None:
        name = self.node(kind)
        metadata = {"name": name, "labels": {"why-node": name, "kubernetes.io/hostname": name}}
        metadata["annotations"] = {"kwok.x-k8s.io/node": "fake"}
        taints = [_TAINT, *([taint] if taint else [])]
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": metadata,
            "spec": {"taints": taints, "unschedulable": unschedulable},
            "status": {"capacity": room, "allocatable": room},
        }
        self._made.append(self.live.make(body))

    def _of_slot(self, amount: str) -> Manifest:
        slot = {f"example.com/slot-{self.run}": amount}
        return {"resources": {"requests": slot, "limits": slot}}

    def _offer_slot(self, amount: str | None) -> None:
        """Let the real node have one more resource, which the kubelet leaves as it is."""
        self._slot_is_offered = bool(amount)
        offered = {f"example.com/slot-{self.run}": amount}
        path = path_of("v1", "nodes", name=self.real)
        body = {"status": {"capacity": offered, "allocatable": offered}}
        status, answer = self.live.call("PATCH", f"{path}/status", body, media="merge-patch+json")
        assert status == 200, answer

    def _volumes(self) -> None:
        plain = self.places["plain"]
        far = self._storage("far")
        mine = self._storage("mine")
        self._storage_class(self.name("later"))
        self._claim("unbound", storageClassName="")
        self._claim("later", storageClassName=self.name("later"))
        self._claim("far", storageClassName="", volumeName=far)
        self._claim("mine", storageClassName="", volumeName=mine, accessModes=["ReadWriteOncePod"])
        leaving = self._claim("leaving", storageClassName="", finalizers=[KEEP])
        path = path_of("v1", "persistentvolumeclaims", plain, leaving["metadata"]["name"])
        self.live.call("DELETE", path)
        claims = path_of("v1", "persistentvolumeclaims", plain)
        for name in ("far", "mine"):
            until(lambda name=name: self._phase(f"{claims}/{name}") == "Bound", 30, pause=0.2)

    def _phase(self, path: str) -> str:
        return str(self.live.call("GET", path)[1]["status"].get("phase"))

    def _storage_class(self, name: str) -> None:
        body = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
        self._make("storage.k8s.io/v1", "StorageClass", name, **body)

    def _storage(self, kind: str) -> str:
        """A volume: on the full node, or (far) on no node at all."""
        node = self.node("full") if kind == "mine" else "nowhere"
        term = {"matchExpressions": [{"key": "why-node", "operator": "In", "values": [node]}]}
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOncePod" if kind == "mine" else "ReadWriteOnce"],
            "hostPath": {"path": "/tmp"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "claimRef": {"name": kind, "namespace": self.places["plain"]},
            "persistentVolumeReclaimPolicy": "Retain",
        }
        self._make("v1", "PersistentVolume", self.name(kind), spec=spec)
        return self.name(kind)

    def _claim(self, name: str, *, finalizers: list[str] | None = None, **spec: Any) -> Manifest:
        body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
        home = {"name": name, "namespace": self.places["plain"], "finalizers": finalizers or []}
        manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": home, "spec": body}
        self._made.append(self.live.make(manifest))
        return self._made[-1]

    def _fill(self) -> None:
        """A pod that leaves the full node little of anything."""
        container = {
            "name": "main",
            "image": "x",
            "resources": {"requests": _FULL, "limits": _FULL},
            "ports": [{"containerPort": 7777, "hostPort": 7777}],
        }
        spec = {
            "nodeSelector": self.selector("full"),
            "tolerations": self.tolerations,
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}],
        }
        plain = self.places["plain"]
        self._make("v1", "Pod", "filler", plain, labels={"why": "filler"}, spec=spec)
        path = path_of("v1", "pods", plain, "filler")
        until(
            lambda: self._phase(path) == "Running", 30, message=lambda: self.live.call("GET", path), pause=0.2
        )


def _labels(item: Manifest) -> Manifest:
    return dict(item["metadata"].get("labels") or {})


def _annotations(item: Manifest) -> Manifest:
    return dict(item["metadata"].get("annotations") or {})


@contextlib.contextmanager
def staged(live: Live, registry: str, *, nodes: bool) -> Iterator[Stage]:
    """Set up a stage, with nodes or without, and take it away."""
    stage = Stage(live, registry)
    try:
        stage.up(nodes=nodes and stage.has_nodes)
        yield stage
    finally:
        stage.down()
