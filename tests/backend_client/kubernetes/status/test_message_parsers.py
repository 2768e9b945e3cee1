"""What Kubernetes says in prose, and what we make of it: message by message."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.resources import quantities
from backend_client.kubernetes.resources.core import Pod, Terminated
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.exit_reason import (
    container_exit_reason,
    pod_eviction_reason,
    pod_exit_reason,
)
from backend_client.kubernetes.status.pod_reason import RelatedObjects, pod_reason
from backend_client.kubernetes.status.scheduler_message import unschedulable
from backend_client.why import Cause

NEVER = ". preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling."
MORE = ". preemption: 0/36 nodes are available: 36 No preemption victims found for incoming pod."


def sentence(found: Cause | None) -> str:
    return found.sentence if found else ""


def _quota(name: str, amounts: str, *figures: str) -> str:
    asked, used, limited = (amounts % figure for figure in figures)
    return f"exceeded quota: {name}, requested: {asked}, used: {used}, limited: {limited}"


def _target(reason: str) -> dict[str, object]:
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "raw words"}
    return {"conditions": [target]}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0/36 nodes are available: 3 node(s) were unschedulable, 33 Insufficient nvidia.com/gpu" + MORE,
         "no node fits: of 36, 33 without free GPUs, 3 cordoned"),
        ("0/5 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 4 Too many pods.",
         "no node fits: of 5, 4 without room for more pods, 1 without free CPU, 1 without free memory"),
        ("0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: nlp}, "
         "2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate" + MORE,
         "no node fits: of 3, 2 not of the kind asked for, 1 with the taint dedicated=nlp"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s) {nvidia.com/gpu: }.",
         "no node fits: of 1, 1 with the taint nvidia.com/gpu"),
        ("0/5 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 4 Insufficient "
         "nvidia.com/gpu" + NEVER,
         "no node can ever hold it: of 5, 4 with too few GPUs in all, 1 not of the kind asked for"),
        ("0/5 nodes are available: 5 Insufficient memory" + NEVER,
         "no node can ever hold it: of 5, 5 with too little memory in all"),
        ("0/5 nodes are available: 1 node(s) were unschedulable, 4 Insufficient nvidia.com/gpu" + NEVER,
         "no node fits: of 5, 4 with too few GPUs in all, 1 cordoned"),
        ("0/5 nodes are available: 5 Insufficient cpu, 5 Insufficient memory" + NEVER,
         "no node fits: of 5, 5 without free CPU, 5 without free memory"),
        ("0/2 nodes are available: 2 node(s) something new.", "no node fits: of 2, 2 node(s) something new"),
        ('0/5 nodes are available: persistentvolumeclaim "data" not found. not found',
         'the volume claim "data" does not exist'),
        ("0/5 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
         "its volume claim has no volume yet"),
        ("no nodes available to schedule pods", "the cluster has no nodes"),
        ("something else", ""),
    ],
)  # fmt: skip
def test_why_no_node_takes_it(message: str, words: str) -> None:
    assert sentence(unschedulable(message)) == words


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('pods "x-0" is forbidden: ' + _quota("gpus", "requests.nvidia.com/gpu=%s", "8", "16", "16"),
         "the quota gpus is full: 16 of 16 GPUs used, 8 asked"),
        (_quota("all", "limits.memory=%s,pods=9", "2Gi", "63Gi", "64Gi"),
         "the quota all is full: 63Gi of 64Gi memory used, 2Gi asked, 9 of 9 pods used, 9 asked"),
        ('pods "x" is forbidden: failed quota: mem: must specify limits.memory for: main',
         "the quota mem wants this to be stated: limits.memory"),
        ('pods "x" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume "data")',
         'the namespace\'s PodSecurity (baseline) forbids it: hostPath volumes (volume "data")'),
        ("no PriorityClass with name high was found", 'the priority class "high" does not exist'),
        ("something else", ""),
    ],
)  # fmt: skip
def test_why_a_pod_is_refused(message: str, words: str) -> None:
    assert sentence(message_parsers.refused(message)) == words


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("ErrImagePull", "failed to do request: dial tcp: lookup r on 10.0.0.53:53: no such host",
         "the registry of the image r/x:1 cannot be reached"),
        ("ErrImagePull", "r/x:1: not found", "the image r/x:1 does not exist in its registry"),
        ("ImagePullBackOff", "pull access denied, repository does not exist or may require authorization: x",
         "the image r/x:1 does not exist, or needs a login (image_pull_secrets)"),
        ("ErrImagePull", "failed to fetch anonymous token: unexpected status: 401 Unauthorized: unauthorized",
         "the registry gives the image r/x:1 only with a login (image_pull_secrets)"),
        ("ErrImagePull", "429 Too Many Requests - toomanyrequests",
         "the registry of the image r/x:1 has had too many requests from here"),
        ("ErrImagePull", "no match for platform in manifest: not found",
         "the image r/x:1 is not made for this machine's processor"),
        ("ErrImagePull", "write /var/lib/x: no space left on device",
         "the node has no disk left for the image r/x:1"),
        ("ErrImagePull", "odd {words}", "the image r/x:1 cannot be pulled: odd {words}"),
        ("ErrImageNeverPull", "", "the image r/x:1 is not on the node, and may not be pulled"),
        ("InvalidImageName", "", "r/x:1 is not a name that an image can have"),
    ],
)  # fmt: skip
def test_why_there_is_no_image(reason: str, message: str, words: str) -> None:
    assert message_parsers.image(reason, message, "r/x:1").sentence == words


def test_an_image_name_is_never_a_template() -> None:
    found = message_parsers.image("ErrImagePull", "{0} {x}", "{y}")
    assert found.sentence == "the image {y} cannot be pulled: {0} {x}"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('secret "hf" not found', 'the secret "hf" does not exist'),
        ('configmap "c" not found', 'the configmap "c" does not exist'),
        ("couldn't find key TOKEN in Secret team-a/hf", 'the secret "hf" has no key TOKEN'),
        ("container has runAsNonRoot and image will run as root (pod: x)",
         "the image runs as root, and the pod forbids root"),
        ('runc create failed: exec: "python": executable file not found in $PATH: unknown',
         "the image has no program python"),
        ('exec: "/a.sh": stat /a.sh: no such file or directory', "the image has no program /a.sh"),
        ('exec: "/a.sh": permission denied', "/a.sh cannot be run: permission denied"),
        ("something else", ""),
    ],
)  # fmt: skip
def test_why_a_container_is_not_made(message: str, words: str) -> None:
    assert sentence(message_parsers.container(message)) == words


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('MountVolume.SetUp failed for volume "d" : secret "hf" not found', 'the secret "hf" does not exist'),
        ('persistentvolumeclaim "data" not found', 'the volume claim "data" does not exist'),
        ("Unable to attach or mount volumes: timed out", ""),
    ],
)
def test_why_a_volume_is_not_there(message: str, words: str) -> None:
    assert sentence(message_parsers.mount(message)) == words


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("back-off 2m40s restarting failed container=main", 160),
        ("back-off 10s restarting failed container", 10),
        ("back-off 5m0s restarting failed container", 300),
        ("1h", 0),
    ],
)
def test_when_a_container_is_started_again(message: str, seconds: int) -> None:
    assert message_parsers.back_off_seconds(message) == seconds


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Terminated(exit_code=1, reason="Error"), "exit 1"),
        (Terminated(exit_code=137, reason="Error"), "exit 137 (SIGKILL)"),
        (Terminated(exit_code=143, reason="Error"), "exit 143 (SIGTERM)"),
        (Terminated(exit_code=139, reason="Error"), "exit 139 (SIGSEGV)"),
        (Terminated(exit_code=255), "exit 255"),
        (Terminated(exit_code=1, message="a\nb\n"), "exit 1: b"),
        (Terminated(exit_code=137, reason="OOMKilled"), "ran out of memory (limit 64Gi, OOMKilled)"),
        (Terminated(exit_code=128, reason="StartError", message="odd"), "could not be started: odd"),
    ],
)
def test_how_a_container_ended(ended: Terminated, words: str) -> None:
    assert container_exit_reason(ended, "64Gi") == words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"reason": "Evicted", "message": "low on memory"}, "was evicted by its node: low on memory"),
        (_target("PreemptionByScheduler"), "gave way to a pod of higher priority"),
        (_target("EvictionByEvictionAPI"), "was moved off its node (drain)"),
        (_target("New"), "raw words"),
        ({"reason": "UnexpectedAdmissionError", "message": "no GPU"},
         "was refused by its node (UnexpectedAdmissionError): no GPU"),
        ({}, ""),
    ],
)  # fmt: skip
def test_how_a_pod_was_ended_from_outside(status: dict[str, object], words: str) -> None:
    assert pod_eviction_reason(msgspec.convert({"status": status}, Pod)) == words


def test_a_failed_init_container_is_named_as_the_cause() -> None:
    init = [{"name": "fetch", "state": {"terminated": {"exitCode": 2}}}]
    main = [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}]
    status = {"phase": "Failed", "initContainerStatuses": init, "containerStatuses": main}
    pod = msgspec.convert({"status": status}, Pod)
    assert pod_exit_reason(pod) == "init container fetch: exit 2"


def test_a_foreign_gate_is_named() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    raw = {"spec": {"schedulingGates": [{"name": "x.org/wait"}]}, "status": {"conditions": [scheduled]}}
    assert (
        sentence(pod_reason(msgspec.convert(raw, Pod), "", RelatedObjects()))
        == "held back by the scheduling gate x.org/wait"
    )


# Quantities


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 1), ("2", 2), ("64Gi", 64 * 2**30), ("1.5Gi", 3 * 2**29), ("1e3", 1000), ("3M", 3_000_000),
     (".5", 1), ("", 0), ("x", 0), ("1e9999", 2**63 - 1), ("9" * 40 + "Ei", 2**63 - 1)],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_reads_them(text: str, number: int) -> None:
    assert quantities.parse_whole(text) == number


@given(st.integers(0, 2**62))
def test_memory_is_written_exactly(size: int) -> None:
    assert quantities.parse_whole(quantities.format_memory(size)) == size


def test_memory_adds_up() -> None:
    assert quantities.add_memory("64Gi", "8Gi") == "72Gi"
    assert quantities.add_memory("1.5Gi", "512Mi") == "2Gi"
    assert quantities.add_memory("64G", "8Gi") == "70888608Ki"
