"""JobSpec -> pod template: container, environment, resources (pure)."""

import re
from typing import Any

from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests import code, storage
from backend_client.kubernetes.manifests.pod_patch import patched
from backend_client.kubernetes.manifests.scheduling import ClusterFacts, Placement, placement_of
from backend_client.kubernetes.resources.quantities import add_memory
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec, Port
from backend_client.models.code import GIT_COMMIT
from backend_client.models.outputs import OUTPUT_DIR, Outputs

MASTER_PORT = 29500
"""torchrun's default `--master-port` (torch/distributed/run.py)."""
EVERY_NODE = "kubernetes.io/os"
"""A label that every kubelet gives its node: with one value, where pods of Linux are concerned."""


def job_labels(spec: JobSpec) -> dict[str, str]:
    """Return the labels on every pod and object of a job; they also select its pods."""
    return {labels.JOB: spec.name, labels.KIND: spec.kind}


def secret_name(spec: JobSpec) -> str:
    """Name the Secret with the values of `spec.secrets`."""
    return f"{spec.name}-secrets"


def ranks_name(spec: JobSpec) -> str:
    """Name the headless Service by which the ranks find each other."""
    return f"{spec.name}-ranks"


def render_pod_template(
    spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts, outputs: Outputs | None = None
) -> dict[str, Any]:
    """Render the pod template of a job, patches included. Raises ValueError for an unknown GPU type."""
    return patched(unpatched_template(spec, site, facts, outputs), spec, site)


def unpatched_template(
    spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts, outputs: Outputs | None = None
) -> dict[str, Any]:
    """Render the pod template of a job without the patches of site and person. Raises as above."""
    sweep = drop_empty({labels.SWEEP: spec.sweep.name, labels.TURN: spec.sweep.turn})
    metadata: dict[str, Any] = {"labels": {**spec.labels, **sweep, **job_labels(spec)}}
    if spec.annotations:
        metadata["annotations"] = dict(spec.annotations)
    placement = placement_of(spec, site, facts)
    return {"metadata": metadata, "spec": _pod(spec, site, facts, placement, outputs)}


def _pod(
    spec: JobSpec,
    site: KubernetesSettings,
    facts: ClusterFacts,
    placement: Placement,
    outputs: Outputs | None,
) -> dict[str, Any]:
    volumes, mounts = storage.volumes(spec, outputs)
    if facts.code:
        volumes += code.volumes(spec, facts.code.size)
        mounts.insert(0, code.mount())
    known = {
        GIT_COMMIT: facts.code.commit if facts.code else "",
        OUTPUT_DIR: outputs.path if outputs else "",
    }
    main = _container(spec, site, facts, mounts, _env(spec, drop_empty(known)))
    pod = {
        "restartPolicy": "Always" if spec.kind == "deployment" else "Never",
        "subdomain": ranks_name(spec) if spec.nodes > 1 else "",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _user(site, facts) | {"seccompProfile": {"type": "RuntimeDefault"}},
        "priorityClassName": spec.priority,
        "imagePullSecrets": [{"name": name} for name in spec.image_pull_secrets],
        **_with_turn(spec, placement.manifest()),
        "initContainers": [code.init_container(main, site.gpu_resource)] if facts.code else [],
        "containers": [main],
        "volumes": volumes,
    }
    return drop_empty(pod)


def _with_turn(spec: JobSpec, placement: dict[str, Any]) -> dict[str, Any]:
    """Have a pod wait until no pod of another job with its turn runs, on whichever node.

    The scheduler sees to it, so it holds while nobody of ours is there. It counts a pod no more once that has
    ended (pkg/scheduler/framework/plugins/interpodaffinity).
    """
    if not spec.sweep.turn:
        return placement
    others = {
        "matchLabels": {labels.TURN: spec.sweep.turn},
        "matchExpressions": [{"key": labels.JOB, "operator": "NotIn", "values": [spec.name]}],
    }
    term = {"labelSelector": others, "topologyKey": EVERY_NODE}
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return {**placement, "affinity": placement.get("affinity", {}) | away}


def drop_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out the fields of a manifest that are empty: "", [] or {}."""
    return {name: value for name, value in fields.items() if value not in ("", [], {})}


def _user(site: KubernetesSettings, facts: ClusterFacts) -> dict[str, Any]:
    """Set another user only where the namespace forbids root: most GPU images expect root."""
    return {"runAsNonRoot": True, "runAsUser": site.run_as_user} if facts.pod_security == "restricted" else {}


def _container(
    spec: JobSpec,
    site: KubernetesSettings,
    facts: ClusterFacts,
    mounts: list[dict[str, Any]],
    env: list[dict[str, Any]],
) -> dict[str, Any]:
    return drop_empty(
        {
            "name": labels.MAIN_CONTAINER,
            "image": spec.image,
            "command": [escape_expansion(word) for word in spec.command],
            "workingDir": code.workdir(spec) if facts.code else spec.workdir,
            "env": env,
            "ports": _ports(spec.ports),
            "resources": drop_empty({"limits": limits(spec, site)}),
            "volumeMounts": mounts,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    )


def escape_expansion(text: str) -> str:
    """Escape what Kubernetes would expand, $(NAME) and $$, so that the container gets the text itself.

    The rules: kubernetes/kubernetes third_party/forked/golang/expansion/expand.go.
    """
    return re.sub(r"\$(?=[$(])", "$$", text)


def limits(spec: JobSpec, site: KubernetesSettings) -> dict[str, str]:
    """Return the resource limits of one pod; Kubernetes takes them as requests too, where there are none.

    What is written to /dev/shm, an emptyDir of medium Memory, counts against the memory limit of the
    container that wrote it (kubernetes.io, "Volumes", emptyDir), so its size is added.
    """
    memory = spec.memory and (add_memory(spec.memory, spec.shm_size) if spec.shm_size else spec.memory)
    gpus = str(spec.gpus) if spec.gpus else ""
    return drop_empty({"cpu": spec.cpu, "memory": memory, site.gpu_resource: gpus})


def _env(spec: JobSpec, known: dict[str, str]) -> list[dict[str, Any]]:
    """List the environment variables: ours first, so that the user's replace them; the secrets' last.

    `known`: what a job is told of itself.
    """
    ours = {"PYTHONUNBUFFERED": "1", **known}
    variables = {**ours, **(_torchrun(spec) if spec.nodes > 1 else {}), **spec.env}
    secret = {name: _value_from("secretKeyRef", name=secret_name(spec), key=name) for name in spec.secrets}
    plain = {
        name: {"value": escape_expansion(value)} if isinstance(value, str) else value
        for name, value in variables.items()
    }
    return [{"name": name, **value} for name, value in {**plain, **secret}.items()]


def _value_from(source: str, **selector: str) -> dict[str, Any]:
    return {"valueFrom": {source: selector}}


def _torchrun(spec: JobSpec) -> dict[str, Any]:
    """Set what torchrun and plain torch.distributed (`env://`) read to find rank 0.

    torchrun takes PET_<OPTION> for each of its options (pytorch/pytorch torch/distributed/argparse_util.py);
    Kubeflow sets the same (kubeflow/trainer pkg/constants/constants.go). Where a node has one process, it
    needs no launcher: its rank is the node's.
    """
    rank = _value_from("fieldRef", fieldPath=f"metadata.annotations['{labels.INDEX}']")
    master, port, nodes = f"{spec.name}-0.{ranks_name(spec)}", str(MASTER_PORT), str(spec.nodes)
    alone = {"RANK": rank, "WORLD_SIZE": nodes, "LOCAL_RANK": "0"} if spec.gpus <= 1 else {}
    return {
        **alone,
        "MASTER_ADDR": master,
        "MASTER_PORT": port,
        "NODE_RANK": rank,
        "PET_MASTER_ADDR": master,
        "PET_MASTER_PORT": port,
        "PET_NNODES": nodes,
        "PET_NODE_RANK": rank,
        "PET_NPROC_PER_NODE": str(spec.gpus or 1),
    }


def _ports(ports: tuple[Port, ...]) -> list[dict[str, Any]]:
    """List each container port once: two ports of the Service may lead to the same one."""
    targets = dict.fromkeys((port.target or port.number, port.protocol) for port in ports)
    return [{"containerPort": number, "protocol": protocol} for number, protocol in targets]
