"""Objects that make pods: pod templates, batch/v1 Jobs, apps/v1 Deployments."""

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
    """An environment variable; `value_from` is kept undecoded."""

    name: str = ""
    value: str = ""
    value_from: dict[str, Any] = field(default_factory=no_entries)


class ContainerPort(KubeStruct, frozen=True):
    """A port that a container listens on."""

    container_port: int = 0
    name: str = ""
    protocol: str = "TCP"


class VolumeMount(KubeStruct, frozen=True):
    """The path of a volume in a container."""

    name: str = ""
    mount_path: str = ""
    sub_path: str = ""
    read_only: bool = False


class TemplateContainer(Container, frozen=True):
    """A container of a pod template, with the fields that a JobSpec is read back from."""

    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()


class ClaimSource(KubeStruct, frozen=True):
    """The source of a volume that is a PersistentVolumeClaim."""

    claim_name: str = ""


class HostPathSource(KubeStruct, frozen=True):
    """The source of a volume that is a folder of the node."""

    path: str = ""


class EmptyDirSource(KubeStruct, frozen=True):
    """The source of a volume that lives and dies with the pod."""

    size_limit: str = ""


class TemplateVolume(KubeStruct, frozen=True):
    """A volume of a pod template."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    host_path: HostPathSource | None = None
    empty_dir: EmptyDirSource | None = None


class TemplateSpec(PodSpec, frozen=True):
    """The pod spec of a template."""

    containers: tuple[TemplateContainer, ...] = ()
    volumes: tuple[TemplateVolume, ...] = ()
    image_pull_secrets: tuple[Reference, ...] = ()


class Template(KubeStruct, frozen=True):
    """A pod template."""

    metadata: ObjectMeta = ObjectMeta()
    spec: TemplateSpec = TemplateSpec()


class PodConditionRule(KubeStruct, frozen=True):
    """A condition of a failed pod that a rule is for."""

    type: str = ""
    status: str = "True"


class ExitCodeRule(KubeStruct, frozen=True):
    """Exit codes of a failed pod that a rule is for; `operator` is "In" or "NotIn"."""

    container_name: str = ""
    operator: str = "In"
    values: tuple[int, ...] = ()


class PodFailureRule(KubeStruct, frozen=True):
    """What happens to a Job by the failure of a pod; `action`: Ignore, Count, FailJob, FailIndex."""

    action: str = "Count"
    on_exit_codes: ExitCodeRule | None = None
    on_pod_conditions: tuple[PodConditionRule, ...] = ()


class PodFailurePolicy(KubeStruct, frozen=True):
    """The podFailurePolicy of a Job; without rules every failure counts."""

    rules: tuple[PodFailureRule, ...] = ()


class JobControllerSpec(KubeStruct, frozen=True):
    """The spec of a batch/v1 Job."""

    suspend: bool = False
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int = 0
    pod_failure_policy: PodFailurePolicy = PodFailurePolicy()
    template: Template = Template()


class JobControllerStatus(KubeStruct, frozen=True):
    """The status of a batch/v1 Job."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    completion_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()


class KubeJob(Object, frozen=True):
    """batch/v1 Job; `models.Job` is what a person sees of it."""

    spec: JobControllerSpec = JobControllerSpec()
    status: JobControllerStatus = JobControllerStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions


class DeploymentSpec(KubeStruct, frozen=True):
    """The spec of a Deployment."""

    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: Template = Template()


class DeploymentStatus(KubeStruct, frozen=True):
    """The status of a Deployment."""

    replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class Deployment(Object, frozen=True):
    """apps/v1 Deployment."""

    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions
