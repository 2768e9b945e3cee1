"""What blocks a job, as far as a change of it may help: told by the words of the object that blocks."""

from datetime import UTC, datetime

import pytest

from backend_client.kubernetes.status.block import Block, Blocked, blocked_by
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState
from backend_client.why import Cause, Explanation, Failure

WORDS = [
    ("0/7 nodes are available: 7 Insufficient nvidia.com/gpu. preemption: ...", Block.NODES),
    ('0/7 nodes are available: persistentvolumeclaim "data" not found.', Block.CLAIM_MISSING),
    ('persistentvolumeclaim "data" not found', Block.CLAIM_MISSING),
    (
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
        Block.PULL_SECRET_MISSING,
    ),
    ("LocalQueue nothere doesn't exist", Block.QUEUE_MISSING),
    ('pods "a" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=8, ...', Block.QUOTA),
    (
        (
            "couldn't assign flavors to pod set main: insufficient quota for nvidia.com/gpu in flavor h100,"
            " request > maximum capacity (8), insufficient unused quota for nvidia.com/gpu in flavor a100,"
            " 8 more needed"
        ),
        Block.QUEUE,
    ),
    (
        (
            "couldn't assign flavors to pod set main: insufficient quota for nvidia.com/gpu in flavor h100,"
            " > maximum capacity (8)"
        ),
        Block.QUEUE_NEVER,
    ),
    (
        "couldn't assign flavors to pod set main: flavor a100 doesn't match node affinity",
        Block.QUEUE,
    ),
    (
        'pods "a" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume "volume-0")',
        Block.HOST_PATH,
    ),
    (
        'pods "a" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volumes "a", "b")',
        Block.HOST_PATH,
    ),
    (
        (
            'pods "a" is forbidden: violates PodSecurity "restricted:latest": restricted volume types'
            ' (volume "volume-0" uses restricted volume type "hostPath")'
        ),
        Block.HOST_PATH,
    ),
    (
        (
            'pods "a" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes (volume'
            ' "volume-0"), privileged (container "main" must not set securityContext.privileged=true)'
        ),
        None,
    ),
    ('Back-off pulling image "a"', None),
    ("", None),
]


def job(state: JobState = JobState.QUEUED, *attempts: Attempt) -> Job:
    ref = JobRef("c", "ns", "job", "bert", "u")
    return Job(ref=ref, state=state, spec=JobSpec(), created=datetime.now(UTC), attempts=attempts)


def saying(raw: str) -> Explanation:
    first = Cause(id="", sentence="bert waits", object="job/bert")
    return Explanation(chain=(first, Cause(id="x", sentence="it waits", object="pod/bert", raw=raw)))


@pytest.mark.parametrize(("raw", "block"), WORDS)
def test_what_its_words_tell(raw: str, block: Block | None) -> None:
    assert blocked_by(job(), saying(raw)) == (Blocked(block, raw) if block else None)


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.SUCCEEDED, JobState.STOPPED, JobState.STOPPING])
def test_what_runs_or_is_over_is_not_blocked(state: JobState) -> None:
    assert blocked_by(job(state), saying(WORDS[0][0])) is None


def test_a_pod_without_a_node() -> None:
    waits = Attempt(number=1, pod="bert-0")
    placed = Attempt(number=1, rank=1, pod="bert-1", node="gpu-1")
    assert blocked_by(job(JobState.PENDING, placed, waits), saying("")) == Blocked(Block.NODES)
    assert blocked_by(job(JobState.PENDING, placed), saying("")) is None
    assert blocked_by(job(JobState.QUEUED, waits), saying("")) is None


@pytest.mark.parametrize(
    ("kind", "block"),
    [("memory", Block.MEMORY), ("shm", Block.SHM), ("gpu-memory", None), ("nccl", None), ("", None)],
)
def test_what_ran_out(kind: str, block: Block | None) -> None:
    explanation = Explanation(failure=Failure(exit="exit 1", kind=kind))
    assert blocked_by(job(JobState.FAILED), explanation) == (Blocked(block) if block else None)
