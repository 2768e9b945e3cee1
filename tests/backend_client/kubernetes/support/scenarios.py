"""Jobs that meet a fate: how each is made, and what is said of it then.

`test_recorded.py` lets them happen on a real cluster and can record the objects (TRAINDECK_RECORD=1);
`test_job_status.py` reads the recorded ones. Both want the same words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend_client.kubernetes.manifests.render import held_back, render_manifests, stop_patch
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobState
from backend_client.models.fields import parse_spec

Manifest = dict[str, Any]
Make = Callable[[str, str, str], list[Manifest]]
"""(name, namespace, node label `type`) -> objects, the anchor first."""

SITE = KubernetesSettings()
BUSYBOX = "traindeck.dev/busybox:1"
STOPPED_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Scenario:
    """One fate."""

    make: Make
    state: JobState
    reason: str
    """* stands for what differs between clusters."""
    node: str = "kwok"
    """kwok: a node that pretends. real: a kubelet."""
    place: str = ""
    """Kind of namespace: plain, with a full quota, or baseline PodSecurity."""
    nodes: bool = False
    """Whether the reason needs to know the nodes."""
    settled: Callable[[Any], bool] = lambda job: True
    """What else must hold of the Job before it is looked at."""


def ours(outcome: str = "", edit: Callable[[list[Manifest]], Any] = lambda made: made, **fields: Any) -> Make:
    """What traindeck makes of a spec, put on one kind of node."""

    def make(name: str, namespace: str, node: str) -> list[Manifest]:
        marks = {"test.traindeck.dev/outcome": outcome, "test.traindeck.dev/after": "0s"} if outcome else {}
        spec = parse_spec({"name": name, "image": BUSYBOX, "annotations": marks, **fields})
        made = render_manifests(spec, SITE, ClusterFacts(namespace=namespace))
        made[0]["spec"]["template"]["spec"]["nodeSelector"] = {"type": node}
        return edit(made) or made

    return make


def sh(script: str, **fields: Any) -> Make:
    """A shell script on the real node."""
    return ours(command=["sh", "-c", script], **fields)


def foreign(kind: str, outcome: str, **spec: Any) -> Make:
    """What somebody else made, with one GPU."""

    def make(name: str, namespace: str, node: str) -> list[Manifest]:
        metadata = {"labels": {"app": name}, "annotations": {"test.traindeck.dev/outcome": outcome}}
        container = {"name": "train", "image": BUSYBOX, "resources": {"limits": {"nvidia.com/gpu": "1"}}}
        pod = {"nodeSelector": {"type": node}, "containers": [container], "restartPolicy": "Never"}
        home = metadata | {"name": name, "namespace": namespace}
        if kind == "Pod":
            return [{"apiVersion": "v1", "kind": "Pod", "metadata": home, "spec": pod}]
        api = "apps/v1" if kind == "Deployment" else "batch/v1"
        if kind == "Deployment":
            spec.setdefault("selector", {"matchLabels": {"app": name}})
            pod["restartPolicy"] = "Always"
        body = {**spec, "template": {"metadata": metadata, "spec": pod}}
        return [{"apiVersion": api, "kind": kind, "metadata": home, "spec": body}]

    return make


def _held(made: list[Manifest]) -> list[Manifest]:
    return [held_back(made[0])]


def _stopped(made: list[Manifest]) -> list[Manifest]:
    """As it stands after a stop before its first pod came."""
    anchor = made[0]
    metadata = anchor["metadata"]
    patch = stop_patch({**anchor, "metadata": metadata | {"uid": ""}}, STOPPED_AT)
    annotations = metadata["annotations"] | patch["metadata"]["annotations"]
    return [
        {
            **anchor,
            "metadata": metadata | {"annotations": annotations},
            "spec": anchor["spec"] | patch["spec"],
        }
    ]


def _without_parts(made: list[Manifest]) -> list[Manifest]:
    return made[:1]


def _folder(made: list[Manifest]) -> None:
    """What is refused before it is sent, where PodSecurity can be read."""
    pod = made[0]["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "data", "hostPath": {"path": "/data"}}]


S = JobState

SCENARIOS: dict[str, Scenario] = {
    "job-between-tries": Scenario(
        ours("fail", retries=1), S.PENDING, "is tried again: exit 1",
        settled=lambda job: job.next_try is not None,
    ),
    "job-running": Scenario(ours("run"), S.RUNNING, ""),
    "job-succeeded": Scenario(ours("succeed"), S.SUCCEEDED, ""),
    "job-failed": Scenario(ours("fail"), S.FAILED, "exit 1"),
    "job-oom": Scenario(
        ours("oom", memory="64Gi"), S.FAILED, "ran out of memory (limit 64Gi, OOMKilled)"
    ),
    "job-tried-twice": Scenario(ours("fail", retries=1), S.FAILED, "exit 1 (2 tries)"),
    "job-too-big": Scenario(
        ours("run", gpus=16), S.PENDING,
        "no node has 16 GPUs; the largest has 8",
        nodes=True,
    ),
    "job-no-claim": Scenario(
        ours("run", volumes=["data:/data"]), S.PENDING, 'the volume claim "data" does not exist'
    ),
    "job-quota": Scenario(
        ours("run", gpus=2), S.QUEUED, "the quota gpus is full: 0 of 1 GPUs used, 2 asked", place="quota"
    ),
    "job-security": Scenario(
        ours("run", edit=_folder), S.PENDING,
        "the namespace's PodSecurity (baseline) forbids it: hostPath volumes (volume \"data\")",
        place="baseline",
    ),
    "job-held": Scenario(
        ours("run", edit=_held), S.PENDING,
        "only half made: its creation was cut off; resume finishes it, delete removes it",
    ),
    "job-stopped": Scenario(ours("run", edit=_stopped), S.STOPPED, ""),
    "ranks-running": Scenario(
        ours("run", nodes=2, gpus=1), S.RUNNING, "", settled=lambda job: len(job.attempts) == 2
    ),
    "deployment-running": Scenario(
        ours("run", kind="deployment", replicas=2, ports=[8080]), S.RUNNING, "",
        settled=lambda job: len(job.attempts) == 2 and all(a.started for a in job.attempts),
    ),
    "deployment-no-image": Scenario(
        ours("image-pull", kind="deployment"), S.STARTING,
        f"the image {BUSYBOX} does not exist in its registry",
    ),
    "deployment-crash-loop": Scenario(
        ours("crash-loop", kind="deployment"), S.FAILED,
        "crashes: exit 1, 5 restarts",
    ),
    "deployment-no-mount": Scenario(
        ours("creating", kind="deployment"), S.STARTING, 'the volume claim "data" does not exist'
    ),
    "deployment-quota": Scenario(
        ours("run", kind="deployment", gpus=2), S.QUEUED,
        "the quota gpus is full: 0 of 1 GPUs used, 2 asked", place="quota",
    ),
    "deployment-stopped": Scenario(ours("run", edit=_stopped, kind="deployment", replicas=3), S.STOPPED, ""),
    "foreign-deployment": Scenario(foreign("Deployment", "run"), S.RUNNING, ""),
    "foreign-job": Scenario(
        foreign("Job", "run", parallelism=2, completions=2, completionMode="Indexed"), S.RUNNING, ""
    ),
    "foreign-pod": Scenario(
        foreign("Pod", "evicted"), S.FAILED,
        "was evicted by its node *: The node was low on resource: ephemeral-storage.",
    ),
    "real-running": Scenario(sh("sleep 600"), S.RUNNING, "", node="real"),
    "real-exit": Scenario(sh("exit 3"), S.FAILED, "exit 3", node="real"),
    "real-said-why": Scenario(
        sh("echo 'loss is nan' > /dev/termination-log; exit 4"), S.FAILED,
        "exit 4: loss is nan", node="real",
    ),
    "real-oom": Scenario(
        sh("tail /dev/zero", memory="32Mi"), S.FAILED,
        "ran out of memory (limit 32Mi, OOMKilled)", node="real",
    ),
    "real-no-program": Scenario(
        ours(command=["python", "train.py"]), S.FAILED, "the image has no program python", node="real"
    ),
    "real-not-a-program": Scenario(
        ours(command=["/etc"]), S.FAILED, "/etc cannot be run: is a directory", node="real"
    ),
    "real-no-image": Scenario(
        ours(image="registry.invalid/llama:1"), S.STARTING,
        "the registry of the image registry.invalid/llama:1 cannot be reached", node="real",
    ),
    "real-no-secret": Scenario(
        sh("true", secrets=["TOKEN"], edit=_without_parts), S.STARTING,
        'the secret "real-no-secret-secrets" does not exist', node="real",
    ),
    "real-deadline": Scenario(
        sh("trap 'exit 0' TERM; sleep 600 & wait", max_runtime=2), S.FAILED,
        "ran longer than its max_runtime of 2s", node="real",
    ),
    "real-crash-loop": Scenario(
        sh("exit 3", kind="deployment"), S.FAILED,
        "crashes: exit 3, * restarts",
        node="real", settled=lambda job: job.next_try > job.attempts[-1].finished,
    ),
    "real-finishes": Scenario(
        sh("exit 0", kind="deployment"), S.STARTING,
        "finished (exit 0), and starts again from the beginning, as a deployment does; "
        "run it as a job instead",
        node="real",
        settled=lambda job: job.next_try > job.attempts[-1].finished,
    ),
    "real-ranks": Scenario(
        sh(
            'if [ $NODE_RANK = 0 ]; then echo hello | nc -l -p $MASTER_PORT; else '
            'until nc $MASTER_ADDR $PET_MASTER_PORT | grep hello; do sleep 0.2; done; fi',
            nodes=2,
        ),
        S.SUCCEEDED, "", node="real",
    ),
    "real-verbatim": Scenario(
        ours(
            command=["sh", "-c", "[ $1$A = '$(HOME)$$ok$(A)$$$' ]", "sh", "$(HOME)$$ok"],
            env={"A": "$(A)$$$", "HOME": "/x"},
        ),
        S.SUCCEEDED, "", node="real",
    ),
    "real-rank-failed": Scenario(
        sh("[ $NODE_RANK = 1 ] && sleep 1 && exit 7; trap exit TERM; sleep 600 & wait", nodes=2), S.FAILED,
        "rank 1: exit 7", node="real",
    ),
}  # fmt: skip
