"""Queues of Kueue for tests, and jobs that meet each fate in them: made together, then looked at together.

Flavors here have labels that no node has, so what is admitted holds quota and no GPU of a node.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from backend_client.models import JobState
from tests.backend_client.kubernetes.support.live import Live, Manifest, eventually, path_of

API = "kueue.x-k8s.io/v1beta2"
GPU = "nvidia.com/gpu"
PRODUCT = "nvidia.com/gpu.product"
BUSYBOX = "traindeck.dev/busybox:1"
NOW = "2026-11-30T00:00:00Z"
SCOPE = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}
"""Of a ResourceQuota: pods with a PriorityClass alone."""
PLURALS = {
    "AdmissionCheck": "admissionchecks",
    "ClusterQueue": "clusterqueues",
    "LocalQueue": "localqueues",
    "ResourceFlavor": "resourceflavors",
    "Topology": "topologies",
    "Workload": "workloads",
    "WorkloadPriorityClass": "workloadpriorityclasses",
}


def has_kueue(live: Live) -> bool:
    """Whether a cluster has Kueue."""
    return live.call("GET", path_of(API, "localqueues"))[0] == 200


class Queues:
    """Queues of one test module, in a namespace of its own; all names end alike."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.suffix = uuid4().hex[:5]
        self.namespace = f"queues-{self.suffix}"
        self._made: list[tuple[str, str]] = []

    def name(self, name: str) -> str:
        """The name of something that no namespace holds."""
        return f"{name}-{self.suffix}"

    def make(self, kind: str, name: str, spec: Manifest, *, namespace: str = "", **more: Any) -> Manifest:
        """Create one of Kueue's objects."""
        body = {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec, **more}
        status, answer = self.live.call("POST", path_of(API, PLURALS[kind], namespace), body)
        assert status == 201, answer
        if not namespace:
            self._made.append((kind, name))
        return answer

    def patch(self, kind: str, name: str, patch: Manifest, *, namespace: str = "", part: str = "") -> None:
        """Change one by a merge patch; `part`: its subresource."""
        path = path_of(API, PLURALS[kind], namespace, name) + f"/{part}" * bool(part)
        status, answer = self.live.call("PATCH", path, patch, media="merge-patch+json")
        assert status == 200, answer

    def flavor(self, name: str, labels: Manifest, **spec: Any) -> str:
        """Create a flavor."""
        self.make("ResourceFlavor", self.name(name), {"nodeLabels": labels, **spec})
        return self.name(name)

    def queue(self, name: str, quota: dict[str, int], **spec: Any) -> None:
        """Create a ClusterQueue with GPUs by flavor, and a LocalQueue of that name to it."""
        flavors = [
            {"name": flavor, "resources": [{"name": GPU, "nominalQuota": gpus}]}
            for flavor, gpus in quota.items()
        ]
        groups = [{"coveredResources": [GPU], "flavors": flavors}]
        selector = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        whole = {"namespaceSelector": selector, "resourceGroups": groups, **spec}
        self.make("ClusterQueue", self.name(name), whole)
        self.local_queue(name, self.name(name))

    def local_queue(self, name: str, cluster_queue: str, **spec: Any) -> None:
        """Create a LocalQueue."""
        self.make("LocalQueue", name, {"clusterQueue": cluster_queue, **spec}, namespace=self.namespace)

    def job(self, name: str, queue: str, gpus: int = 1, *, pods: int = 1, **more: Any) -> Manifest:
        """Create a Job. `more`: labels (with _ for a key's domain), node_selector, annotations."""
        return self.live.make(self.manifest("Job", name, queue, gpus, pods=pods, **more))

    def manifest(
        self,
        kind: str,
        name: str,
        queue: str,
        gpus: int = 1,
        *,
        pods: int = 1,
        labels: Manifest | None = None,
        annotations: Manifest | None = None,
        pod_annotations: Manifest | None = None,
        requests: Manifest | None = None,
        runs: bool = False,
        **pod: Any,
    ) -> Manifest:
        """A Job or Deployment in a queue; `runs`: for ever, on a node that pretends."""
        limits = {GPU: str(gpus)}
        asked = {"limits": limits, "requests": limits | (requests or {})}
        container = {"name": "train", "image": BUSYBOX, "command": ["sleep", "600"], "resources": asked}
        marks = {"test.traindeck.dev/outcome": "run"} if runs else {}
        job = kind == "Job"
        template = {
            "metadata": {
                "labels": {"app": name},
                "annotations": marks | (pod_annotations or {}),
            },
            "spec": {
                "containers": [container],
                "restartPolicy": "Never" if job else "Always",
                **pod,
            },
        }
        spec: Manifest = {"template": template}
        if job:
            spec |= {"parallelism": pods, "completions": pods, "completionMode": "Indexed", "backoffLimit": 0}
        else:
            spec |= {"replicas": pods, "selector": {"matchLabels": {"app": name}}}
        return {
            "apiVersion": "batch/v1" if job else "apps/v1",
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {"kueue.x-k8s.io/queue-name": queue, **(labels or {})},
                "annotations": annotations or {},
            },
            "spec": spec,
        }

    def make_priority(self, name: str, value: int) -> None:
        """Create a WorkloadPriorityClass."""
        kind = "WorkloadPriorityClass"
        body = {"apiVersion": API, "kind": kind, "metadata": {"name": self.name(name)}, "value": value}
        status, answer = self.live.call("POST", path_of(API, PLURALS[kind]), body)
        assert status == 201, answer
        self._made.append((kind, self.name(name)))

    def workloads(self, job: str = "") -> list[Manifest]:
        """The Workloads of the namespace, or of one Job."""
        items = self.live.items(API, "workloads", self.namespace)
        return [item for item in items if not job or job in {o["name"] for o in _owners(item)}]

    def workload(self, job: str) -> Manifest:
        """The Workload of a Job, once it is there."""
        return eventually(lambda: self.workloads(job), bool)[0]

    def wait_until(self, job: str, good: Callable[[dict[str, str]], object]) -> None:
        """Wait for a Job's Workload: `good` gets the status of its conditions."""
        eventually(lambda: conditions(self.workload(job)), good)

    def remove(self) -> None:
        """Delete all; nothing is waited for."""
        self.live.call("DELETE", path_of("v1", "namespaces", name=self.namespace))
        for kind, name in reversed(self._made):
            self.live.call("DELETE", path_of(API, PLURALS[kind], name=name))


def conditions(workload: Manifest) -> dict[str, str]:
    """The conditions of a Workload: type -> "True" or "False"."""
    return {c["type"]: c["status"] for c in workload.get("status", {}).get("conditions", ())}


def _owners(item: Manifest) -> list[Manifest]:
    owners: list[Manifest] = item["metadata"].get("ownerReferences", [])
    return owners


@contextmanager
def queues(live: Live) -> Iterator[Queues]:
    """Queues in a new namespace, removed at the end."""
    made = Queues(live)
    live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}})
    try:
        yield made
    finally:
        made.remove()


class Fate(NamedTuple):
    """What is said of a job in a queue."""

    state: JobState
    reason: str
    """* stands for what differs between runs."""
    place: str = ""
    """What follows, where its place is known."""

    @property
    def without_place(self) -> str:
        """What is said where no place is known."""
        return f"{self.reason}; waits in the queue *" if self.place.startswith("; ") else self.reason

    @property
    def with_place(self) -> str:
        """What is said where its place is known."""
        return f"{self.reason}{self.place}" if self.place.startswith("; ") else self.place or self.reason


S = JobState
GAVE_WAY = "gave way to a job with priority over it* at ??:?? UTC, after *"
FATES: dict[str, Fate] = {
    "preempting": Fate(S.QUEUED, "waits until 1 job that gives way has stopped", "; 1st of * in slow-*"),
    "waits": Fate(
        S.QUEUED, "needs 2 more GPUs in v100-* (the only kind that it allows)", "; 1st of 6 in wait-*"
    ),
    "too-small": Fate(
        S.QUEUED, "needs 1 more GPU in t4-* (the only kind that it allows)", "; ??? of 6 in wait-*"
    ),
    "either": Fate(S.QUEUED, "needs 1 more GPU in t4-* or 1 more GPU in v100-*", "; ??? of 6 in wait-*"),
    "never": Fate(
        S.QUEUED,
        "can never start here: asks 64 GPUs, its queue has at most 1 GPU in t4-* or 2 GPUs in v100-*",
    ),
    "no-kind": Fate(S.QUEUED, "can never start here: its queue has t4-* and v100-*, it asks for NVIDIA-B200"),
    "no-memory": Fate(S.QUEUED, "can never start here: its queue has no memory"),
    "tainted": Fate(
        S.QUEUED,
        "can never start here: tainted-* has the taint test.traindeck.dev/*, which it does not tolerate",
    ),
    "head": Fate(S.QUEUED, "needs 1 more GPU in v100-*", "; 1st of 2 in strict-*"),
    "behind": Fate(S.QUEUED, "waits in the queue strict, behind others", "2nd of 2 in strict-*"),
    "preempted": Fate(S.QUEUED, f"{GAVE_WAY}; needs 1 more GPU in v100-*", "; 1st of 1 in low-*"),
    "reclaimed": Fate(
        S.QUEUED,
        "lend-* took its own quota back* at ??:?? UTC, after *; needs 1 more GPU in v100-*",
        "; 1st of 1 in borrow-*",
    ),
    "held": Fate(
        S.QUEUED,
        "the queue held is inactive (held-*): an administrator has stopped it, or has to set it right",
    ),
    "drained": Fate(
        S.QUEUED,
        "an administrator stopped its queue* at ??:?? UTC, after *; starts again when it is opened",
    ),
    "shut": Fate(S.QUEUED, "the queue shut is stopped"),
    "missing": Fate(S.QUEUED, "there is no queue nothere in the namespace queues-*"),
    "nowhere": Fate(S.QUEUED, "the queue nowhere leads to the ClusterQueue no-such, which does not exist"),
    "foreign": Fate(S.QUEUED, "the queue foreign takes no jobs of the namespace queues-*"),
    "check": Fate(S.QUEUED, "has its quota reserved; waits for the check budget-*: no money before noon"),
    "check-retry": Fate(
        S.QUEUED,
        "has its quota reserved; waits for the check budget-*: it has sent the job back before",
    ),
    "check-later": Fate(
        S.QUEUED,
        "has its quota reserved; waits for the check budget-*: no money before noon; "
        "is tried again at ??:??:?? UTC",
    ),
    "check-no": Fate(S.FAILED, "the check budget-* of its queue refused it"),
    "taken-out": Fate(
        S.STOPPED, "was taken out of its queue* at ??:?? UTC, after *; it waits to be put back"
    ),
    "never-in": Fate(S.STOPPED, "was taken out of its queue*; it waits to be put back"),
    "too-long": Fate(S.FAILED, "ran longer than its queue's limit of 1s"),
    "topology": Fate(
        S.QUEUED,
        "its quota is free, but on one host there is room for 1 of its 2 pods only",
        "; 1st of 1 in tas-*",
    ),
    "replicas": Fate(S.RUNNING, "1 of 3 replicas run; 2 wait: needs 1 more GPU in small-* each"),
    "first-strict": Fate(
        S.PENDING,
        "no node fits: of *, * not of the kind asked for*; its queue chose the flavor v100-*, so its node "
        "must have nvidia.com/gpu.product=Tesla-V100",
    ),
    "refused": Fate(
        S.QUEUED, "the quota gpus is full: 0 of 0 GPUs used, 1 asked; holds 1 GPU of its queue meanwhile"
    ),
}
"""By the name of the job."""
UNREADY: dict[str, Fate] = {
    "not-ready": Fate(S.QUEUED, "did not get ready in time; is tried again at ??:??:?? UTC"),
    "given-up": Fate(S.FAILED, "given up after 2 starts that did not get ready in time"),
}
"""Recorded alone: they need a Kueue that is set up to wait for pods (waitForPodsReady)."""


def make_fates(made: Queues) -> None:
    """Make all of them, as far as an administrator does; what a queue does then comes by itself."""
    v100 = made.flavor("v100", {PRODUCT: "Tesla-V100"})
    t4 = made.flavor("t4", {PRODUCT: "Tesla-T4"})
    taint = {"key": "test.traindeck.dev/spot", "value": "yes", "effect": "NoSchedule"}
    tainted = made.flavor("tainted", {PRODUCT: "Tesla-K80"}, nodeTaints=[taint])
    small = made.flavor("small", {"type": "kwok"})
    made.make("Topology", made.name("hosts"), {"levels": [{"nodeLabel": "kubernetes.io/hostname"}]})
    hosts = made.flavor("tas", {"type": "kwok"}, topologyName=made.name("hosts"))
    gives_way = {"withinClusterQueue": "LowerPriority", "reclaimWithinCohort": "Any"}
    made.queue("wait", {v100: 2, t4: 1})
    made.queue("tainted", {tainted: 1})
    made.queue("strict", {v100: 1}, queueingStrategy="StrictFIFO")
    made.queue("low", {v100: 1}, preemption=gives_way)
    made.queue("slow", {v100: 1}, preemption=gives_way)
    cohort = made.name("cohort")
    made.queue("lend", {v100: 1}, preemption=gives_way, cohortName=cohort)
    made.queue("borrow", {v100: 0}, cohortName=cohort)
    made.queue("held", {v100: 1}, stopPolicy="Hold")
    made.queue("drained", {v100: 1})
    made.queue("open", {v100: 4})
    made.local_queue("shut", made.name("open"), stopPolicy="Hold")
    made.local_queue("nowhere", "no-such")
    made.queue("foreign", {v100: 1}, namespaceSelector={"matchLabels": {"no": "such"}})
    made.queue("replicas", {small: 1})
    made.queue("tas", {hosts: 64})
    _make_check(made)
    made.make_priority("urgent", 1000)
    _make_holders(made)
    _make_waiting(made)
    _act(made)


def _make_check(made: Queues) -> None:
    check = made.name("budget")
    made.make("AdmissionCheck", check, {"controllerName": "test.traindeck.dev/budget"})
    active = {"type": "Active", "status": "True", "reason": "Up", "message": "", "lastTransitionTime": NOW}
    made.patch("AdmissionCheck", check, {"status": {"conditions": [active]}}, part="status")
    strategy = {"admissionChecks": [{"name": check}]}
    made.queue("checked", {made.name("v100"): 9}, admissionChecksStrategy=strategy)


def _make_holders(made: Queues) -> None:
    """Make those that have a queue's quota before others come."""
    made.job("first-wait", "wait", 2, nodeSelector={PRODUCT: "Tesla-V100"})
    made.job("other-wait", "wait", 1, nodeSelector={PRODUCT: "Tesla-T4"})
    made.job("first-strict", "strict")
    made.job("drained", "drained")
    made.job("preempted", "low")
    slow = made.manifest("Job", "first-slow", "slow")
    slow["spec"]["managedBy"] = "test.traindeck.dev/nobody"  # so its pods are as slow to stop as is said here
    slow = made.live.make(slow)
    made.job("reclaimed", "borrow")
    made.job("taken-out", "open")
    made.job("too-long", "open", labels={"kueue.x-k8s.io/max-exec-time-seconds": "1"})
    for name in (*CHECKED, "check"):
        made.job(name, "checked")
    for name in (*("first-wait", "other-wait", "first-strict", "first-slow"), *SOON_OUT):
        made.wait_until(name, lambda found: found.get("Admitted") == "True")
    made.live.patch(slow, {"status": {"active": 1, "startTime": NOW}}, part="status")


SOON_OUT = ("drained", "preempted", "reclaimed", "taken-out")
CHECKED = {"check-no": {"state": "Rejected"}, "check-retry": {"state": "Retry"},
           "check-later": {"state": "Retry", "requeueAfterSeconds": 600}}  # fmt: skip


def _make_waiting(made: Queues) -> None:
    urgent = {"kueue.x-k8s.io/priority-class": made.name("urgent")}
    made.job("waits", "wait", 2, nodeSelector={PRODUCT: "Tesla-V100"}, labels=urgent)
    made.job("too-small", "wait", nodeSelector={PRODUCT: "Tesla-T4"})
    made.job("either", "wait")
    made.job("never", "wait", 64)
    made.job("no-kind", "wait", nodeSelector={PRODUCT: "NVIDIA-B200"})
    made.job("no-memory", "wait", requests={"memory": "1Mi"})
    made.job("never-in", "wait")
    made.job("tainted", "tainted")
    made.job("head", "strict", labels=urgent)
    made.job("behind", "strict")
    made.job("urgent-low", "low", labels=urgent)
    made.job("preempting", "slow", labels=urgent)
    made.job("lender", "lend")
    for name in ("held", "shut", "nowhere", "foreign"):
        made.job(name, name)
    made.job("missing", "nothere")
    together = {"kueue.x-k8s.io/podset-required-topology": "kubernetes.io/hostname"}
    made.job("topology", "tas", 5, pods=2, pod_annotations=together)
    made.live.make(made.manifest("Deployment", "replicas", "replicas", pods=3, runs=True))
    quota = {"name": "gpus", "namespace": made.namespace}
    hard = {"spec": {"hard": {f"requests.{GPU}": "0"}, "scopeSelector": SCOPE}}
    made.live.make({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota, **hard})
    made.job("refused", "open", priorityClassName="system-cluster-critical")


def _act(made: Queues) -> None:
    """Do what an administrator does to some."""
    made.patch("ClusterQueue", made.name("drained"), {"spec": {"stopPolicy": "HoldAndDrain"}})
    for name in ("taken-out", "never-in"):
        workload = made.workload(name)["metadata"]["name"]
        made.patch("Workload", workload, {"spec": {"active": False}}, namespace=made.namespace)
    for name, verdict in {**CHECKED, "check": {"state": "Pending"}}.items():
        made.wait_until(name, lambda found: found.get("QuotaReserved") == "True")
        said = {
            "name": made.name("budget"),
            "message": "no money before noon",
            "lastTransitionTime": f"{datetime.now(UTC):%FT%TZ}",
        }
        status = {"status": {"admissionChecks": [said | verdict]}}
        workload = made.workload(name)["metadata"]["name"]
        made.patch("Workload", workload, status, namespace=made.namespace, part="status")
