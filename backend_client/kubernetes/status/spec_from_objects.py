"""The JobSpec that Kubernetes objects came from, or that foreign ones amount to (pure)."""

import posixpath
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.storage import SHM
from backend_client.kubernetes.resources.core import Container, Object, Pod
from backend_client.kubernetes.resources.node_gpus import gpus_of
from backend_client.kubernetes.resources.workloads import (
    Deployment,
    KubeJob,
    Template,
    TemplateContainer,
    TemplateVolume,
)
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec, Port, Volume
from backend_client.models.code import Code
from backend_client.models.outputs import Outputs
from backend_client.models.spec import Kind

RootObject = Deployment | KubeJob | Pod

_NO_TEMPLATE = Template()
_DECODER = msgspec.json.Decoder(JobSpec)


def kind_of(root: RootObject) -> Kind:
    """Return the JobSpec's kind; a bare pod counts as a job, as it runs once."""
    return "deployment" if isinstance(root, Deployment) else "job"


def own_spec(root: Object) -> JobSpec | None:
    """Return the spec in our annotation; None for foreign objects, and where it cannot be read."""
    text = root.metadata.annotations.get(labels.SPEC, "")
    return _decode_spec(text) if text and not isinstance(root, Pod) else None


@lru_cache(1024)
def _decode_spec(text: str) -> JobSpec | None:
    """Decode a spec once: a page of jobs and each change of a pod read the same text."""
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        return _DECODER.decode(text)
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        return _convert_newer_spec(msgspec.json.decode(text, type=dict[str, Any]))
    return None


def _convert_newer_spec(raw: dict[str, Any]) -> JobSpec:
    """Convert what a newer traindeck wrote, without the fields that this one lacks."""
    return msgspec.convert({name: raw[name] for name in JobSpec.__struct_fields__ if name in raw}, JobSpec)


def code_of(root: Object) -> Code | None:
    """Return what is recorded of a job's code; None where it has none, or it cannot be read."""
    text = root.metadata.annotations.get(labels.CODE, "")
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        return msgspec.json.decode(text, type=Code) if text else None
    return None


def outputs_of(root: Object) -> Outputs | None:
    """Return where a job's outputs lie; None where it has none, or it cannot be read."""
    text = root.metadata.annotations.get(labels.OUTPUTS, "")
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        return msgspec.json.decode(text, type=Outputs) if text else None
    return None


def without_pod_template(item: Object) -> Object:
    """Return an object of ours without its pod template, to save memory: its annotated spec says the same."""
    if not isinstance(item, KubeJob | Deployment) or not own_spec(item):
        return item
    return replace(item, spec=replace(item.spec, template=_NO_TEMPLATE))


def spec_of(root: RootObject, site: KubernetesSettings) -> JobSpec:
    """Return the JobSpec: ours as annotated, else derived. Name, kind and namespace are the object's own."""
    spec = own_spec(root) or _derive_spec(root, site)
    identity = {"name": root.name, "kind": kind_of(root), "namespace": root.namespace}
    return replace(spec, **identity)


def gpus_per_pod(root: RootObject, site: KubernetesSettings) -> int:
    """Return the number of GPUs that each pod requests."""
    pods = root.spec if isinstance(root, Pod) else root.spec.template.spec
    return gpus_of(pods, site.gpu_resource)


def _derive_spec(root: RootObject, site: KubernetesSettings) -> JobSpec:
    pods = root.spec if isinstance(root, Pod) else root.spec.template.spec
    template = root if isinstance(root, Pod) else root.spec.template
    container = pods.main_container(template.metadata.annotations) or Container()
    limits = {**container.resources.requests, **container.resources.limits}
    fields: dict[str, Any] = {
        "image": container.image,
        "command": (*container.command, *container.args),
        "gpus": gpus_per_pod(root, site),
        "cpu": limits.get("cpu", ""),
        "memory": limits.get("memory", ""),
        "priority": pods.priority_class_name,
        "queue": root.metadata.labels.get(labels.QUEUE, ""),
        "queue_priority": root.metadata.labels.get(labels.QUEUE_PRIORITY, ""),
        "labels": root.metadata.labels,
    }
    return JobSpec(**fields, **_controller_fields(root))


def _controller_fields(root: RootObject) -> dict[str, Any]:
    if isinstance(root, Deployment):
        return _template_fields(root.spec.template) | {"replicas": max(1, root.spec.replicas)}
    if isinstance(root, KubeJob):
        spec = root.spec
        job = {
            "nodes": max(1, spec.parallelism),
            "retries": max(0, spec.backoff_limit),
            "max_runtime": max(0, spec.active_deadline_seconds),
        }
        return _template_fields(spec.template) | job
    return {}


def _template_fields(template: Template) -> dict[str, Any]:
    container = template.spec.main_container(template.metadata.annotations)
    if not isinstance(container, TemplateContainer):
        return {}
    return {
        "workdir": container.working_dir,
        "env": {variable.name: variable.value for variable in container.env if not variable.value_from},
        "secrets": tuple(v.name for v in container.env if "secretKeyRef" in v.value_from),
        "ports": tuple(_port(p.container_port, p.name, p.protocol) for p in container.ports),
        "image_pull_secrets": tuple(reference.name for reference in template.spec.image_pull_secrets),
        **_storage_fields(container, {volume.name: volume for volume in template.spec.volumes}),
    }


def _port(number: int, name: str, protocol: str) -> Port:
    return Port(number=number, name=name, protocol="UDP" if protocol == "UDP" else "TCP")


def _storage_fields(
    container: TemplateContainer, volumes_by_name: dict[str, TemplateVolume]
) -> dict[str, Any]:
    volumes, shm_size = [], ""
    for mount in container.volume_mounts:
        volume = volumes_by_name.get(mount.name, TemplateVolume())
        claim, folder, scratch = volume.persistent_volume_claim, volume.host_path, volume.empty_dir
        mounted = Volume(path=mount.mount_path, read_only=mount.read_only)
        if claim:
            volumes.append(replace(mounted, claim=claim.claim_name, sub_path=mount.sub_path))
        elif folder:
            volumes.append(replace(mounted, host_path=posixpath.join(folder.path, mount.sub_path)))
        elif scratch and mount.mount_path == SHM:
            shm_size = scratch.size_limit
    return {"volumes": tuple(volumes), "shm_size": shm_size}
