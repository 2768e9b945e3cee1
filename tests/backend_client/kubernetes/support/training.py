"""Training jobs of other tools, as their published API types have them, and what their controllers make.

Shapes: jobset api/jobset/v1alpha2/jobset_types.go; kubeflow/trainer pkg/apis/trainer/v1alpha1 and (branch
release-1.9) pkg/apis/kubeflow.org/v1; kubeflow/mpi-operator pkg/apis/kubeflow/v2beta1; kuberay
ray-operator/apis/ray/v1; lws api/leaderworkerset/v1; volcano-sh/apis pkg/apis/batch/v1alpha1.
"""

from typing import Any

Manifest = dict[str, Any]
ENDED = "2026-11-29T12:00:00Z"
GPUS = 8


def template(gpus: int = GPUS, **pod: Any) -> Manifest:
    """A pod template; in a custom object a quantity may be a number."""
    resources = {"limits": {"nvidia.com/gpu": gpus}} if gpus else {}
    container = {"name": "main", "image": "pytorch:2", "command": ["train"], "resources": resources}
    return {"spec": {"containers": [container], **pod}}


def replicas(count: int, gpus: int = GPUS) -> Manifest:
    return {"replicas": count, "template": template(gpus)}


def replicated(name: str, jobs: int, pods: int, gpus: int = GPUS) -> Manifest:
    spec = {"parallelism": pods, "completions": pods, "template": template(gpus)}
    return {"name": name, "replicas": jobs, "template": {"spec": spec}}


def condition(type_: str, message: str = "", reason: str = "", status: str = "True") -> Manifest:
    when = {"lastTransitionTime": ENDED}
    return {"type": type_, "status": status, "reason": reason, "message": message, **when}


RAY = {
    "headGroupSpec": {"rayStartParams": {}, "template": template(0)},
    "workerGroupSpecs": [{"groupName": "gpu", **replicas(2), "minReplicas": 0}],
}
SPECS: dict[str, Manifest] = {
    "jobset": {"replicatedJobs": [replicated("driver", 1, 1, 0), replicated("worker", 2, 2)]},
    "trainjob": {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"numNodes": 2}},
    "pytorchjob": {"runPolicy": {}, "pytorchReplicaSpecs": {"Master": replicas(1), "Worker": replicas(2)}},
    "mpijob": {"runPolicy": {}, "mpiReplicaSpecs": {"Launcher": replicas(1, 0), "Worker": replicas(2)}},
    "rayjob": {"entrypoint": "python train.py", "rayClusterSpec": RAY},
    "raycluster": RAY,
    "lws": {"replicas": 2, "leaderWorkerTemplate": {"size": 2, "workerTemplate": template()}},
    "vcjob": {
        "minAvailable": 3,
        "tasks": [{"name": "ps", **replicas(1, 0)}, {"name": "worker", **replicas(2)}],
    },
}
"""By the name of the kind."""
APIS = {
    "jobset": ("jobset.x-k8s.io/v1alpha2", "JobSet"),
    "trainjob": ("trainer.kubeflow.org/v1alpha1", "TrainJob"),
    "pytorchjob": ("kubeflow.org/v1", "PyTorchJob"),
    "mpijob": ("kubeflow.org/v2beta1", "MPIJob"),
    "rayjob": ("ray.io/v1", "RayJob"),
    "raycluster": ("ray.io/v1", "RayCluster"),
    "lws": ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"),
    "vcjob": ("batch.volcano.sh/v1alpha1", "Job"),
}


def manifest(kind: str, name: str = "llama", namespace: str = "ns", **spec: Any) -> Manifest:
    """An object of a kind."""
    api, word = APIS[kind]
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api, "kind": word, "metadata": metadata, "spec": {**SPECS[kind], **spec}}


def owned(made: Manifest, by: Manifest) -> Manifest:
    """An object with the owner reference that a controller writes."""
    owner = {
        "apiVersion": by["apiVersion"],
        "kind": by["kind"],
        "name": by["metadata"]["name"],
        "uid": by["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**made, "metadata": {**made["metadata"], "ownerReferences": [owner]}}


def pod(name: str, labels: dict[str, str], namespace: str = "ns", gpus: int = GPUS) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = template(gpus, restartPolicy="Never", schedulerName="nobody")["spec"]
    spec["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}} if gpus else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def job(name: str, labels: dict[str, str], namespace: str = "ns") -> Manifest:
    """A Job whose pods the test makes itself: its controller is told to leave it alone."""
    spec = {
        "managedBy": "test.traindeck.dev/nobody",
        "template": template(0, restartPolicy="Never"),
    }
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def stateful_set(name: str, labels: dict[str, str], namespace: str = "ns") -> Manifest:
    """A StatefulSet without replicas of its own: the test makes its pods."""
    pods = template(0)
    pods["metadata"] = {"labels": {"test.traindeck.dev/of": name}}
    selector = {"matchLabels": {"test.traindeck.dev/of": name}}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"replicas": 0, "serviceName": name, "selector": selector, "template": pods}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}


def definition(kind: str, plural: str, group: str, version: str) -> Manifest:
    """A CustomResourceDefinition that takes any spec and status."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    word = APIS[kind][1]
    names = {"kind": word, "plural": plural, "singular": word.lower(), "listKind": f"{word}List"}
    served = {
        "name": version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


Family = list[tuple[Manifest, int | None]]
"""Objects in the order in which they are made, the training job first; each with the index of its owner."""


def family(kind: str, name: str = "llama", namespace: str = "ns") -> tuple[Family, dict[str, int]]:
    """A training job with all that its controllers make of it; and its pods' ranks, by their names."""
    make = {
        "jobset": _jobset,
        "trainjob": _trainjob,
        "pytorchjob": _pytorchjob,
        "mpijob": _mpijob,
        "rayjob": _rayjob,
        "raycluster": _raycluster,
        "lws": _lws,
        "vcjob": _vcjob,
    }[kind]
    made, ranks = make(name, namespace)
    return [(manifest(kind, name, namespace), None), *made], ranks


def _jobset(name: str, place: str, sets: Any = (("driver", 1, 1), ("worker", 2, 2))) -> tuple[Family, Any]:
    made: Family = []
    owner = 0
    for group, jobs, pods in sets:
        for number in range(jobs):
            labels = {
                "jobset.sigs.k8s.io/jobset-name": name,
                "jobset.sigs.k8s.io/replicatedjob-name": group,
                "jobset.sigs.k8s.io/job-index": str(number),
            }
            made.append((job(f"{name}-{group}-{number}", labels, place), owner))
            of = len(made)
            for index in range(pods):
                indexed = labels | {"batch.kubernetes.io/job-completion-index": str(index)}
                own = f"{name}-{group}-{number}-{index}"
                made.append((pod(own, indexed, place, GPUS * (group != "driver")), of))
    workers = {f"{name}-worker-{n}-{i}": 2 * n + i for n in range(2) for i in range(2)}
    return made, workers | {f"{name}-driver-0-0": 4}


def _trainjob(name: str, place: str) -> tuple[Family, Any]:
    child = manifest("jobset", name, place, replicatedJobs=[replicated("node", 1, 2)])
    below, _ = _jobset(name, place, (("node", 1, 2),))
    made: Family = [(child, 0)]
    made += [(item, (owner or 0) + 1) for item, owner in below]
    return made, {f"{name}-node-0-0": 0, f"{name}-node-0-1": 1}


def _kubeflow(name: str, sort: str, index: int | None, key: str = "replica-type") -> dict[str, str]:
    labels = {"training.kubeflow.org/job-name": name, f"training.kubeflow.org/{key}": sort}
    return labels | ({} if index is None else {"training.kubeflow.org/replica-index": str(index)})


def _pytorchjob(name: str, place: str) -> tuple[Family, Any]:
    made: Family = [(pod(f"{name}-master-0", _kubeflow(name, "master", 0), place), 0)]
    made += [(pod(f"{name}-worker-{n}", _kubeflow(name, "worker", n), place), 0) for n in range(2)]
    return made, {f"{name}-master-0": 0, f"{name}-worker-0": 1, f"{name}-worker-1": 2}


def _mpijob(name: str, place: str) -> tuple[Family, Any]:
    made: Family = [
        (pod(f"{name}-worker-{n}", _kubeflow(name, "worker", n, "job-role"), place), 0) for n in range(2)
    ]
    made.append((job(f"{name}-launcher", {"app": name}, place), 0))
    launcher = pod(f"{name}-launcher-x", _kubeflow(name, "launcher", None, "job-role"), place, 0)
    made.append((launcher, len(made)))
    return made, {f"{name}-worker-0": 0, f"{name}-worker-1": 1, f"{name}-launcher-x": 2}


def _raycluster(name: str, place: str) -> tuple[Family, Any]:
    labels = {"ray.io/cluster": name, "ray.io/group": "headgroup", "ray.io/node-type": "head"}
    made: Family = [(pod(f"{name}-head", labels, place, 0), 0)]
    worker = labels | {"ray.io/group": "gpu", "ray.io/node-type": "worker"}
    made += [(pod(f"{name}-worker-{n}", worker, place), 0) for n in "ab"]
    return made, {f"{name}-worker-a": 0, f"{name}-worker-b": 1, f"{name}-head": 2}


def _rayjob(name: str, place: str) -> tuple[Family, Any]:
    cluster = manifest("raycluster", f"{name}-c", place)
    below, ranks = _raycluster(f"{name}-c", place)
    labels = {"ray.io/originated-from-cr-name": name}
    made: Family = [(cluster, 0), *((item, 1) for item, _ in below), (job(name, labels, place), 0)]
    made.append((pod(f"{name}-submit", labels, place, 0), len(made)))
    return made, ranks | {f"{name}-submit": 3}


def _lws(name: str, place: str) -> tuple[Family, Any]:
    """The leaders' StatefulSet is the set's; each leader's own one, of its workers, is the leader's."""
    labels = {"leaderworkerset.sigs.k8s.io/name": name}
    made: Family = [(stateful_set(name, labels, place), 0)]
    for group in range(2):
        here = labels | {"leaderworkerset.sigs.k8s.io/group-index": str(group)}
        made.append((pod(f"{name}-{group}", here | {f"{_LWS}/worker-index": "0"}, place), 1))
        made.append((stateful_set(f"{name}-{group}", labels, place), len(made)))
        made.append((pod(f"{name}-{group}-1", here | {f"{_LWS}/worker-index": "1"}, place), len(made)))
    return made, {f"{name}-0": 0, f"{name}-0-1": 1, f"{name}-1": 2, f"{name}-1-1": 3}


_LWS = "leaderworkerset.sigs.k8s.io"


def _vcjob(name: str, place: str) -> tuple[Family, Any]:
    def labels(task: str, index: int) -> dict[str, str]:
        of = {"volcano.sh/job-name": name, "volcano.sh/task-spec": task}
        return of | {"volcano.sh/task-index": str(index)}

    made: Family = [(pod(f"{name}-ps-0", labels("ps", 0), place, 0), 0)]
    made += [(pod(f"{name}-worker-{n}", labels("worker", n), place), 0) for n in range(2)]
    return made, {f"{name}-worker-0": 0, f"{name}-worker-1": 1, f"{name}-ps-0": 2}
