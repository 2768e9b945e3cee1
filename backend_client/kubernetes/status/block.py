"""What keeps a job from running, as far as a change of the job may help (pure).

Told by what the blocking object says itself, word for word: see message_parsers.py for whose words these are.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from backend_client.models import Attempt, Job, JobState
from backend_client.why import Explanation


class Block(StrEnum):
    """What a change of a job may help against."""

    NODES = "nodes"
    """The scheduler finds no node for its pods."""
    QUOTA = "quota"
    """A ResourceQuota is full."""
    QUEUE = "queue"
    """Its queue has not enough idle, or nothing of the kind asked for."""
    QUEUE_NEVER = "queue-never"
    """Its queue can never have so much."""
    QUEUE_MISSING = "queue-missing"
    CLAIM_MISSING = "claim-missing"
    PULL_SECRET_MISSING = "pull-secret-missing"  # noqa: S105  no password
    HOST_PATH = "host-path"
    """The namespace's PodSecurity forbids folders of the node, and nothing else of the job."""
    MEMORY = "memory"
    SHM = "shm"


class Blocked(NamedTuple):
    """What blocks a job, and the words that tell it."""

    block: Block
    raw: str = ""


_WORDS = (
    (Block.CLAIM_MISSING, re.compile(r'persistentvolumeclaim "[^"]+" not found')),
    (Block.PULL_SECRET_MISSING, re.compile(r"Unable to retrieve some image pull secrets \([^)]+\)")),
    (Block.QUEUE_MISSING, re.compile(r"LocalQueue \S+ doesn't exist")),
    (Block.QUOTA, re.compile(r"exceeded quota: ")),
    (Block.QUEUE, re.compile(r"insufficient unused quota for ")),
    (Block.QUEUE_NEVER, re.compile(r"insufficient quota for [^>]*> maximum capacity \(")),
    (Block.QUEUE, re.compile(r"couldn't assign flavors to pod set ")),
    (Block.NODES, re.compile(r"\d+/\d+ nodes are available: ")),
)
_VIOLATIONS = re.compile(r'violates? PodSecurity "[^"]*": (.*)', re.DOTALL)
_HOST_PATHS = re.compile(
    r'(?:hostPath volumes \(volumes? "[^)]*\)|restricted volume types \(volumes? [^)]*\))'
)
_WAITS = (JobState.PENDING, JobState.QUEUED, JobState.STARTING)


def blocked_by(job: Job, explanation: Explanation) -> Blocked | None:
    """Return what blocks a job that a change of it may help; None where nothing does."""
    if explanation.failure:
        kinds = {"memory": Block.MEMORY, "shm": Block.SHM}
        block = kinds.get(explanation.failure.kind)
        return Blocked(block) if block else None
    if job.state not in _WAITS:
        return None
    for raw in _raws(explanation):
        for block, pattern in _WORDS:
            if pattern.search(raw):
                return Blocked(block, raw)
        if _forbids_host_paths_alone(raw):
            return Blocked(Block.HOST_PATH, raw)
    return Blocked(Block.NODES) if job.state is JobState.PENDING and unplaced(job) else None


def _raws(explanation: Explanation) -> Iterator[str]:
    """Yield what objects say themselves, that of the one which blocks first."""
    for cause in reversed(explanation.chain):
        if cause.raw:
            yield cause.raw


def _forbids_host_paths_alone(raw: str) -> bool:
    match = _VIOLATIONS.search(raw)
    rest = _HOST_PATHS.sub("", match[1]) if match else raw
    return bool(match) and not rest.strip(" ,.")


def unplaced(job: Job) -> list[Attempt]:
    """Return the pods of a job that have no node."""
    return [attempt for attempt in alive(job) if not attempt.node]


def alive(job: Job) -> list[Attempt]:
    """Return the pods of a job that have not ended."""
    return [attempt for attempt in job.attempts if attempt.pod and not attempt.finished]
