"""JobSpec: what a person asks for, the same for every context and for form, flags and files."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Kind = Literal["job", "deployment"]
Protocol = Literal["TCP", "UDP"]


class Port(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A port that the job listens on, as its Service offers it."""

    number: int
    name: str = ""
    target: int = 0
    """The port inside the container; 0 means `number`."""
    protocol: Protocol = "TCP"


class Volume(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Storage mounted at `path`: a claim (PVC, by name), a folder of the node, or a dataset of the site."""

    path: str = ""
    """Empty for a dataset alone: where the site's settings mount it."""
    claim: str = ""
    host_path: str = ""
    read_only: bool = False
    sub_path: str = ""
    """The folder of the claim that is mounted; empty is all of it."""
    dataset: str = ""
    """Its name in the settings (`models.datasets`); always read-only."""


class Toleration(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A taint of nodes that pods may ignore; without a value every value of the key."""

    key: str
    value: str = ""
    effect: str = ""


class Sweep(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The sweep that a job is one of, and what sets it apart there; without a name it is in none."""

    name: str = ""
    values: dict[str, str] = {}
    """What stands for each {KEY} in this job."""
    turn: str = ""
    """Of the jobs with the same turn one runs at a time; empty: it waits for no other."""


class JobSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One job as a person asked for it. Build it with `fields.parse_spec`."""

    name: Annotated[str, Meta(description="DNS-1123 label; suggested from the command when empty")] = ""
    kind: Annotated[
        Kind, Meta(description="job: runs until it finishes; deployment: runs until you stop it")
    ] = "job"
    image: Annotated[str, Meta(description="container image")] = ""
    command: Annotated[
        tuple[str, ...], Meta(description="argv; a string is split as a shell does (no shell runs it)")
    ] = ()
    workdir: Annotated[str, Meta(description="folder the command starts in")] = ""
    code: Annotated[
        str, Meta(description="folder that goes with the job, and in which its command starts")
    ] = ""
    env: Annotated[dict[str, str], Meta(description="environment variables")] = {}
    secrets: Annotated[
        tuple[str, ...], Meta(description="names of environment variables whose values stay secret")
    ] = ()
    gpus: Annotated[int, Meta(description="GPUs per node")] = 0
    gpu_type: Annotated[str, Meta(description="GPU product, as the context calls it")] = ""
    cpu: Annotated[str, Meta(description="CPUs per node, a Kubernetes quantity: 500m, 8")] = ""
    memory: Annotated[str, Meta(description="memory per node, a Kubernetes quantity: 64Gi")] = ""
    shm_size: Annotated[str, Meta(description="size of /dev/shm, a Kubernetes quantity: 8Gi")] = ""
    nodes: Annotated[int, Meta(description="machines, each with its own rank (kind job)")] = 1
    replicas: Annotated[int, Meta(description="copies (kind deployment)")] = 1
    ports: Annotated[
        tuple[Port, ...], Meta(description="ports the job listens on: 8080, http=80:8080/TCP")
    ] = ()
    ingress: Annotated[str, Meta(description="auto, off, or a host name")] = "auto"
    retries: Annotated[int, Meta(description="starts after a failure (kind job)")] = 0
    max_runtime: Annotated[int, Meta(description="seconds, or 2h30m; 0 is no limit (kind job)")] = 0
    priority: Annotated[str, Meta(description="priority class")] = ""
    queue: Annotated[str, Meta(description="queue (Kueue LocalQueue)")] = ""
    queue_priority: Annotated[
        str, Meta(description="priority in the queue (Kueue WorkloadPriorityClass); not that of its pods")
    ] = ""
    node_selector: Annotated[
        dict[str, str], Meta(description="labels that a node must have: disk=nvme zone=a")
    ] = {}
    node_names: Annotated[tuple[str, ...], Meta(description="the only nodes it may run on, by name")] = ()
    tolerations: Annotated[
        tuple[Toleration, ...], Meta(description="taints that it may ignore: KEY[=VALUE][:EFFECT]")
    ] = ()
    pod: Annotated[dict[str, Any], Meta(description='a patch of the pod template, as JSON: {"spec": …}')] = {}
    labels: Annotated[dict[str, str], Meta(description="labels")] = {}
    annotations: Annotated[dict[str, str], Meta(description="annotations")] = {}
    volumes: Annotated[
        tuple[Volume, ...],
        Meta(description="storage: CLAIM[/FOLDER]:/path[:ro], /host/folder:/path[:ro] or ~DATASET[:/path]"),
    ] = ()
    outputs: Annotated[
        str, Meta(description="where TRAINDECK_OUTPUT_DIR is: CLAIM[/FOLDER][:/path]; a folder, for local")
    ] = ""
    image_pull_secrets: Annotated[
        tuple[str, ...], Meta(description="names of Secrets that hold registry logins")
    ] = ()
    alerts: Annotated[
        dict[str, str], Meta(description="what to be told of this job: gpu-idle=30m, finished=on, silent=off")
    ] = {}
    sweep: Annotated[Sweep, Meta(description="sweep that it is one of: NAME [KEY=VALUE]...")] = Sweep()
    namespace: Annotated[str, Meta(description="namespace; empty is the context's own")] = ""
    cluster: Annotated[str, Meta(description="cluster, where a server has several")] = ""
