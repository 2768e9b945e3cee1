"""How many tries of a Job are said to be used, and whether one is left."""

from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.status.failure_policy import counts_as_try
from backend_client.kubernetes.status.job_status import job_of
from backend_client.models import JobState

IGNORE = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
SAVED = {"action": "Ignore", "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]}}
FATAL = {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [1, 42]}}


def root(*rules: dict[str, Any], limit: int = 1, failed: int = 0, ended: bool = False) -> KubeJob:
    policy = {"podFailurePolicy": {"rules": rules}} if rules else {}
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit"}
    body = {
        "metadata": {"name": "a", "namespace": "ns", "uid": "j", "creationTimestamp": "2026-11-29T14:00:00Z"},
        "spec": {"backoffLimit": limit, **policy},
        "status": {"failed": failed, "conditions": [condition] * ended},
    }
    return msgspec.convert(body, KubeJob)


def pod(number: int, exit_code: int = 1, *, disrupted: str = "") -> Pod:
    exit_ = {"exitCode": exit_code, "finishedAt": f"2026-11-29T14:0{number}:00Z"}
    target = {"type": "DisruptionTarget", "status": disrupted, "reason": "EvictionByEvictionAPI"}
    body = {
        "metadata": {"name": f"p{number}", "uid": f"p{number}"},
        "spec": {"nodeName": "n", "restartPolicy": "Never"},
        "status": {
            "phase": "Failed",
            "containerStatuses": [{"name": "main", "state": {"terminated": exit_}}],
            "conditions": [target] * bool(disrupted),
        },
    }
    return msgspec.convert(body, Pod)


@pytest.mark.parametrize(
    ("job", "failed", "counts"),
    [
        (root(), pod(1), True),
        (root(), pod(1, disrupted="True"), True),
        (root(IGNORE), pod(1), True),
        (root(IGNORE), pod(1, disrupted="True"), False),
        (root(IGNORE), pod(1, disrupted="False"), True),
        (root(SAVED), pod(1, 42), False),
        (root(SAVED), pod(1, 43), True),
        (root(FATAL, IGNORE), pod(1, 143, disrupted="True"), True),
        (root(IGNORE, FATAL), pod(1, 143, disrupted="True"), False),
        (root(FATAL), pod(1, 0), True),
        (root({"action": "Count", "onPodConditions": [{"type": "DisruptionTarget"}]}, IGNORE),
         pod(1, disrupted="True"), True),
    ],
)  # fmt: skip
def test_the_first_rule_that_matches_decides(job: KubeJob, failed: Pod, counts: bool) -> None:
    assert counts_as_try(failed, job) is counts


DRAINED = "was moved off its node n (drain)"


@pytest.mark.parametrize(
    ("job", "pods", "state", "will_retry", "reason"),
    [
        (root(limit=0), [pod(1, disrupted="True")], JobState.FAILED, False, DRAINED),
        (root(IGNORE, limit=0), [pod(1, disrupted="True")], JobState.PENDING, True, DRAINED),
        (root(limit=1), [pod(1, disrupted="True"), pod(2)], JobState.FAILED, False, "exit 1 (2 tries)"),
        (root(IGNORE), [pod(1, disrupted="True"), pod(2)], JobState.PENDING, True, "exit 1"),
        # Its preempted pods are gone: the Job itself has counted them.
        (root(limit=3, failed=3), [pod(3)], JobState.PENDING, True, "exit 1 (3 tries)"),
        (root(limit=2, failed=3, ended=True), [pod(3)], JobState.FAILED, False, "exit 1 (3 tries)"),
        (root(limit=2, failed=3), [pod(3)], JobState.FAILED, False, "exit 1 (3 tries)"),
        (root(limit=0, failed=1, ended=True), [pod(1)], JobState.FAILED, False, "exit 1"),
    ],
)
def test_tries_are_those_that_count(
    job: KubeJob, pods: list[Pod], state: JobState, will_retry: bool, reason: str
) -> None:
    found = job_of(job, pods, "lab")
    assert (found.state, found.next_try is not None) == (state, will_retry)
    assert found.reason.removeprefix("is tried again: ") == reason
