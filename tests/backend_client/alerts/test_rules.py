"""Every rule: when it fires, when it recovers, and each guard under which it does not."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend_client.alerts.rules import RULES
from backend_client.models import (
    Attempt,
    Eviction,
    Job,
    JobSpec,
    JobState,
    JobUsage,
    Pause,
    QueuePlace,
    StartRange,
)
from backend_client.models.alert_thresholds import THRESHOLDS
from tests.backend_client.alerts.support.story import (
    BUSY,
    IDLE,
    ONE_IDLE,
    SPEC,
    Step,
    minute,
    play,
    running,
    steps,
    told,
)

ONE_GPU = replace(SPEC, gpus=1)
LIMITED = replace(SPEC, memory="10Gi", nodes=2)
TIMED = replace(SPEC, max_runtime=10 * 3600)


def usage(value: JobUsage | None) -> dict[str, Any]:
    return {"usage": value}


def using(gib: float) -> dict[str, Any]:
    return {"usage": JobUsage(gpu=0.9, gpu_min=0.9, memory=int(gib * 2**30))}


def error(xid: int) -> dict[str, Any]:
    return {"usage": replace(BUSY, xid=xid)}


def queued(**more: Any) -> dict[str, Any]:
    return {"state": JobState.QUEUED, "queue": QueuePlace(queue="q", **more)}


def moving(first: int, last: int, every: float = 1, **more: Any) -> list[Step]:
    """Progress from a minute to another."""
    count = int((last - first) / every)
    return [(first + n * every, steps(100 + n + first, **more)) for n in range(count)]


def losses(*values: Any, at: float = 60, first: int = 100) -> list[Step]:
    return [(at + n, steps(first + n, value)) for n, value in enumerate(values)]


def idle_part(*parts: str) -> dict[str, Any]:
    return {"usage": replace(ONE_IDLE, idle=parts)}


def turns(first: int, last: int, *parts: tuple[str, ...]) -> list[Step]:
    """Every five minutes other parts do nothing."""
    return [(at, idle_part(*parts[at // 5 % len(parts)])) for at in range(first, last, 5)]


START_BUSY: list[Step] = [(0, running()), (1, usage(BUSY))]
IDLE_FROM_90: list[Step] = [*START_BUSY, (90, usage(IDLE))]
SOON = StartRange(minute(600), minute(700))

FIRES: list[Any] = [
    # failed, finished
    (
        "failed",
        [(0, running()), (9, {"state": JobState.FAILED, "reason": "exit 1"})],
        {},
        [(9, "bert failed: exit 1")],
    ),
    (
        "failed",
        [(0, running()), (9, {"state": JobState.FAILED, "reason": "exit 1: KeyError: 'x'"})],
        {},
        [(9, "bert failed: exit 1")],
    ),
    (
        "finished",
        [(0, running()), (180, {"state": JobState.SUCCEEDED, "finished": minute(180)})],
        {"finished": "on"},
        [(180, "bert finished after 3 h")],
    ),
    # pending
    ("pending", [], {}, [(240, "bert has waited for 4 h")]),
    ("pending", [], {"pending": "30m"}, [(30, "bert has waited for 30 min")]),
    (
        "pending",
        [(0, {"reason": "can never start here: asks 64 GPUs, its queue has at most 24"})],
        {},
        [(5, "bert can never start here: asks 64 GPUs, its queue has at most 24")],
    ),
    ("pending", [(0, {"pauses": (Pause(minute(0), minute(100)),)})], {}, [(340, "bert has waited for 4 h")]),
    # gpu-idle
    ("gpu-idle", IDLE_FROM_90, {}, [(120, "none of the 8 GPUs of bert was used for 30 min")]),
    ("gpu-idle", IDLE_FROM_90, {"gpu-idle": "1h"}, [(150, "none of the 8 GPUs of bert was used for 60 min")]),
    (
        "gpu-idle",
        [(0, running()), (1, usage(IDLE))],
        {},
        [(90, "bert has used none of the 8 GPUs so far, for 89 min since it started")],
    ),
    (
        "gpu-idle",
        [*START_BUSY, (10, usage(IDLE))],
        {},
        [(60, "none of the 8 GPUs of bert was used for 50 min")],
    ),
    (
        "gpu-idle",
        [*IDLE_FROM_90, (93, steps(7, phase="evaluating"))],
        {},
        [(150, "none of the 8 GPUs of bert was used for 60 min")],
    ),
    (
        "gpu-idle",
        [*IDLE_FROM_90, *moving(90, 300)],
        {},
        [(150, "none of the 8 GPUs of bert was used for 60 min")],
    ),
    (
        "gpu-idle",
        [*IDLE_FROM_90, *moving(89, 92)],
        {},
        [(120, "none of the 8 GPUs of bert was used for 30 min")],
    ),
    # a gap in the figures, and one in the watch, do not count
    (
        "gpu-idle",
        [*IDLE_FROM_90, (100, usage(None)), (102, usage(IDLE))],
        {},
        [(122, "none of the 8 GPUs of bert was used for 32 min")],
    ),
    (
        "gpu-idle",
        [*IDLE_FROM_90, (100, "stale"), (103, "live")],
        {},
        [(123, "none of the 8 GPUs of bert was used for 30 min")],
    ),
    (
        "gpu-idle",
        [*IDLE_FROM_90, (100, "stale"), (110, "live")],
        {},
        [(140, "none of the 8 GPUs of bert was used for 40 min")],
    ),
    (
        "gpu-idle",
        [*IDLE_FROM_90, (100, ("asleep", 10))],
        {},
        [(140, "none of the 8 GPUs of bert was used for 40 min")],
    ),
    # rank-idle
    (
        "rank-idle",
        [*START_BUSY, (90, usage(ONE_IDLE))],
        {},
        [(120, "for 30 min a GPU of the 8 of bert was not used, while all together were used 80%")],
    ),
    (
        "rank-idle",
        [*START_BUSY, (90, usage(ONE_IDLE)), (91, steps(1, phase="saving"))],
        {},
        [(150, "for 60 min a GPU of the 8 of bert was not used, while all together were used 80%")],
    ),
    (
        "rank-idle",
        [*START_BUSY, *turns(90, 200, ("5",), ("3", "5"))],
        {},
        [(120, "for 30 min a GPU of rank 5 of bert was not used, while all together were used 80%")],
    ),
    (
        "rank-idle",
        [*START_BUSY, (90, idle_part("0/3"))],
        {},
        [(120, "for 30 min GPU 3 of bert was not used, while all together were used 80%")],
    ),
    # silent
    (
        "silent",
        [*START_BUSY, *moving(60, 64)],
        {},
        [(93, "the log of bert has told no progress for 30 min (step 163)")],
    ),
    (
        "silent",
        [*START_BUSY, *moving(60, 200, 15)],
        {},
        [(225, "the log of bert has told no progress for 45 min (step 168)")],
    ),
    (
        "silent",
        [*START_BUSY, *moving(60, 64), (64, steps(163, phase="evaluating"))],
        {},
        [(153, "the log of bert has told no progress for 90 min (step 163)")],
    ),
    (
        "silent",
        [*START_BUSY, *moving(60, 64), (70, "stale"), (75, "live")],
        {},
        [(98, "the log of bert has told no progress for 30 min (step 163)")],
    ),
    # loss
    ("loss", [*START_BUSY, *losses(1.0, "nan", "nan")], {}, [(62, "the loss of bert is nan since step 101")]),
    (
        "loss",
        [*START_BUSY, *losses(1.0, "inf", "inf", 1.0, 1.0)],
        {},
        [(62, "the loss of bert is inf since step 101")],
    ),
    (
        "loss",
        [*START_BUSY, *losses(*[1.0] * 12, 40.0, 50.0, 60.0)],
        {},
        [(74, "the loss of bert is 60; it was 1")],
    ),
    # restarts
    (
        "restarts",
        [(0, running()), (9, running(5, 9, restarts=4, reason="exit 1: no file"))],
        {},
        [(9, "bert was started again 4 times, now: exit 1")],
    ),
    (
        "restarts",
        [(0, running()), (9, running(2, 9, restarts=1))],
        {"restarts": "0"},
        [(9, "bert was started again 1 time")],
    ),
    # max-runtime
    (
        "max-runtime",
        [(0, running()), *moving(500, 560, seconds_left=9000)],
        {},
        [(540, "bert is ended in 60 min (max_runtime 10 h); it needs 2 h 30 min more")],
    ),
    (
        "max-runtime",
        [(0, running()), *moving(500, 560, seconds_left=9000)],
        {"max-runtime": "90m"},
        [(510, "bert is ended in 90 min (max_runtime 10 h); it needs 2 h 30 min more")],
    ),
    # xid
    (
        "xid",
        [(0, running()), (1, error(0)), (50, error(79))],
        {},
        [(50, "a GPU of bert had the error XID 79")],
    ),
    (
        "xid",
        [(0, running()), (1, error(13)), (50, error(79))],
        {},
        [(50, "a GPU of bert had the error XID 79")],
    ),
    # node
    (
        "node",
        [(0, running()), (9, {"reason": "its node gpu-7 does not answer"})],
        {},
        [(9, "bert: its node gpu-7 does not answer")],
    ),
    (
        "node",
        [(0, running()), (9, {**queued(), "reason": "gave way to llama with priority over it"})],
        {},
        [(9, "bert was taken off its GPUs and waits again: gave way to llama with priority over it")],
    ),
    (
        "node",
        [
            (0, running()),
            (
                9,
                {
                    "state": JobState.PENDING,
                    "attempts": (
                        Attempt(
                            number=1,
                            evicted=Eviction(how="evicted", why="was moved off its node gpu-7 (drain)"),
                        ),
                    ),
                },
            ),
        ],
        {},
        [(9, "bert was moved off its node gpu-7 (drain); it is tried again")],
    ),
    # memory
    ("memory", [(0, running()), (9, using(19.5))], {}, [(14, "bert uses 98% of its memory (10Gi a node)")]),
    (
        "memory",
        [(0, running()), (9, using(17))],
        {"memory": "80%"},
        [(14, "bert uses 85% of its memory (10Gi a node)")],
    ),
]
"""(rule, story, wishes, the minutes and sentences of what fires)."""


def spec_of(rule: str) -> JobSpec:
    return {"max-runtime": TIMED, "memory": LIMITED}.get(rule, SPEC)


@pytest.mark.parametrize(("rule", "story", "wishes", "expected"), FIRES)
def test_fires(rule: str, story: list[Step], wishes: dict[str, str], expected: list[tuple[float, str]]):
    said = [t for t in play(story, 560, wishes=wishes, spec=spec_of(rule)) if t.rule == rule]
    fired = [t for t in said if t.state.value == "firing"]
    assert [((t.at - minute(0)) / timedelta(minutes=1), t.sentence) for t in fired] == expected


SHELL = replace(SPEC, command=("bash", "-c", "sleep infinity"))
SERVICE = replace(SPEC, kind="deployment")

QUIET: list[Any] = [
    ("failed", "a person stopped it", [(0, running()), (9, {"state": JobState.STOPPED})], SPEC),
    (
        "failed",
        "it is tried again",
        [(0, running()), (9, {"state": JobState.FAILED, "next_try": minute(99)})],
        SPEC,
    ),
    ("finished", "off where nobody wants it", [(0, running()), (9, {"state": JobState.SUCCEEDED})], SPEC),
    ("pending", "its start is foreseen", [(0, queued(starts=SOON))], SPEC),
    ("pending", "the time of its next try is known", [(0, queued(requeue_at=minute(900)))], SPEC),
    ("pending", "a person holds it", [(0, queued(held=True))], SPEC),
    ("pending", "it runs", [(200, running(at=200))], SPEC),
    ("gpu-idle", "the first hour", [*START_BUSY, (20, usage(IDLE)), (55, usage(BUSY))], SPEC),
    (
        "gpu-idle",
        "a blip of use",
        [*IDLE_FROM_90, *[(90 + n * 25, usage(BUSY if n % 2 else IDLE)) for n in range(16)]],
        SPEC,
    ),
    (
        "gpu-idle",
        "an evaluation of 50 min",
        [*IDLE_FROM_90, (93, steps(7, phase="evaluating")), (140, usage(BUSY))],
        SPEC,
    ),
    ("gpu-idle", "a shell", IDLE_FROM_90, SHELL),
    ("gpu-idle", "a service", IDLE_FROM_90, SERVICE),
    ("gpu-idle", "no GPU", [*START_BUSY, (90, usage(IDLE))], replace(SPEC, gpus=0)),
    ("gpu-idle", "no figures", [*START_BUSY, (90, usage(None))], SPEC),
    (
        "gpu-idle",
        "half of the figures are missing",
        [*IDLE_FROM_90, *[(90 + n * 5, usage(IDLE if n % 2 else None)) for n in range(110)]],
        SPEC,
    ),
    ("gpu-idle", "the watch is stale", [*IDLE_FROM_90, (115, "stale")], SPEC),
    ("gpu-idle", "nobody looked", [*IDLE_FROM_90, (100, ("asleep", 250)), (351, usage(BUSY))], SPEC),
    ("gpu-idle", "it is being stopped", [*IDLE_FROM_90, (110, {"state": JobState.STOPPING})], SPEC),
    (
        "gpu-idle",
        "a new attempt has its own first hour",
        [*IDLE_FROM_90, (110, running(2, 110)), (111, usage(BUSY)), (112, usage(IDLE)), (165, usage(BUSY))],
        SPEC,
    ),
    ("rank-idle", "all are idle", IDLE_FROM_90, SPEC),
    ("rank-idle", "the others do little", [*START_BUSY, (90, usage(JobUsage(gpu=0.1, gpu_min=0.0)))], SPEC),
    ("rank-idle", "they work by turns", [*START_BUSY, *turns(90, 605, ("0", "1"), ("2", "3"))], SPEC),
    ("rank-idle", "one GPU", [*START_BUSY, (90, usage(JobUsage(gpu=0.5, gpu_min=0.0)))], ONE_GPU),
    ("rank-idle", "its least is unknown", [*START_BUSY, (90, usage(JobUsage(gpu=0.8)))], SPEC),
    ("silent", "nothing was ever told", START_BUSY, SPEC),
    ("silent", "it told one line", [*START_BUSY, (60, steps(1))], SPEC),
    ("silent", "it pauses so long again and again", [*START_BUSY, *moving(60, 600, 29)], SPEC),
    ("silent", "the watch is stale", [*START_BUSY, *moving(60, 64), (70, "stale")], SPEC),
    ("silent", "it has ended", [*START_BUSY, *moving(60, 64), (70, {"state": JobState.SUCCEEDED})], SPEC),
    ("loss", "nan once", [*START_BUSY, *losses(1.0, "nan", 1.0, "nan", 1.0)], SPEC),
    ("loss", "the first steps", [*START_BUSY, *losses("nan", "nan", "nan", first=0)], SPEC),
    ("loss", "a spike", [*START_BUSY, *losses(*[1.0] * 12, 80.0, 70.0, 1.0, 1.0)], SPEC),
    ("loss", "it wobbles", [*START_BUSY, *losses(*[1.0, 9.0] * 6, 15.0, 15.0, 15.0)], SPEC),
    ("loss", "a loss below 0", [*START_BUSY, *losses(*[-1.0] * 12, 40.0, 50.0, 60.0)], SPEC),
    ("restarts", "as often as allowed", [(0, running()), (9, running(4, 9, restarts=3))], SPEC),
    (
        "restarts",
        "its node took it down",
        [
            (0, running()),
            (
                9,
                {
                    "restarts": 4,
                    "attempts": (
                        *(Attempt(number=n, evicted=Eviction(how="evicted", why="drained")) for n in (1, 2)),
                        Attempt(number=5, started=minute(9)),
                    ),
                },
            ),
        ],
        SPEC,
    ),
    ("max-runtime", "it will be done in time", [(0, running()), *moving(500, 590, seconds_left=60)], TIMED),
    ("max-runtime", "how long it takes is unknown", [(0, running()), *moving(500, 590)], TIMED),
    ("max-runtime", "no limit", [(0, running()), *moving(500, 590, seconds_left=9e6)], SPEC),
    ("xid", "an error of before", [(0, running()), (1, error(79))], SPEC),
    ("xid", "unknown", [(0, running()), (1, usage(JobUsage(gpu=0.5)))], SPEC),
    (
        "node",
        "it crashed and is tried again",
        [
            (0, running()),
            (9, {"state": JobState.PENDING, "attempts": (Attempt(number=1, exit_code=1, reason="exit 1"),)}),
        ],
        SPEC,
    ),
    (
        "node",
        "a person stopped and resumed it",
        [(0, running()), (9, {"state": JobState.STOPPED}), (12, queued())],
        SPEC,
    ),
    ("memory", "four minutes", [(0, running()), (9, using(19.9)), (13, using(12))], LIMITED),
    ("memory", "no limit", [(0, running()), (9, using(999))], SPEC),
    ("memory", "a gap", [(0, running()), (9, using(19.9)), (12, usage(None)), (100, using(1))], LIMITED),
]
"""(rule, guard, story, spec): it never fires."""


@pytest.mark.parametrize(
    ("rule", "guard", "story", "spec"), QUIET, ids=[f"{case[0]}: {case[1]}" for case in QUIET]
)
def test_does_not_fire(rule: str, guard: str, story: list[Step], spec: JobSpec):
    assert [t for t in play(story, 600, spec=spec) if t.rule == rule and rule != "pending"] == []
    assert guard


@pytest.mark.parametrize(("rule", "guard", "story", "spec"), [case for case in QUIET if case[0] == "pending"])
def test_does_not_wait_too_long(rule: str, guard: str, story: list[Step], spec: JobSpec):
    """Within the time that it is foreseen."""
    assert [t for t in play(story, 590, spec=spec) if t.rule == rule] == [], guard


def test_a_log_that_nobody_reads_is_not_silent():
    story = [*START_BUSY, *moving(60, 64)]
    assert "silent" not in {t.rule for t in play(story, 600, log_read=lambda _job, _now: None)}


def test_a_log_that_is_read_every_20_minutes_is_silent_at_the_read_that_shows_it():
    """Progress goes on until minute 160; it is as if nobody had looked between two reads."""

    def log_read(_job: Job, now: datetime) -> datetime | None:
        reads = [minute(at) for at in range(60, 600, 20) if minute(at + 0.5) <= now]
        return max(reads, default=None)

    story = [*START_BUSY, *moving(60, 180, 20)]
    said = [t for t in play(story, 600, log_read=log_read) if t.rule == "silent"]
    assert [t.sentence for t in said] == ["the log of bert has told no progress for 40 min (step 165)"]
    assert minute(200) < said[0].at <= minute(206)


def test_a_log_that_comes_into_sight_has_a_minute_to_tell_what_it_has():
    def log_read(_job: Job, now: datetime) -> datetime | None:
        return now if now < minute(65) or now >= minute(300) else None

    unread = [*START_BUSY, *moving(60, 64), (300.5, steps(900)), (301, steps(901))]
    said = [t for t in play(unread, 320, log_read=log_read) if t.rule == "silent"]
    assert said == []


RECOVERS: list[Any] = [
    ("failed", [(0, running()), (9, {"state": JobState.FAILED}), (20, running(2, 20))], [9, 20]),
    ("pending", [(300, running(at=300))], [240, 300]),
    ("gpu-idle", [*IDLE_FROM_90, (150, usage(BUSY))], [120, 150]),
    ("gpu-idle", [*IDLE_FROM_90, (150, usage(None)), (170, usage(BUSY))], [120, 170]),
    ("gpu-idle", [*IDLE_FROM_90, (150, "stale"), (170, usage(BUSY)), (171, "live")], [120, 171]),
    ("gpu-idle", [*IDLE_FROM_90, (150, {"state": JobState.STOPPED})], [120, 150]),
    ("gpu-idle", [*IDLE_FROM_90, (150, running(2, 150)), (151, usage(BUSY))], [120, 150]),
    ("gpu-idle", [*IDLE_FROM_90, (150, usage(BUSY)), (160, usage(IDLE))], [120, 150, 190]),
    ("rank-idle", [*START_BUSY, (90, usage(ONE_IDLE)), (130, usage(BUSY))], [120, 130]),
    ("silent", [*START_BUSY, *moving(60, 64), (100, steps(999))], [93, 100, 211]),
    ("loss", [*START_BUSY, *losses(1.0, "nan", "nan", 1.0, 1.0, "nan", "nan")], [62, 64]),
    ("restarts", [(0, running()), (9, running(5, 9, restarts=4))], [9, 69]),
    (
        "xid",
        [(0, running()), (1, error(0)), (50, error(79)), (90, running(2, 90)), (91, error(79))],
        [50, 90],
    ),
    ("node", [(0, running()), (9, {"reason": "its node gpu-7 is not ready"}), (12, {"reason": ""})], [9, 12]),
    ("memory", [(0, running()), (9, using(19.5)), (30, using(12))], [14, 30]),
]
"""(rule, story, the minutes at which it fires and recovers, in turn)."""


@pytest.mark.parametrize(("rule", "story", "expected"), RECOVERS)
def test_recovers(rule: str, story: list[Step], expected: list[float]):
    said = [entry for entry in told(play(story, 400, spec=spec_of(rule))) if entry[0] == rule]
    assert [at for _, _, at in said] == expected
    assert [state for _, state, _ in said] == (["firing", "recovered"] * 2)[: len(expected)]


def test_a_job_that_asks_for_it_itself_is_watched_although_it_is_a_shell():
    spec = replace(SHELL, alerts={"gpu-idle": "20m"})
    assert ("gpu-idle", "firing", 110) in told(play(IDLE_FROM_90, 200, spec=spec))


def test_the_table_has_every_threshold_and_a_case_for_each_rule():
    ids = [rule.id for rule in RULES]
    assert ids == list(THRESHOLDS)
    assert {case[0] for case in FIRES} == set(ids) == {case[0] for case in QUIET}
