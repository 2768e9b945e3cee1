"""What is said of every kind of container, every reason of a pod, and a node that is lost: one table each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status.job_status import job_of
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.models import Job, JobState
from tests.backend_client.kubernetes.support.pod_statuses import AT, END, ended, pod, running, waiting

ROOM = "Node didn't have enough resource: "


def job(
    of: dict[str, Any], *, kind: str = "Job", nodes: tuple[NodeGpus, ...] | None = None, **spec: Any
) -> Job:
    """The job that one pod is the pod of."""
    root = {
        "metadata": {"name": "mesh", "namespace": "n", "uid": "root", "creationTimestamp": AT},
        "spec": {"backoffLimit": 0, "template": {"spec": of["spec"]}, **spec},
    }
    type_ = KubeJob if kind == "Job" else Deployment
    pods = [msgspec.convert(of, Pod)]
    return job_of(msgspec.convert(root, type_), pods, "kind", RelatedObjects(node_gpus=nodes))


def words(of: dict[str, Any], **more: Any) -> tuple[str, str]:
    found = job(of, **more)
    return str(found.state), found.reason


PROXY = running("istio-proxy")


@pytest.mark.parametrize(
    ("of", "state", "reason"),
    [
        (pod(ended("main", 1), PROXY), "Running", "main ended with exit 1; istio-proxy goes on"),
        (pod(ended("main", 0, "Completed"), PROXY), "Running", "main ended with exit 0; istio-proxy goes on"),
        (pod(PROXY, ended("train", 2)), "Running", "train ended with exit 2; istio-proxy goes on"),
        (pod(ended("main", 1), PROXY, running("vault-agent")), "Running",
         "main ended with exit 1; istio-proxy and vault-agent go on"),
        (pod(ended("main", 137, "OOMKilled"), PROXY), "Running",
         "main: ran out of memory (limit 64Gi, OOMKilled); istio-proxy goes on"),
        (pod(ended("main", 0), PROXY, restart="OnFailure"), "Running",
         "main ended with exit 0; istio-proxy goes on"),
        (pod(ended("main", 1), init=[running("proxy")], sidecars=["proxy"]), "Running",
         "main ended with exit 1; proxy goes on"),
        (pod(running("main"), ended("istio-proxy", 3)), "Running", "container istio-proxy failed: exit 3"),
        (pod(running("main"), ended("istio-proxy", 0)), "Running", ""),
        (pod(running("main"), waiting("sync", "CrashLoopBackOff", "", 2),
             restart="Always"), "Running", "container sync crashes: exit 2, 3 restarts"),
        (pod(running("main"), waiting("sync", "ImagePullBackOff", "toomanyrequests"), phase="Pending"),
         "Running", "container sync: the registry of the image img:1 has had too many requests from here"),
        (pod(running("main"), init=[waiting("proxy", "CrashLoopBackOff", "", 1)], sidecars=["proxy"]),
         "Running", "sidecar proxy crashes: exit 1, 3 restarts"),
        (pod(running("main"), ephemeral=[waiting("debugger-x", "ErrImagePull", "manifest unknown")]),
         "Running", "container debugger-x: the image img:1 does not exist in its registry"),
        (pod(running("main"), init=[ended("setup", 0)], ephemeral=[ended("debugger-x", 1)]), "Running",
         "container debugger-x failed: exit 1"),
    ],
)  # fmt: skip
def test_what_is_beside_the_main_container_is_told(of: dict[str, Any], state: str, reason: str) -> None:
    if of["status"]["ephemeralContainerStatuses"]:
        of["status"]["ephemeralContainerStatuses"][0]["image"] = "img:1"
    assert words(of) == (state, reason)


@pytest.mark.parametrize(
    ("of", "state", "reason"),
    [
        (pod(waiting("main", "PodInitializing"), init=[running("setup")], phase="Pending"),
         "Starting", "init container setup runs first"),
        (pod(waiting("main", "PodInitializing"), init=[running("proxy", started=False)], sidecars=["proxy"],
             phase="Pending"), "Starting", "waits for sidecar proxy to be up"),
        (pod(waiting("main", "PodInitializing"), init=[running("proxy", started=True)], sidecars=["proxy"],
             phase="Pending"), "Starting", ""),
        (pod(waiting("main", "PodInitializing"), init=[waiting("setup", "ErrImagePull", "manifest unknown")],
             phase="Pending"),
         "Starting", "init container setup: the image img:1 does not exist in its registry"),
        (pod(waiting("main", "PodInitializing"),
             init=[waiting("setup", "CreateContainerConfigError", 'secret "k" not found')], phase="Pending"),
         "Starting", 'init container setup: the secret "k" does not exist'),
        (pod(waiting("main", "PodInitializing"), init=[ended("setup", 7)], phase="Failed"),
         "Failed", "init container setup: exit 7"),
        (pod(waiting("main", "PodInitializing"), init=[ended("setup", 0)], phase="Pending"), "Starting", ""),
        (pod(waiting("main", "CreateContainerError", "full")), "Starting", "CreateContainerError: full"),
        (pod(waiting("main", "PostStartHookError", "failed")), "Starting", "PostStartHookError: failed"),
        (pod(waiting("main", "ImageInspectError", "bad digest"), phase="Pending"), "Starting",
         "the image img:1 on the node is broken: bad digest"),
        (pod(waiting("main", "SomethingNew", "of tomorrow"), phase="Pending"), "Starting",
         "SomethingNew: of tomorrow"),
        (pod(waiting("main", "SomethingNew"), phase="Pending"), "Starting", "SomethingNew"),
    ],
)  # fmt: skip
def test_what_comes_before_the_main_container_is_told(of: dict[str, Any], state: str, reason: str) -> None:
    assert words(of) == (state, reason)


CRASH = waiting("setup", "CrashLoopBackOff", "back-off 40s restarting failed container=setup", 5)


def test_an_init_container_that_crashes_is_a_crash_loop_with_its_next_start() -> None:
    of = pod(waiting("main", "PodInitializing"), init=[CRASH], phase="Pending", restart="Always")
    found = job(of, kind="Deployment")
    assert (str(found.state), found.reason) == (
        "Failed",
        "init container setup crashes: exit 5, 3 restarts",
    )
    assert found.next_try == datetime(2026, 11, 29, 6, 51, 40, tzinfo=UTC)
    assert not found.ended


def test_a_sidecar_that_crashes_before_the_main_container_holds_it_up() -> None:
    proxy = waiting("proxy", "CrashLoopBackOff", "back-off 10s restarting failed container", 1)
    of = pod(waiting("main", "PodInitializing"), init=[proxy], sidecars=["proxy"], phase="Pending")
    assert words(of) == ("Starting", "sidecar proxy crashes: exit 1, 3 restarts")  # a Job is not Failed
    assert job(of).next_try


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("Evicted", "The node was low on resource: memory.",
         "was evicted by its node gpu-1: The node was low on resource: memory."),
        ("Preempting", "Preempted in order to admit critical pod",
         "had to make room on its node gpu-1 for a pod that the cluster itself needs"),
        ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline",
         "ran longer than its time limit"),
        ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
         "was refused by its node gpu-1, which is not (or no more) of the kind asked for"),
        ("NodeShutdown", "Pod was rejected as the node is shutting down.",
         "was ended, as its node gpu-1 is shutting down"),
        ("Terminated", "Pod was terminated in response to imminent node shutdown.",
         "was ended, as its node gpu-1 is shutting down"),
        ("Shutdown", "Node is shutting, evicting pods", "was ended, as its node gpu-1 is shutting down"),
        ("UnexpectedAdmissionError", "Pod Allocate failed for no healthy devices, which is unexpected",
         "was refused by its node gpu-1 (UnexpectedAdmissionError): Allocate failed for no healthy devices"),
        ("OutOfcpu", f"Pod was rejected: {ROOM}cpu, requested: 5000, used: 1450, capacity: 4000",
         "was refused by its node gpu-1, which has no CPU left: 1450 of 4000 used, 5000 asked (OutOfcpu)"),
        ("OutOfnvidia.com/gpu", f"Pod {ROOM}nvidia.com/gpu, requested: 1, used: 8, capacity: 8",
         "was refused by its node gpu-1, which has no GPUs left: 8 of 8 used, 1 asked (OutOfnvidia.com/gpu)"),
        ("OutOfpods", "", "was refused by its node gpu-1, which has no pods left (OutOfpods)"),
        ("NodeLost", "Node gpu-1 which was running pod is unresponsive", "its node gpu-1 does not answer"),
        ("TopologyAffinityError", "no room",
         "was refused by its node gpu-1, where no devices and CPUs lie close together: no room"),
        ("SysctlForbidden", "forbidden sysctl", "SysctlForbidden: forbidden sysctl"),
        ("OfTomorrow", "", "OfTomorrow"),
        ("", "words alone", "words alone"),
    ],
)  # fmt: skip
def test_every_reason_of_a_pod_is_told(reason: str, message: str, said: str) -> None:
    of = pod(
        waiting("main", "ContainerCreating"), phase="Failed", status={"reason": reason, "message": message}
    )
    assert words(of) == ("Failed", said)


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod",
         "gave way to a pod of higher priority"),
        ("EvictionByEvictionAPI", "Eviction API: evicting", "was moved off its node gpu-1 (drain)"),
        ("TerminationByKubelet", "The node had condition: [DiskPressure].",
         "was ended by its node gpu-1: The node had condition: [DiskPressure]."),
        ("DeletionByPodGC", "PodGC: node no longer exists", "was cleared away, as its node gpu-1 is gone"),
        ("OfTomorrow", "new words", "new words"),
    ],
)  # fmt: skip
def test_every_disruption_is_told(reason: str, message: str, said: str) -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    of = pod(ended("main", 137), phase="Failed", status={"conditions": [target]})
    ours = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    tried_again = job(of, podFailurePolicy=ours)  # it burns no try
    assert (tried_again.state, tried_again.reason) == (JobState.PENDING, f"is tried again: {said}")
    assert words(of) == ("Failed", said)
    evicted = tried_again.attempts[-1].evicted
    assert (evicted.why if evicted else "") == ("" if reason == "OfTomorrow" else said)


def test_an_end_of_its_own_is_no_eviction() -> None:
    assert job(pod(ended("main", 137), phase="Failed")).attempts[-1].evicted is None


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ended("main", 1, "Error"), "exit 1"),
        (ended("main", 137, "OOMKilled"), "ran out of memory (limit 64Gi, OOMKilled)"),
        (ended("main", 1, "OOMKilled"),
         "exit 1, after a process of it ran out of memory (limit 64Gi, OOMKilled)"),
        (ended("main", 137, "Error"), "exit 137 (SIGKILL)"),
        (ended("main", 137, "ContainerStatusUnknown", "The container could not be located when the pod was "
               "terminated"), "how it ended is unknown: its node lost sight of it (exit 137)"),
        (ended("main", 128, "StartError", 'exec: "python": executable file not found in $PATH: unknown'),
         "the image has no program python"),
        (ended("main", 127, "ContainerCannotRun", "no such device"), "could not be started: no such device"),
        (ended("main", 5, "OfTomorrow", "some words"), "exit 5 (OfTomorrow): some words"),
    ],
)  # fmt: skip
def test_every_end_of_a_container_is_told(status: dict[str, Any], said: str) -> None:
    assert words(pod(status, phase="Failed")) == ("Failed", said)


UNREADY = {"type": "Ready", "status": "False"}
WELL = {"type": "ContainersReady", "status": "True"}
LOST = "its node gpu-1 does not answer"


def node(trouble: str) -> tuple[NodeGpus, ...]:
    return (NodeGpus("gpu-1", "", 0, 0, trouble),)


@pytest.mark.parametrize(
    ("status", "nodes", "said"),
    [
        ({"conditions": [UNREADY | {"reason": "NodeNotReady"}]}, None, LOST),
        ({"conditions": [UNREADY, WELL]}, None, LOST),
        ({"conditions": [UNREADY]}, node("does not answer"), LOST),
        ({"conditions": []}, node("does not answer"), LOST),
        ({}, node("is not ready: container runtime is down"),
         "its node gpu-1 is not ready: container runtime is down"),
        ({"reason": "NodeLost", "message": "Node gpu-1 which was running pod is unresponsive"}, None, LOST),
        ({"conditions": [UNREADY | {"reason": "ContainersNotReady"}]}, node(""), ""),
        ({"conditions": [UNREADY | {"reason": "ReadinessGatesNotReady"}, WELL]}, None, ""),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, None, ""),
    ],
)  # fmt: skip
def test_a_lost_node_is_named_while_its_containers_count_as_running(
    status: dict[str, Any], nodes: tuple[NodeGpus, ...] | None, said: str
) -> None:
    assert words(pod(running("main"), status=status), nodes=nodes) == ("Running", said)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"reason": "NodeLost", "message": "Node gpu-1 which was running pod is unresponsive"}, LOST),
        ({}, LOST),
        ({"message": "no word from it"}, f"{LOST}: no word from it"),
        ({"reason": "OfTomorrow", "message": "no word from it"}, "OfTomorrow: no word from it"),
    ],
)  # fmt: skip
def test_an_unknown_pod_says_why(status: dict[str, Any], said: str) -> None:
    assert words(pod(phase="Unknown", status=status)) == ("Unknown", said)


def test_a_pod_that_cannot_go_as_its_node_is_lost_says_so() -> None:
    of = pod(running("main"), status={"conditions": [UNREADY, WELL]}, deletionTimestamp=END)
    assert words(of)[1] == f"waits for its pod on gpu-1 to be gone: {LOST}"


def test_a_pod_that_waits_for_those_it_preempts_says_where() -> None:
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes",
    }
    status = {"nominatedNodeName": "gpu-7", "conditions": [unscheduled]}
    of = pod(phase="Pending", status=status)
    of["spec"]["nodeName"] = ""
    assert words(of) == ("Pending", "waits on gpu-7 until pods of lower priority have made room")


# Which container does the work


@pytest.mark.parametrize(
    ("containers", "annotations", "main"),
    [
        (["istio-proxy", "train"], {}, "train"),
        (["helper", "main"], {}, "main"),
        (["a", "b"], {}, "a"),
        (["a", "b"], {"kubectl.kubernetes.io/default-container": "b"}, "b"),
        (["a", "b"], {"kubectl.kubernetes.io/default-container": "gone"}, "a"),
        (["helper", "gpu"], {}, "gpu"),
        (["istio-proxy", "vault-agent"], {}, "istio-proxy"),
    ],
)
def test_the_main_container_is_found(containers: list[str], annotations: dict[str, str], main: str) -> None:
    with_gpus = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    of = {
        "metadata": {"annotations": annotations},
        "spec": {"containers": [{"name": c} | (with_gpus if c == "gpu" else {}) for c in containers]},
        "status": {"containerStatuses": [{"name": c} for c in containers]},
    }
    found = msgspec.convert(of, Pod)
    assert found.main_container
    assert found.main_container_status
    assert (found.main_container.name, found.main_container_status.name) == (main, main)


# A Job that is tried again


def test_a_job_whose_container_is_tried_again_where_it_is_has_not_failed() -> None:
    crash = waiting("main", "CrashLoopBackOff", "back-off 20s restarting failed container", 1)
    found = job(pod(crash, restart="OnFailure"), backoffLimit=6)
    assert (str(found.state), found.reason) == ("Starting", "crashes: exit 1, 3 restarts")
    assert found.next_try


@pytest.mark.parametrize(("failures", "seconds"), [(1, 10), (2, 20), (6, 320), (7, 600), (9, 600)])
def test_the_next_try_is_when_the_controller_makes_it(failures: int, seconds: int) -> None:
    root = {
        "metadata": {"name": "mesh", "namespace": "n", "uid": "root", "creationTimestamp": AT},
        "spec": {"backoffLimit": 20},
    }
    pods = [pod(ended("main", 1), phase="Failed", uid=f"pod-{number}") for number in range(failures)]
    found = job_of(msgspec.convert(root, KubeJob), msgspec.convert(pods, list[Pod]), "kind")
    last = datetime(2026, 11, 29, 6, 51, tzinfo=UTC)
    assert (str(found.state), found.next_try) == ("Pending", last + timedelta(seconds=seconds))
