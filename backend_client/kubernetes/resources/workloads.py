"""Kubernetes objects that make pods: pod templates, Job, Deployment."""

from datetime import datetime
from typing import Any

from msgspec import field

from backend_client.kubernetes.resources.core import (
    Condition,
    Container,
    KubeStruct,
    Object,
    ObjectMeta,
    PodSpec,
    Reference,
    no_entries,
)
from backend_client.kubernetes.resources.selectors import LabelSelector


class EnvVar(KubeStruct, frozen=True):
    """An environment variable; `value_from` is kept as it came."""

    name: str = ""
    value: str = ""
    value_from: dict[str, Any] = field(default_factory=no_entries)


class ContainerPort(KubeStruct, frozen=True):
    """A port that a container listens on."""

    container_port: int = 0
    name: str = ""
    protocol: str = "TCP"


class VolumeMount(KubeStruct, frozen=True):
    """Where a volume stands in a container."""

    name: str = ""
    mount_path: str = ""
    read_only: bool = False


class TemplateContainer(Container, frozen=True):
    """A container of a pod template: also what a JobSpec is read back from."""

    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()


class ClaimSource(KubeStruct, frozen=True):
    """A volume that is a PersistentVolumeClaim."""

    claim_name: str = ""


class HostPathSource(KubeStruct, frozen=True):
    """A volume that is a folder of the node."""

    path: str = ""


class EmptyDirSource(KubeStruct, frozen=True):
    """A volume that lives and dies with the pod."""

    size_limit: str = ""


class TemplateVolume(KubeStruct, frozen=True):
    """A volume of a pod template."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    host_path: HostPathSource | None = None
    empty_dir: EmptyDirSource | None = None


class TemplateSpec(PodSpec, frozen=True):
    """What the pods of a template ask for."""

    containers: tuple[TemplateContainer, ...] = ()
    volumes: tuple[TemplateVolume, ...] = ()
    image_pull_secrets: tuple[Reference, ...] = ()


class Template(KubeStruct, frozen=True):
    """A pod template."""

    metadata: ObjectMeta = ObjectMeta()
    spec: TemplateSpec = TemplateSpec()


class JobControllerSpec(KubeStruct, frozen=True):
    """What a batch/v1 Job asks for."""

    suspend: bool = False
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int = 0
    template: Template = Template()


class JobControllerStatus(KubeStruct, frozen=True):
    """How a batch/v1 Job stands."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    completion_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()


class KubeJob(Object, frozen=True):
    """batch/v1 Job; `Job` is the word for what a person sees (`models.Job`)."""

    spec: JobControllerSpec = JobControllerSpec()
    status: JobControllerStatus = JobControllerStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions


class DeploymentSpec(KubeStruct, frozen=True):
    """What a Deployment asks for."""

    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: Template = Template()


class DeploymentStatus(KubeStruct, frozen=True):
    """How a Deployment stands."""

    replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Object, frozen=True):
    """apps/v1 Deployment."""

    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions
