"""Real objects as JSON: taken from a cluster, kept in `recorded/`, and read as the program reads them."""

import json
from pathlib import Path
from typing import Any

import msgspec

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status.job_status import job_of, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.models import Job
from tests.backend_client.kubernetes.support.live import PLURALS, Live, path_of
from tests.backend_client.kubernetes.support.recount import gpus_by_node

FOLDER = Path(__file__).parent / "recorded"
TYPES: dict[str, type[RootObject]] = {"Deployment": Deployment, "Job": KubeJob, "Pod": Pod}

Manifest = dict[str, Any]


class Recorded(msgspec.Struct, omit_defaults=True):
    """One job's objects as a server gave them."""

    root: Manifest = msgspec.field(name="anchor")
    pods: list[Manifest] = []
    events: list[Manifest] = []
    nodes: list[Manifest] = []
    others: list[Manifest] = []
    """All other pods of the cluster; with `nodes` only."""
    workloads: list[Manifest] = []
    """Kueue's."""

    def typed_root(self) -> RootObject:
        return msgspec.convert(self.root, TYPES[self.root["kind"]])

    def typed_pods(self) -> list[Pod]:
        return msgspec.convert(self.pods, list[Pod])

    def related(self) -> RelatedObjects:
        nodes = msgspec.convert(self.nodes, list[Node])
        pods = msgspec.convert([*self.pods, *self.others], list[Pod])
        workloads = msgspec.convert(self.workloads, list[Workload])
        return RelatedObjects(
            events=msgspec.convert(self.events, tuple[KubeEvent, ...]),
            workloads={uid: workload for workload in workloads for uid in workload.owner_uids},
            node_gpus=gpus_by_node(nodes, pods, RelatedObjects().site.gpu_resource) if nodes else None,
        )

    def job(self) -> Job:
        """What is said of it."""
        return job_of(self.typed_root(), self.typed_pods(), "kind", self.related())


def look(live: Live, made: Manifest, *, nodes: bool = False) -> Recorded:
    """The objects of one job as they stand now."""
    kind, home = made["kind"], made["metadata"]
    namespace, name = home["namespace"], home["name"]
    status, root = live.call("GET", path_of(made["apiVersion"], PLURALS[kind], namespace, name))
    assert status == 200, root
    pods = live.items("v1", "pods", namespace)
    own = [pod for pod in pods if root_key(msgspec.convert(pod, Pod)) == (kind, namespace, name)]
    found = Recorded(root=bare(root), pods=[bare(pod) for pod in own if kind != "Pod"])
    uids = {item["metadata"]["uid"] for item in (root, *own)}
    events = live.items("v1", "events", namespace)
    found.events = [bare(event) for event in events if event["involvedObject"].get("uid") in uids]
    if nodes:
        found.nodes = [bare(node) for node in live.items("v1", "nodes")]
        found.others = [bare(pod) for pod in live.items("v1", "pods", fieldSelector="spec.nodeName!=")]
    return found


def bare(item: Manifest) -> Manifest:
    """Without who set which field."""
    return {**item, "metadata": {k: v for k, v in item["metadata"].items() if k != "managedFields"}}


def load(name: str) -> Recorded:
    """What was recorded under this name."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Recorded)


def save(name: str, found: Recorded) -> None:
    """Record it, so that a later recording differs in as few lines as possible."""
    text = json.dumps(msgspec.to_builtins(found), indent=1, sort_keys=True, ensure_ascii=False)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text + "\n")
