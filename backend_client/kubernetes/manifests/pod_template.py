"""JobSpec -> the template of its pods (pure)."""

import re
from typing import Any

from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.scheduling import ClusterFacts, Placement, placement_of
from backend_client.kubernetes.resources.quantities import add_memory
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec, Port

MASTER_PORT = 29500
SHM = "/dev/shm"  # noqa: S108


def job_labels(spec: JobSpec) -> dict[str, str]:
    """What every part and pod of a job bears, and what selects its pods."""
    return {labels.JOB: spec.name, labels.KIND: spec.kind}


def secret_name(spec: JobSpec) -> str:
    """The Secret with the values of `spec.secrets`."""
    return f"{spec.name}-secrets"


def ranks_name(spec: JobSpec) -> str:
    """The headless Service by which the ranks find each other."""
    return f"{spec.name}-ranks"


def template(spec: JobSpec, site: KubernetesSettings, seen: ClusterFacts) -> dict[str, Any]:
    """The pod template. Raises ValueError where the GPU type cannot be found."""
    metadata: dict[str, Any] = {"labels": {**spec.labels, **job_labels(spec)}}
    if spec.annotations:
        metadata["annotations"] = dict(spec.annotations)
    return {"metadata": metadata, "spec": _pod(spec, site, seen, placement_of(spec, site, seen))}


def _pod(spec: JobSpec, site: KubernetesSettings, seen: ClusterFacts, placement: Placement) -> dict[str, Any]:
    volumes, mounts = _volumes(spec)
    pod = {
        "restartPolicy": "Always" if spec.kind == "deployment" else "Never",
        "subdomain": ranks_name(spec) if spec.nodes > 1 else "",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _user(site, seen) | {"seccompProfile": {"type": "RuntimeDefault"}},
        "priorityClassName": spec.priority,
        "imagePullSecrets": [{"name": name} for name in spec.image_pull_secrets],
        **placement.manifest(),
        "containers": [_container(spec, site, mounts)],
        "volumes": volumes,
    }
    return drop_empty(pod)


def drop_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty text or an empty list or mapping."""
    return {name: value for name, value in fields.items() if value not in ("", [], {})}


def _user(site: KubernetesSettings, seen: ClusterFacts) -> dict[str, Any]:
    """Most GPU images run as root; another user only where the namespace forbids root."""
    return {"runAsNonRoot": True, "runAsUser": site.run_as_user} if seen.pod_security == "restricted" else {}


def _container(spec: JobSpec, site: KubernetesSettings, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return drop_empty(
        {
            "name": labels.MAIN_CONTAINER,
            "image": spec.image,
            "command": [escape_expansion(word) for word in spec.command],
            "workingDir": spec.workdir,
            "env": _env(spec),
            "ports": _ports(spec.ports),
            "resources": drop_empty({"limits": limits(spec, site)}),
            "volumeMounts": mounts,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    )


def escape_expansion(text: str) -> str:
    """Text that Kubernetes, which expands $(NAME) and $$, hands on as it was."""
    return re.sub(r"\$(?=[$(])", "$$", text)


def limits(spec: JobSpec, site: KubernetesSettings) -> dict[str, str]:
    """What one pod gets; Kubernetes takes limits for requests too.

    What lies in /dev/shm counts as the container's memory, so its size comes on top (facts 3.2).
    """
    memory = spec.memory and (add_memory(spec.memory, spec.shm_size) if spec.shm_size else spec.memory)
    gpus = str(spec.gpus) if spec.gpus else ""
    return drop_empty({"cpu": spec.cpu, "memory": memory, site.gpu_resource: gpus})


def _env(spec: JobSpec) -> list[dict[str, Any]]:
    """Ours first, so that what the user set replaces it."""
    plain = {"PYTHONUNBUFFERED": "1", **(_torchrun(spec) if spec.nodes > 1 else {}), **spec.env}
    hidden = {name: _from("secretKeyRef", name=secret_name(spec), key=name) for name in spec.secrets}
    shown = {
        name: {"value": escape_expansion(value)} if isinstance(value, str) else value
        for name, value in plain.items()
    }
    return [{"name": name, **value} for name, value in {**shown, **hidden}.items()]


def _from(source: str, **where: str) -> dict[str, Any]:
    return {"valueFrom": {source: where}}


def _torchrun(spec: JobSpec) -> dict[str, Any]:
    """What torchrun (PET_*) and plain torch.distributed read; Kubeflow sets the same (facts 3.3)."""
    rank = _from("fieldRef", fieldPath=f"metadata.annotations['{labels.INDEX}']")
    master, port, nodes = f"{spec.name}-0.{ranks_name(spec)}", str(MASTER_PORT), str(spec.nodes)
    return {
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
    """Two ports of the Service may lead to one of the container."""
    found = dict.fromkeys((port.target or port.number, port.protocol) for port in ports)
    return [{"containerPort": number, "protocol": protocol} for number, protocol in found]


def _volumes(spec: JobSpec) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The volumes of the pod and their mounts: one a source, however often it is mounted."""
    sources: dict[str, dict[str, Any]] = {}
    mounts: list[dict[str, Any]] = []
    if spec.shm_size:
        sources["shm"] = {"emptyDir": {"medium": "Memory", "sizeLimit": spec.shm_size}}
        mounts.append({"name": "shm", "mountPath": SHM})
    known: dict[tuple[str, str], str] = {}
    for volume in spec.volumes:
        name = known.setdefault((volume.claim, volume.host_path), f"volume-{len(known)}")
        claim = {"persistentVolumeClaim": {"claimName": volume.claim}}
        sources[name] = claim if volume.claim else {"hostPath": {"path": volume.host_path}}
        mount = {"name": name, "mountPath": volume.path}
        mounts.append(mount | ({"readOnly": True} if volume.read_only else {}))
    return [{"name": name, **source} for name, source in sources.items()], mounts
