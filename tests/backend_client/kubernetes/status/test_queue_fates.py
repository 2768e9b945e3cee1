"""Recorded jobs of a real Kueue, and what was not recorded, through the sentences of a queue."""

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.status.kueue_history import event_message, preemptor_of
from backend_client.kubernetes.status.kueue_message import Question, waiting
from backend_client.kubernetes.status.kueue_reason import ordinal, queue_cause
from backend_client.kubernetes.status.queue_causes import QUEUE_CAUSES
from backend_client.models import QueuePlace
from tests.backend_client.kubernetes.support.queues import FATES, UNREADY
from tests.backend_client.kubernetes.support.recording import load

# What was recorded


@pytest.mark.parametrize("name", FATES | UNREADY)
def test_recorded_fate(name: str) -> None:
    job, fate = load(f"queue-{name}").job(), (FATES | UNREADY)[name]
    assert job.state == fate.state
    assert fnmatchcase(job.reason, fate.without_place), job.reason
    assert (job.queue is None) == (fate.state == "Failed")
    assert bool(job.finished) == job.ended


def test_a_place_says_what_the_queue_knows() -> None:
    waits = load("queue-waits").job().queue
    assert waits
    assert (waits.queue, waits.priority, waits.flavors) == ("wait", 1000, ())
    assert waits.priority_class.startswith("urgent-")
    runs = load("queue-replicas").job().queue
    assert runs
    assert [flavor.partition("-")[0] for flavor in runs.flavors] == ["small"]
    later = load("queue-check-later").job().queue
    assert later
    assert later.requeue_at
    assert load("queue-taken-out").job().queue == msgspec.structs.replace(
        QueuePlace(queue="open", priority=0), held=True
    )


# Messages

HEAD = "couldn't assign flavors to pod set main: "


def never(flavor: str, most: str, asked: str = "8", resource: str = "nvidia.com/gpu") -> str:
    return (
        f"insufficient quota for {resource} in flavor {flavor}, previously considered podsets requests (0) + "
        f"current podset request ({asked}) > maximum capacity ({most})"
    )


def lacks(flavor: str, amount: str = "8", resource: str = "nvidia.com/gpu") -> str:
    return f"insufficient unused quota for {resource} in flavor {flavor}, {amount} more needed"


def other(flavor: str) -> str:
    return f"flavor {flavor} doesn't match node affinity"


@pytest.mark.parametrize(
    ("message", "cause", "words"),
    [
        (HEAD + ", ".join([never("l4", "2"), lacks("a100"), lacks("h100")]),
         "queue.quota", "needs 8 more A100 or 8 more H100"),
        (HEAD + lacks("spot"), "queue.quota", "needs 8 more GPUs in spot"),
        (HEAD + ", ".join([lacks("a100", "96", "cpu"), lacks("a100")]),
         "queue.quota", "needs 96 more CPU in a100 and 8 more A100"),
        (HEAD + ", ".join([other("h100"), other("l4"), lacks("a100", "4")]),
         "queue.quota", "needs 4 more A100 (the only kind that it allows)"),
        (HEAD + ", ".join([never("h100", "2Ti", "4Ti", "memory"), lacks("h100"), lacks("a100")]),
         "queue.quota", "needs 8 more A100"),
        (HEAD + never("l4", "2"), "queue.never",
         "can never start here: asks 8 GPUs, its queue has at most 2 L4"),
        (HEAD + never("default-flavor", "2Ti", "4Ti", "memory"), "queue.never",
         "can never start here: asks 4Ti memory, its queue has at most 2Ti memory in default-flavor"),
        (HEAD + ", ".join([other("a100"), other("h100")]), "queue.flavor",
         "can never start here: its queue has A100 and H100, it asks for B200"),
        (HEAD + "untolerated taint {spot  NoSchedule <nil>} in flavor a100", "queue.flavor",
         "can never start here: A100 has the taint spot, which it does not tolerate"),
        (HEAD + 'topology "hosts" doesn\'t allow to fit any of 2 pod(s). Total nodes: 3; excluded: '
         'resource "nvidia.com/gpu": 3', "queue.topology",
         "its quota is free, but on one host there is no room for any of its 2 pods"),
        (HEAD + lacks("a100") + ". Pending the preemption of 2 workload(s)", "queue.preempting",
         "waits until 2 jobs that give way have stopped"),
        ("Workload no longer fits after processing another workload", "queue.behind",
         "another job was let in before it"),
        ("waiting for all admitted workloads to be in PodsReady condition", "queue.others",
         "waits until the jobs that were let in before it are ready"),
        ("LocalQueue q is terminating or missing", "queue.missing",
         "there is no queue q in the namespace lab"),
        ("The workload is inadmissible", "", "The workload is inadmissible"),
        (HEAD + never("a100", "9" * 5000), "", HEAD + never("a100", "9" * 5000)),
    ],
)  # fmt: skip
def test_what_a_queue_waits_for(message: str, cause: str, words: str) -> None:
    question = Question("q", namespace="lab", asked_type="B200", topology="kubernetes.io/hostname")
    assert waiting("Pending", message, question) == (cause, words)


def test_a_typed_reason_is_believed() -> None:
    question = Question("q")
    assert waiting("ExceedsMaxQuota", "new words", question) == ("queue.never", "new words")
    assert waiting("WaitingForQuota", HEAD + lacks("a100"), question) == ("queue.quota", "needs 8 more A100")


# Workloads

AT = "2026-11-30T06:32:00Z"
PREEMPTED = (
    "Preempted to accommodate a workload (UID: w, JobUID: j) due to {}; "
    "preemptor path: /research/team-b; preemptee path: /research/team-a"
)


def workload(*conditions: dict[str, Any], **status: Any) -> Workload:
    spec = status.pop("spec", {})
    known = [{"lastTransitionTime": AT, "status": "True"} | condition for condition in conditions]
    whole = {"metadata": {"name": "job-a", "namespace": "lab"}, "spec": spec}
    return msgspec.convert({**whole, "status": {"conditions": known, **status}}, Workload)


def lacking() -> dict[str, Any]:
    return {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": HEAD + lacks("a100")}


def evicted(reason: str, message: str = "") -> dict[str, Any]:
    return {"type": "Evicted", "reason": reason, "message": message}


def said(found: Workload, **known: Any) -> tuple[str, str]:
    cause = queue_cause("q", found, now=datetime(2026, 11, 30, 9, tzinfo=UTC), **known)
    return cause.id, cause.sentence


@pytest.mark.parametrize(
    ("reason", "cause", "words"),
    [
        ("InClusterQueue", "queue.preempted", "gave way to a job with priority over it"),
        ("InCohortReclamation", "queue.reclaimed", "team-b took its own quota back"),
        ("InCohortFairSharing", "queue.fair-share", "gave way to a job of team-b by fair sharing"),
        ("InCohortReclaimWhileBorrowing", "queue.preempted",
         "gave way to a job of team-b with priority over it"),
        ("Rule", "queue.preempted", "gave way to another job"),
    ],
)  # fmt: skip
def test_who_gave_way_says_to_whom(reason: str, cause: str, words: str) -> None:
    preempted = {"type": "Preempted", "reason": reason}
    found = workload(lacking(), evicted("Preempted", PREEMPTED.format("prioritization")), preempted)
    assert said(found) == (cause, f"{words} at 06:32 UTC; needs 8 more A100")


def test_a_preemptor_is_named_where_it_may_be() -> None:
    found = workload(
        lacking(),
        evicted("Preempted", PREEMPTED.format("prioritization in the ClusterQueue")),
        {"type": "Preempted", "reason": "InClusterQueue"},
        accumulatedPastExecutionTimeSeconds=31,
    )
    names = {"j": "bert"}
    words = "gave way to bert with priority over it at 06:32 UTC, after 31s; needs 8 more A100"
    assert said(found, name_of=names.__getitem__) == ("queue.preempted", words)
    preemptor = preemptor_of(PREEMPTED.format("x"))
    assert preemptor == ("w", "j", "team-b")


def test_an_eviction_of_another_day_is_told_with_its_day() -> None:
    found = workload(lacking(), evicted("NodeFailures"))
    cause = queue_cause("q", found, now=datetime(2026, 12, 1, 9, tzinfo=UTC))
    assert cause.sentence == "lost its node on Nov 30 at 06:32 UTC; needs 8 more A100"


def test_what_was_admitted_again_is_not_told_of_its_past() -> None:
    admitted = {"type": "QuotaReserved"}
    found = workload(admitted, {"type": "Admitted"}, {**evicted("QuotaReserved"), "status": "False"})
    assert said(found)[0] == "queue.admitted"


def test_pods_that_did_not_get_ready_are_told_of_with_what_was_seen_of_them() -> None:
    requeue = {"count": 2, "requeueAt": "2026-11-30T06:35:39Z"}
    timeout = evicted("PodsReadyTimeout", "Exceeded the PodsReady timeout lab/a")
    found = workload(lacking(), timeout, {"type": "Requeued", "status": "False"}, requeueState=requeue)
    last = "the volume claim data does not exist"
    assert said(found, last_reason=last) == (
        "queue.not-ready",
        f"did not get ready in time (last: {last}); is tried again at 06:35:39 UTC, for the 2nd time",
    )
    again = workload(lacking(), timeout, {"type": "Requeued"}, requeueState={"count": 2})
    assert said(again) == ("queue.not-ready", "did not get ready in time; needs 8 more A100")


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("RequeuingLimitExceeded", "",
         "given up after 3 starts that did not get ready in time (last: no disk)"),
        ("AdmissionCheck", "The workload is deactivated due to Admission check(s): a, b, were rejected",
         "the checks a and b of its queue refused it"),
        ("MaximumExecutionTimeExceeded", "", "ran longer than its queue's limit of 1h"),
        ("New", "words", "its queue has given it up: words"),
    ],
)  # fmt: skip
def test_a_queue_ends_a_job(reason: str, message: str, words: str) -> None:
    last = {"reason": "Deactivated", "underlyingCause": "RequeuingLimitExceeded", "count": 1}
    stats = {"evictions": [{"reason": "PodsReadyTimeout", "count": 2}, last]}
    found = workload(
        evicted(f"DeactivatedDueTo{reason}", message),
        spec={"active": False, "maximumExecutionTimeSeconds": 3600},
        schedulingStats=stats,
    )
    assert said(found, last_reason="no disk")[1] == words


def test_pods_on_their_way_out_are_not_about_to_start() -> None:
    reserved = {"type": "QuotaReserved", "message": "Quota reserved in ClusterQueue a"}
    found = workload(reserved, {"type": "Admitted"}, evicted("NodeFailures"))
    assert said(found) == ("queue.node", "lost its node at 06:32 UTC")


def test_an_event_of_a_preemption_names_no_uid() -> None:
    message = PREEMPTED.format("reclamation within the cohort")
    assert event_message(message) == "gave way to a job of the queue team-b (reclamation within the cohort)"
    own = PREEMPTED.format("prioritization in the ClusterQueue")
    assert event_message(own) == "gave way to a job (prioritization in the ClusterQueue)"
    assert event_message("Job suspended") == "Job suspended"


def test_a_place_is_told_in_words() -> None:
    place = QueuePlace(queue="q", cluster_queue="team-a", position=3, waiting=12)
    assert said(workload(lacking()), place=place) == ("queue.quota", "needs 8 more A100; 3rd of 12 in team-a")
    assert said(workload(), place=place) == ("queue.behind", "3rd of 12 in team-a")
    alone = QueuePlace(queue="q", position=1)
    assert said(workload(), place=alone) == ("queue.behind", "1st in q")
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == (
        "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th".split()
    )


def test_every_cause_is_in_the_table() -> None:
    ids = [kind.id for kind in QUEUE_CAUSES]
    assert len(ids) == len(set(ids))
    for name in FATES | UNREADY:
        recorded = load(f"queue-{name}")
        for found in recorded.related().workloads.values():
            if not found.has_condition("Admitted"):
                assert queue_cause("q", found).id in ids
