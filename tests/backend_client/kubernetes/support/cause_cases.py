"""Jobs that do not run, or end badly, each for one cause; `test_causes_live.py` makes them all at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend_client.kubernetes.manifests.render import held_back
from backend_client.models import Job, JobState
from tests.backend_client.kubernetes.support.cause_stage import KEEP, Act, Manifest, Stage, tolerations
from tests.backend_client.kubernetes.support.scenarios import BUSYBOX, ours, sh

Make = Callable[[Stage, str], list[Manifest]]
"""(stage, name of the job) -> objects, the root first; none: another case makes it."""


@dataclass(frozen=True)
class Case:
    """One cause, made for real; * in texts stands for what differs between runs."""

    id: str
    sentence: str
    object: str
    make: Make
    node: bool = True
    """Whether it takes nodes; else a control plane alone will do."""
    act: Act | None = None
    """What is done to the job, again and again until it returns True."""


def job(
    *script: str, container: Manifest | None = None, place: str = "plain", on: str = "real", **change: Any
) -> Make:
    """A Job of somebody else. `change`: fields of the pod; `spec`: of the Job; `meta`: of the pod's metadata;
    `extra(stage, name)`: other objects; `root`: of the Job's metadata.
    """

    def make(stage: Stage, name: str) -> list[Manifest]:
        fields = {key: value(stage) if callable(value) else value for key, value in change.items()}
        spec, meta, root = (fields.pop(key, {}) for key in ("spec", "meta", "root"))
        command = {"command": ["sh", "-c", *script]} if script else {"command": ["sleep", "600"]}
        own = container(stage) if callable(container) else container or {}
        main = {"name": "main", "image": BUSYBOX, **command, **own}
        pod = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": stage.selector(on),
            "tolerations": stage.tolerations,
            "containers": [main, *fields.pop("beside", [])],
            **fields,
        }
        template = {"metadata": {"labels": {"why": name}, **meta}, "spec": pod}
        home = {"name": name, "namespace": stage.places[place], **root}
        body = {"backoffLimit": 0, "template": template, **spec}
        manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": home, "spec": body}
        return [manifest]

    return make


def own(build: Callable[[str, str, str], list[Manifest]], node: str = "real") -> Make:
    """A job of ours, as `scenarios` makes it."""
    return lambda stage, name: build(name, stage.places["plain"], node)


def _held(made: list[Manifest]) -> list[Manifest]:
    return [held_back(made[0])]


def _two_of_a_pool(stage: Stage) -> Manifest:
    """Requires one of two nodes, of which one is cordoned and one has a taint."""
    names = [stage.node("cordoned"), stage.node("tainted")]
    term = {"matchExpressions": [{"key": "why-node", "operator": "In", "values": names}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _pods(kind: str, label: str) -> Manifest:
    term = {"labelSelector": {"matchLabels": {"why": label}}, "topologyKey": "kubernetes.io/hostname"}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _spread(label: str) -> list[Manifest]:
    return [
        {
            "maxSkew": 1,
            "minDomains": 2,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"why": label}},
        }
    ]


def asks(**amounts: str) -> Manifest:
    """A container that asks for resources; __ in a name stands for a /."""
    named = {key.replace("__", "/").replace("_", "."): amount for key, amount in amounts.items()}
    return {"resources": {"requests": named, "limits": named}}


def image(repository: str) -> Callable[[Stage], Manifest]:
    return lambda stage: {"image": f"{stage.registry}/{repository}:1"}


def claim(name: str) -> list[Manifest]:
    return [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]


# What is done to a job


def running(job: Job) -> bool:
    return job.state is JobState.RUNNING


def delete(stage: Stage, job: Job) -> bool:
    stage.delete(job)
    return True


def delete_when_running(stage: Stage, job: Job) -> bool:
    return running(job) and delete(stage, job)


def delete_pods_when_running(stage: Stage, job: Job) -> bool:
    return running(job) and stage.delete_pods(job)


def delete_pods_when_failed(stage: Stage, job: Job) -> bool:
    return job.state is JobState.FAILED and stage.delete_pods(job)


def evict_when_running(stage: Stage, job: Job) -> bool:
    return running(job) and stage.evict_pods(job)


def preempt_when_running(stage: Stage, job: Job) -> bool:
    """Make the job of higher priority that wants the same slot."""
    if not running(job):
        return False
    wants = {"container": lambda s: s.slot, "priorityClassName": stage.name("high")}
    stage.make(deaf(**wants)(stage, "schedule-preempts"))
    return True


def deaf(**change: Any) -> Make:
    """A job that takes no heed of SIGTERM for a while."""
    return job("trap '' TERM; sleep 600", terminationGracePeriodSeconds=20, **change)


def _kept(finalizers: Any = KEEP) -> Manifest:
    return {"finalizers": [finalizers]}


NONE = "no node fits: of *, "
SLEEPS = {"name": "setup", "image": BUSYBOX, "command": ["sleep", "600"]}
NEVER_UP = {
    **SLEEPS,
    "name": "proxy",
    "restartPolicy": "Always",
    "startupProbe": {"exec": {"command": ["false"]}, "failureThreshold": 1000},
}
MOUNTS = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


def _env(kind: str, name: str, key: str) -> Manifest:
    return {"env": [{"name": "TOKEN", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": key}}}]}


CASES: dict[str, Case] = {
    # Admission
    "quota": Case(
        "admission.quota", "the quota gpus is full: 0 of 1 GPUs used, 2 asked", "resourcequota/gpus",
        job(container=asks(nvidia_com__gpu="2")), node=False,
    ),
    "unstated": Case(
        "admission.unstated", "the quota memory wants this to be stated: limits.memory",
        "resourcequota/memory", job(place="limits"), node=False,
    ),
    "limits": Case(
        "admission.limits",
        "the namespace's LimitRange forbids it: maximum cpu usage per Container is 2, but limit is 4",
        "job/limits", job(place="limits", container=asks(cpu="4", memory="1Gi")), node=False,
    ),
    "pod-security": Case(
        "admission.pod-security",
        'the namespace\'s PodSecurity (baseline) forbids it: hostPath volumes (volume "data")',
        "job/pod-security",
        job(place="secure", volumes=[{"name": "data", "hostPath": {"path": "/data"}}]), node=False,
    ),
    "policy": Case(
        "admission.policy", "the policy why-* forbids it: only with a project", "validatingadmissionpolicy/*",
        job(meta={"labels": {"why": "policy"}}), node=False,
    ),
    "webhook-down": Case(
        "admission.webhook-down",
        "the webhook why-*.example.com, which every such pod must pass, does not answer",
        "job/webhook-down", job(meta={"labels": {"why": "webhook"}}), node=False,
    ),
    "priority-class": Case(
        "admission.priority-class", 'the priority class "urgent-of-nobody" does not exist',
        "priorityclass/urgent-of-nobody", job(priorityClassName="urgent-of-nobody"), node=False,
    ),
    "runtime-class": Case(
        "admission.runtime-class", 'the runtime class "nvidia-of-nobody" does not exist',
        "runtimeclass/nvidia-of-nobody", job(runtimeClassName="nvidia-of-nobody"), node=False,
    ),
    "service-account": Case(
        "admission.service-account", 'the service account "trainer" does not exist', "serviceaccount/trainer",
        job(serviceAccountName="trainer"),
    ),
    # The job
    "half-made": Case(
        "job.half-made", "only half made: its creation was cut off; resume finishes it, delete removes it",
        "job/half-made", own(ours(edit=_held)), node=False,
    ),
    "suspended": Case(
        "job.suspended", "is suspended", "job/suspended", job(spec={"suspend": True}), node=False
    ),
    "finalizer": Case(
        "job.deleted-finalizer", f"is being deleted; waits for the finalizer {KEEP}", "job/finalizer",
        job(spec={"suspend": True}, root=_kept()), node=False, act=delete,
    ),
    "deleted-pods": Case(
        "job.deleted-pods", "is being deleted; waits for 1 pod", "job/deleted-pods", deaf(),
        act=delete_when_running,
    ),
    "old-pod": Case(
        "job.old-pod", "waits for its pod on * to be gone", "pod/old-pod-*",
        deaf(spec={"podReplacementPolicy": "Failed", "backoffLimit": 6}), act=delete_pods_when_running,
    ),
    "deadline": Case(
        "job.deadline", "ran longer than its max_runtime of 2s", "job/deadline",
        own(sh("trap 'exit 0' TERM; sleep 600 & wait", max_runtime=2)),
    ),
    "tries": Case(
        "job.tries", "Job has reached the specified backoff limit", "job/tries", job("exit 1"),
        act=delete_pods_when_failed,
    ),
    "indexes": Case(
        "job.indexes", "Job has failed indexes", "job/indexes",
        job("exit 1", spec={"completionMode": "Indexed", "completions": 1, "backoffLimitPerIndex": 0,
                            "backoffLimit": 6}),
        act=delete_pods_when_failed,
    ),
    "failure-policy": Case(
        "job.failure-policy", "exit 42; its podFailurePolicy allows no other try", "pod/failure-policy-*",
        job("exit 42", spec={"backoffLimit": 6, "podFailurePolicy": {"rules": [
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}}),
    ),
    "retried": Case(
        "job.retried", "is tried again: exit 5*", "pod/retried-*", job("exit 5", spec={"backoffLimit": 6})
    ),
    "restarted": Case(
        "job.restarted", "was started again; before that: exit 3", "pod/restarted-*",
        job("[ -e /data/x ] && sleep 600; touch /data/x; exit 3", restartPolicy="OnFailure",
            container=MOUNTS, volumes=[{"name": "data", "emptyDir": {}}], spec={"backoffLimit": 6}),
    ),
    # The scheduler
    "no-gpus": Case(
        "schedule.gpus", NONE + "* not of the kind asked for, * without free GPUs", "pod/no-gpus-*",
        job(on="full", container=asks(amd_com__gpu="1")),
    ),
    "no-cpu": Case(
        "schedule.cpu", NONE + "* not of the kind asked for, * without free CPU", "pod/no-cpu-*",
        job(on="full", container=asks(cpu="2")),
    ),
    "no-memory": Case(
        "schedule.memory", NONE + "* not of the kind asked for, * without free memory", "pod/no-memory-*",
        job(on="full", container=asks(memory="4Gi")),
    ),
    "no-disk": Case(
        "schedule.disk", NONE + "* not of the kind asked for, * without free disk", "pod/no-disk-*",
        job(on="full", container={"resources": {"requests": {"ephemeral-storage": "4Gi"}}}),
    ),
    "no-device": Case(
        "schedule.device", NONE + "* not of the kind asked for, * without free example.com/fpga",
        "pod/no-device-*", job(on="full", container=asks(example_com__fpga="1")),
    ),
    "too-big": Case(
        "schedule.too-big",
        "no node can ever hold it: of *, * not of the kind asked for, * with too few GPUs in all",
        "pod/too-big-*", job(on="full", container=asks(amd_com__gpu="8")),
    ),
    "cordoned": Case(
        "schedule.cordoned", NONE + "* not of the kind asked for, * cordoned", "pod/cordoned-*",
        job(on="cordoned", tolerations=tolerations("node.kubernetes.io/unschedulable")),
    ),
    "tainted": Case(
        "schedule.taint", NONE + "* not of the kind asked for, * with a taint that it does not tolerate",
        "pod/tainted-*", job(on="tainted", tolerations=tolerations("dedicated")),
    ),
    "crowded": Case(
        "schedule.full", NONE + "* not of the kind asked for, * without room for more pods", "pod/crowded-*",
        job(on="crowded"),
    ),
    "mixed": Case(
        "schedule.mixed",
        NONE + "* not of the kind asked for, * *, * *", "pod/mixed-*",
        job(
            nodeSelector={}, affinity=_two_of_a_pool,
            tolerations=tolerations("dedicated", "node.kubernetes.io/unschedulable"),
        ),
    ),
    "selector": Case(
        "schedule.selector", NONE + "* not of the kind asked for", "pod/selector-*",
        job(nodeSelector={"gpu": "of-tomorrow"}),
    ),
    "port": Case(
        "schedule.port", NONE + "* not of the kind asked for, * with the port in use", "pod/port-*",
        job(on="full", container={"ports": [{"containerPort": 7777, "hostPort": 7777}]}),
    ),
    "affinity": Case(
        "schedule.affinity", NONE + "* not of the kind asked for, * far from the pods that it wants near",
        "pod/affinity-*", job(on="full", affinity=_pods("podAffinity", "nobody")),
    ),
    "anti-affinity": Case(
        "schedule.anti-affinity", NONE + "* not of the kind asked for, * with pods that it keeps away from",
        "pod/anti-affinity-*", job(on="full", affinity=_pods("podAntiAffinity", "filler")),
    ),
    "spread": Case(
        "schedule.spread",
        NONE + "* not of the kind asked for, * where its pods would not be spread evenly", "pod/spread-*",
        job(on="full", topologySpreadConstraints=_spread("filler"),
            meta={"labels": {"why": "filler"}}),
    ),
    "gate": Case(
        "schedule.gate", "held back by the scheduling gate example.com/wait", "pod/gate-*",
        job(schedulingGates=[{"name": "example.com/wait"}]),
    ),
    "schedule-preempts": Case(
        "schedule.preempts", "waits on * until pods of lower priority have made room", "node/*",
        lambda stage, name: [],
    ),
    "preempted": Case(
        "pod.preempted", "gave way to a pod of higher priority", "pod/preempted-*",
        deaf(container=lambda stage: stage.slot, meta=_kept()), act=preempt_when_running,
    ),
    # Volumes
    "no-claim": Case(
        "volume.claim", 'the volume claim "nothing" does not exist', "persistentvolumeclaim/nothing",
        job(volumes=claim("nothing")),
    ),
    "deleted-claim": Case(
        "volume.claim-deleted", 'the volume claim "leaving" is being deleted',
        "persistentvolumeclaim/leaving", job(volumes=claim("leaving")),
    ),
    "unbound": Case(
        "volume.unbound", "its volume claim has no volume yet", "pod/unbound-*", job(volumes=claim("unbound"))
    ),
    "no-volume": Case(
        "volume.none", NONE + "* not of the kind asked for, * without a volume for its claim",
        "pod/no-volume-*", job(volumes=claim("later")),
    ),
    "far-volume": Case(
        "volume.far", NONE + "* not of the kind asked for, * too far from its volume", "pod/far-volume-*",
        job(volumes=claim("far")),
    ),
    "volume-in-use": Case(
        "volume.in-use", NONE + "* where another pod has its volume, which one alone may have*",
        "pod/volume-in-use-*", job(on="full", volumes=claim("mine")),
    ),
    "folder": Case(
        "volume.folder", "/nowhere is no directory of its node", "pod/folder-*",
        job(container=MOUNTS,
            volumes=[{"name": "data", "hostPath": {"path": "/nowhere", "type": "Directory"}}]),
    ),
    "secret-volume": Case(
        "config.secret", 'the secret "keys" does not exist', "secret/keys",
        job(container=MOUNTS, volumes=[{"name": "data", "secret": {"secretName": "keys"}}]),
    ),
    # Images
    "no-image": Case(
        "image.missing", "the image 127.0.0.1:*/missing:1 does not exist in its registry", "pod/no-image-*",
        job(container=image("missing")),
    ),
    "login": Case(
        "image.login",
        "the registry gives the image 127.0.0.1:*/login:1 only with a login (image_pull_secrets)",
        "pod/login-*", job(container=image("login")),
    ),
    "pull-secret": Case(
        "image.pull-secret",
        "the registry gives the image 127.0.0.1:*/login:1 only with a login (image_pull_secrets); "
        'the pull secret "hub" does not exist',
        "secret/hub", job(container=image("login"), imagePullSecrets=[{"name": "hub"}]),
    ),
    "busy": Case(
        "image.too-many-requests",
        "the registry of the image 127.0.0.1:*/busy:1 has had too many requests from here", "pod/busy-*",
        job(container=image("busy")),
    ),
    "platform": Case(
        "image.platform", "the image 127.0.0.1:*/foreign:1 is not made for this machine's processor",
        "pod/platform-*", job(container=image("foreign")),
    ),
    "odd": Case(
        "image.other", "the image 127.0.0.1:*/odd:1 cannot be pulled: *418*", "pod/odd-*",
        job(container=image("odd")),
    ),
    "registry-down": Case(
        "image.registry-down", "the registry of the image 127.0.0.1:9/x:1 cannot be reached",
        "pod/registry-down-*", job(container={"image": "127.0.0.1:9/x:1"}),
    ),
    "image-name": Case(
        "image.name", "UPPER:case:1 is not a name that an image can have", "pod/image-name-*",
        job(container={"image": "UPPER:case:1"}),
    ),
    "never-pull": Case(
        "image.never-pull", "the image traindeck.dev/nothing:1 is not on the node, and may not be pulled",
        "pod/never-pull-*",
        job(container={"image": "traindeck.dev/nothing:1", "imagePullPolicy": "Never"}),
    ),
    # Containers
    "no-secret": Case(
        "config.secret", 'the secret "hf" does not exist', "secret/hf",
        job(container=_env("secret", "hf", "TOKEN")),
    ),
    "no-configmap": Case(
        "config.configmap", 'the configmap "train" does not exist', "configmap/train",
        job(container=_env("configMap", "train", "x")),
    ),
    "no-key": Case(
        "config.key", 'the configmap "there" has no key lr', "configmap/there",
        job(container=_env("configMap", "there", "lr")),
    ),
    "root": Case(
        "container.root", "the image runs as root, and the pod forbids root", "pod/root-*",
        job(securityContext={"runAsNonRoot": True}),
    ),
    "no-program": Case(
        "container.no-program", "the image has no program python", "pod/no-program-*",
        job(container={"command": ["python", "train.py"]}),
    ),
    "not-a-program": Case(
        "container.not-a-program", "/etc cannot be run: is a directory", "pod/not-a-program-*",
        job(container={"command": ["/etc"]}),
    ),
    "bad-folder": Case(
        "container.start", "could not be started: *not a directory*", "pod/bad-folder-*",
        job(container={"workingDir": "/bin/busybox"}),
    ),
    "no-runtime": Case(
        "sandbox.runtime", "its node has no container runtime why-*", "pod/no-runtime-*",
        job(runtimeClassName=lambda stage: stage.name("runtime")),
    ),
    "init-runs": Case(
        "container.init-runs", "init container setup runs first", "pod/init-runs-*",
        job(initContainers=[SLEEPS]),
    ),
    "init-fails": Case(
        "exit.code", "init container setup: exit 7", "pod/init-fails-*",
        job(initContainers=[{**SLEEPS, "command": ["sh", "-c", "exit 7"]}]),
    ),
    "sidecar-starts": Case(
        "container.sidecar-starts", "waits for sidecar proxy to be up", "pod/sidecar-starts-*",
        job(initContainers=[NEVER_UP]),
    ),
    "crashes": Case(
        "container.crashes", "crashes: exit 3*", "pod/crashes-*",
        job("exit 3", restartPolicy="OnFailure", spec={"backoffLimit": 6}),
    ),
    "finished": Case(
        "container.finished",
        "finished (exit 0), and starts again from the beginning, as a deployment does; "
        "run it as a job instead",
        "pod/finished-*", own(sh("exit 0", kind="deployment")),
    ),
    "outlived": Case(
        "container.outlived", "main ended with exit 4; proxy goes on", "pod/outlived-*",
        job("exit 4", beside=[{**SLEEPS, "name": "proxy"}]),
    ),
    "beside-failed": Case(
        "container.beside-failed", "container sync failed: exit 6", "pod/beside-failed-*",
        job(beside=[{**SLEEPS, "name": "sync", "command": ["sh", "-c", "exit 6"]}]),
    ),
    # Ends
    "exit": Case("exit.code", "exit 3: loss is nan", "pod/exit-*",
                 job("echo loss is nan > /dev/termination-log; exit 3")),
    "signal": Case(
        "exit.signal", "exit 139 (SIGSEGV)", "pod/signal-*", job("sh -c 'kill -SEGV $$$$' || exit $?")
    ),
    "memory": Case(
        "exit.memory", "ran out of memory (limit 16Mi, OOMKilled)", "pod/memory-*",
        job("tail /dev/zero", container={"resources": {"limits": {"memory": "16Mi"}}}),
    ),
    "pod-deadline": Case(
        "pod.deadline", "ran longer than its time limit", "pod/pod-deadline-*", job(activeDeadlineSeconds=1)
    ),
    "evicted": Case(
        "node.evicted", "was evicted by its node *: The node was low on resource: ephemeral-storage.",
        "node/*", job(on="kwok", meta={"annotations": {"test.traindeck.dev/outcome": "evicted"}}),
    ),
    "drained": Case(
        "node.drained", "was moved off its node * (drain)", "node/*", job(meta=_kept()),
        act=evict_when_running,
    ),
    "no-room": Case(
        "node.no-room", "was refused by its node *, which has no CPU left: * asked (OutOfcpu)",
        "node/*", job(nodeName=lambda stage: stage.real, container=asks(cpu="999")),
    ),
    "other-kind": Case(
        "node.other-kind",
        "was refused by its node *, which is not (or no more) of the kind asked for*",
        "node/*", job(nodeName=lambda stage: stage.real, nodeSelector={"gpu": "of-tomorrow"}),
    ),
}  # fmt: skip
