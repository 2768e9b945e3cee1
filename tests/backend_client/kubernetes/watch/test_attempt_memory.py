"""Attempts that were seen stay in their job when their pods, or the reports of their containers, go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.logs.container_runs import runs_by_rank
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.kueue import JOB_UID, Workload
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch import attempt_memory
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.models import Attempt, Eviction, Job

NOW = datetime(2026, 11, 29, 14, 30, tzinfo=UTC)
INDEX = "batch.kubernetes.io/job-completion-index"
PREEMPTED = "gave way to a pod of higher priority"


def at(minute: int) -> str:
    return f"2026-11-29T14:{minute:02}:00Z"


def job(uid: str = "j1", **spec: Any) -> KubeJob:
    metadata = {"name": "train", "namespace": "ns", "uid": uid, "creationTimestamp": at(0)}
    metadata["annotations"] = {"traindeck.dev/spec": '{"image": "a"}'}
    return msgspec.convert({"metadata": metadata, "spec": spec}, KubeJob)


def pod(name: str, minute: int, *, rank: int | None = None, restarts: int = 0, **more: Any) -> Pod:
    """A pod that was made and started at a minute; `ended`: its exit code, `last`: the one before."""
    state: dict[str, Any] = {"running": {"startedAt": at(minute)}} if more.get("started", True) else {}
    if "ended" in more:
        exit_ = {"exitCode": more["ended"], "startedAt": at(minute), "finishedAt": at(minute + 1)}
        state = {"terminated": exit_}
    status: dict[str, Any] = {"phase": more.get("phase", "Running"), "containerStatuses": []}
    container = {"name": "main", "restartCount": restarts, "state": state}
    if restarts:
        last = {"exitCode": more.get("last", 1), "startedAt": at(minute - 1), "finishedAt": at(minute)}
        container["lastState"] = {"terminated": last}
    status["containerStatuses"] = [container]
    if more.get("preempted"):
        target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
        status["conditions"] = [target]
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "ns",
        "uid": name,
        "creationTimestamp": at(more.get("made", minute)),
        "labels": {} if rank is None else {INDEX: str(rank)},
        "ownerReferences": [{"kind": "Job", "name": "train", "uid": "j1", "controller": True}],
    }
    if "deleted" in more:
        metadata["deletionTimestamp"] = at(more["deleted"])
    spec = {"nodeName": "gpu-1", "restartPolicy": "OnFailure"}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status}, Pod)


class Watched:
    """A cache that remembers, and the job as it was told last."""

    def __init__(self) -> None:
        self.memory = AttemptMemory()
        self.cache = JobCache("lab", KubernetesSettings(), memory=self.memory, clock=lambda: NOW)
        self.job: Job | None = None
        self.put(job())

    def put(self, *items: Any) -> tuple[Attempt, ...]:
        return self._apply(Delta(items))

    def gone(self, *uids: str, last: tuple[Any, ...] = ()) -> tuple[Attempt, ...]:
        return self._apply(Delta((), uids, last))

    def _apply(self, delta: Delta[Any]) -> tuple[Attempt, ...]:
        self.cache.apply(delta)
        for told in self.cache.drain(complete=True)[0]:
            self.job = told
        assert self.job
        return self.job.attempts


def short(attempts: tuple[Attempt, ...]) -> list[tuple[int, int, str, bool]]:
    return [(a.number, a.rank, a.pod, a.log_gone) for a in attempts]


def test_a_preempted_attempt_stays_when_its_pod_is_gone():
    seen = Watched()
    seen.put(pod("a", 3))
    seen.put(pod("a", 3, preempted=True, deleted=9))
    assert short(seen.gone("a")) == [(1, 0, "a", True)]
    first = seen.put(pod("b", 12))[0]
    assert short(seen.put()) == [(1, 0, "a", True), (2, 0, "b", False)]
    assert (first.started, first.finished) == (NOW.replace(minute=3), NOW.replace(minute=9))
    assert first.reason == PREEMPTED
    assert seen.job
    assert (seen.job.started, seen.job.restarts) == (NOW.replace(minute=3), 1)


@pytest.mark.parametrize(
    ("before", "last", "finished", "exit_code", "reason"),
    [
        (pod("a", 3), (), 30, None, "how it ended was not seen"),
        (pod("a", 3, deleted=20), (), 20, None, "how it ended was not seen"),
        (pod("a", 3, deleted=59), (), 30, None, "how it ended was not seen"),
        (pod("a", 3, ended=137), (), 4, 137, "exit 137 (SIGKILL)"),
        (pod("a", 3), (pod("a", 3, ended=143, preempted=True),), 4, 143, PREEMPTED),
        (pod("a", 3), (pod("a", 3, ended=0),), 4, 0, ""),
    ],
)
def test_the_end_is_what_was_seen_last(
    before: Pod, last: tuple[Pod, ...], finished: int, exit_code: int | None, reason: str
) -> None:
    seen = Watched()
    seen.put(before)
    (attempt,) = seen.gone("a", last=last)
    assert (attempt.finished, attempt.exit_code) == (NOW.replace(minute=finished), exit_code)
    assert attempt.reason == reason


def evicted(status: str) -> Workload:
    message = (
        "Preempted to accommodate a workload (UID: w, JobUID: j) due to prioritization in the ClusterQueue"
    )
    conditions = [
        {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(29)}
        for kind, reason in (("Evicted", "Preempted"), ("Preempted", "InClusterQueue"))
    ]
    metadata = {"name": "w", "namespace": "ns", "uid": "w", "labels": {JOB_UID: "j1"}}
    return msgspec.convert({"metadata": metadata, "status": {"conditions": conditions}}, Workload)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("True", "gave way to a job with priority over it at 14:29 UTC"),
        ("False", "how it ended was not seen"),
    ],
)
def test_what_its_queue_takes_away_ended_by_that(status: str, reason: str) -> None:
    seen = Watched()
    seen.put(pod("a", 3))
    seen.put(evicted(status))
    (attempt,) = seen.gone("a")
    assert attempt.reason == reason
    assert (attempt.evicted and attempt.evicted.how) == ("preempted" if status == "True" else None)


@pytest.mark.parametrize(("ended", "how"), [(28, None), (29, "preempted"), (30, "preempted")])
def test_what_had_ended_before_its_queue_took_the_job_away_was_not_taken(ended: int, how: str | None) -> None:
    """One that is ended by it has an exit code too: of the signal, or of its own."""
    seen = Watched()
    seen.put(pod("a", 3))
    seen.put(evicted("True"))
    seen.put(pod("a", ended - 1, made=3, ended=143, phase="Failed"))
    (attempt,) = seen.gone("a")
    assert attempt.exit_code == 143
    assert (attempt.evicted and attempt.evicted.how) == how


def test_of_a_pod_that_was_started_again_only_the_last_start_was_taken() -> None:
    seen = Watched()
    seen.put(pod("a", 3))
    seen.put(pod("a", 5, made=3, restarts=1))
    seen.put(evicted("True"))
    evictions = [attempt.evicted for attempt in seen.gone("a")]
    assert [one and one.how for one in evictions] == [None, "preempted"]


def test_a_pod_that_never_started_leaves_no_trace():
    seen = Watched()
    seen.put(pod("a", 3, started=False))
    assert seen.gone("a") == ()
    assert short(seen.put(pod("b", 4))) == [(1, 0, "b", False)]


def test_a_failed_pod_that_is_older_than_the_one_that_went_keeps_its_number():
    seen = Watched()
    seen.put(pod("a", 1, ended=1, phase="Failed"), pod("b", 5))
    seen.gone("b")
    assert short(seen.put(pod("c", 9))) == [(1, 0, "a", False), (2, 0, "b", True), (3, 0, "c", False)]


def test_ranks_keep_their_own():
    seen = Watched()
    seen.put(pod("a0", 1, rank=0), pod("a1", 1, rank=1))
    seen.gone("a1", "a0")
    found = seen.put(pod("b0", 5, rank=0), pod("b1", 5, rank=1))
    assert short(found) == [(1, 0, "a0", True), (1, 1, "a1", True), (2, 0, "b0", False), (2, 1, "b1", False)]


def test_the_attempts_of_a_crash_loop_stay_though_the_node_reports_two():
    seen = Watched()
    for restarts in range(4):
        found = seen.put(pod("a", restarts + 1, made=1, restarts=restarts))
    assert short(found) == [(1, 0, "a", True), (2, 0, "a", True), (3, 0, "a", False), (4, 0, "a", False)]
    assert [a.exit_code for a in found] == [1, 1, 1, None]
    found = seen.gone("a")
    assert short(found) == [(n, 0, "a", True) for n in (1, 2, 3, 4)]
    assert short(seen.put(pod("b", 9)))[-1] == (5, 0, "b", False)


def test_a_log_has_the_number_that_the_list_shows():
    seen = Watched()
    seen.put(pod("a", 1))
    seen.gone("a")
    b = pod("b", 5, restarts=1)
    found = seen.put(b)
    runs = runs_by_rank([b], seen.memory.of("j1"))[0]
    assert [run.attempt for run in runs] == [2, 3]
    assert [a.number for a in found if not a.log_gone] == [2, 3]


def test_a_job_that_is_gone_is_forgotten_and_a_namesake_has_no_past():
    seen = Watched()
    seen.put(pod("a", 1))
    seen.gone("a")
    seen.cache.apply(Delta((), ("j1",)))
    assert seen.memory.of("j1") == {}
    assert seen.put(job("j2")) == ()


def test_pods_that_go_after_their_job_are_not_kept():
    seen = Watched()
    seen.put(pod("a", 1))
    seen.gone("j1")
    seen.gone("a")
    assert seen.memory.of("j1") == {}


def test_no_more_than_some_are_kept_and_numbers_go_on():
    seen = Watched()
    for number in range(1, 26):
        found = seen.put(pod(f"p{number:02}", number))
        assert found[-1].number == number
        found = seen.gone(f"p{number:02}")
        assert found[-1].number == number
    assert [a.number for a in found] == list(range(16, 26))
    assert len(seen.memory.of("j1")) == attempt_memory.KEPT


def test_of_too_many_jobs_the_first_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attempt_memory, "MOST_PODS", 30)
    memory = AttemptMemory()
    for number in range(100):
        memory.keep_gone(f"j{number}", pod(f"p{number}", 1), 0, NOW)
    assert [uid for uid in (f"j{n}" for n in range(100)) if memory.of(uid)] == [
        f"j{n}" for n in range(70, 100)
    ]


def test_what_took_a_pod_away_stays_known() -> None:
    seen = Watched()
    seen.put(pod("p1", 1))
    seen.put(pod("p1", 1, preempted=True, deleted=2))
    taken = Eviction(how="preempted", why=PREEMPTED)
    assert [attempt.evicted for attempt in seen.gone("p1")] == [taken]
    seen.put(pod("p2", 3))
    assert [attempt.evicted for attempt in seen.gone("p2")] == [taken, None]


@given(st.lists(st.sampled_from(["start", "restart", "gone", "fail"]), max_size=25))
def test_what_was_seen_of_an_ended_attempt_never_changes(steps: list[str]) -> None:
    """But for its log, which goes; and no attempt takes the number of another."""
    seen, known = Watched(), {}
    minute, current, restarts, begun = 1, "", 0, 0
    for step in steps:
        minute += 1
        if step == "start" and not current:
            current, restarts, begun = f"p{minute:02}", 0, minute
            found = seen.put(pod(current, minute))
        elif step == "restart" and current:
            restarts, begun = restarts + 1, minute
            found = seen.put(pod(current, minute, made=int(current[1:]), restarts=restarts))
        elif step == "fail" and current:
            made = int(current[1:])
            found = seen.put(pod(current, begun, made=made, restarts=restarts, ended=1, phase="Failed"))
            current = ""
        elif step == "gone" and current:
            found, current = seen.gone(current), ""
        else:
            continue
        ended = {a.number: (a.pod, a.finished) for a in found if a.finished}
        numbers = [a.number for a in found]
        assert numbers == sorted(set(numbers))
        kept = {number: end for number, end in known.items() if number in ended}
        assert len(known) - len(kept) <= max(0, len(known) - attempt_memory.KEPT)
        assert all(ended[number] == end for number, end in kept.items())
        known = ended


def test_time_between_tries_is_known_from_what_was_seen():
    seen = Watched()
    seen.put(pod("a", 3, preempted=True, deleted=9))
    seen.gone("a")
    first, second = seen.put(pod("b", 12))
    assert second.started
    assert first.finished
    assert second.started - first.finished == timedelta(minutes=3)
