"""The engine over random stories: never twice, restarted at any point, silent in gaps."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from backend_client.alerts.alert import AlertState
from backend_client.alerts.engine import SLICE, AlertEngine, OpenEpisode, Transition
from backend_client.alerts.rules import RULES
from backend_client.models import Job, JobRef, JobState, JobUsage
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced
from tests.backend_client.alerts.support.story import (
    BUSY,
    IDLE,
    ONE_IDLE,
    REF,
    SPEC,
    START,
    Watch,
    minute,
    play,
    running,
    steps,
    told,
)

CHANGES: list[Any] = [
    running(1, 0),
    running(2, 60),
    running(9, 90, restarts=8),
    {"state": JobState.QUEUED, "reason": "waits for quota"},
    {"state": JobState.FAILED, "reason": "exit 1"},
    {"state": JobState.SUCCEEDED},
    {"state": JobState.STOPPED},
    {"usage": BUSY},
    {"usage": IDLE},
    {"usage": ONE_IDLE},
    {"usage": JobUsage(gpu=0.5, gpu_min=0.5, xid=79)},
    {"usage": None},
    {"reason": "its node gpu-7 does not answer"},
    {"reason": ""},
    *[steps(100 + n, loss) for n, loss in enumerate([1.0, "nan", "nan", 1.0, "inf"])],
    steps(200, phase="evaluating"),
    "stale",
    "live",
    ("asleep", 20),
]
STORIES = st.lists(st.tuples(st.integers(0, 500), st.sampled_from(CHANGES)), max_size=40)
ALL_ON = {"finished": "on", "gpu-idle": "10m", "rank-idle": "10m", "silent": "10m", "pending": "20m"}
FROM_STATE_ALONE = {"failed", "finished", "pending", "restarts"}
"""Rules that need nothing which is forgotten at a restart."""


def check_in_turn(said: list[Transition]) -> None:
    """Each episode fires, then recovers, then comes the next."""
    by_key: dict[Any, list[Transition]] = defaultdict(list)
    for transition in said:
        by_key[transition.rule, transition.job.uid, transition.attempt].append(transition)
    for transitions in by_key.values():
        states = [t.state for t in transitions]
        assert states == ([AlertState.FIRING, AlertState.RECOVERED] * len(states))[: len(states)]
        assert [t.episode for t in transitions] == [1 + n // 2 for n in range(len(states))]
        assert [t.at for t in transitions] == sorted(t.at for t in transitions)


@given(STORIES)
def test_nothing_fires_twice_without_a_recovery_between(story: list[Any]):
    check_in_turn(play(story, 620, wishes=ALL_ON))


@given(STORIES)
def test_the_same_story_is_told_the_same(story: list[Any]):
    assert play(story, 300, wishes=ALL_ON) == play(story, 300, wishes=ALL_ON)


def stored(said: list[Transition]) -> list[OpenEpisode]:
    """What a server has in its tables: the newest episode of each rule and attempt."""
    newest = {(t.rule, t.job.uid, t.attempt): t for t in said}
    return [
        OpenEpisode(
            rule=t.rule,
            job=t.job,
            attempt=t.attempt,
            episode=t.episode,
            firing=t.state is AlertState.FIRING,
        )
        for t in newest.values()
    ]


def play_with_restarts(story: list[Any], restarts: set[int], until: int) -> list[Transition]:
    """Play a story; at each of these minutes the engine dies, and a new one has only what was stored."""
    story = sorted((step for step in story if isinstance(step[1], dict)), key=lambda step: step[0])
    said: list[Transition] = []
    job = Job(ref=REF, state=JobState.QUEUED, spec=SPEC, created=START)
    engine = AlertEngine(lambda _: ALL_ON, log_read=lambda _, now: now)
    watch = Watch(engine, job)
    watch.begin()
    for half in range(until * 2 + 1):
        now = half / 2
        if now in restarts:
            engine = AlertEngine(lambda _: ALL_ON, stored(said), log_read=lambda _, now: now)
            watch = Watch(engine, watch.job)
            watch.begin(minute(now))
        for at, change in story:
            if at == now:
                finished = {"finished": minute(now)} if change.get("state") in ENDS else {}
                watch.tell({**change, **finished}, minute(now))
        said += engine.tick(minute(now))
    return said


ENDS = (JobState.FAILED, JobState.SUCCEEDED)


@given(STORIES, st.sets(st.integers(1, 299), max_size=3))
def test_a_restart_at_any_point_repeats_nothing_and_forgets_nothing(story: list[Any], restarts: set[int]):
    without = play_with_restarts(story, set(), 300)
    restarted = play_with_restarts(story, restarts, 300)
    check_in_turn(restarted)
    for rule in FROM_STATE_ALONE:
        assert told([t for t in restarted if t.rule == rule]) == told([t for t in without if t.rule == rule])


@given(STORIES, st.integers(0, 200))
def test_gaps_never_fire(story: list[Any], begins: int):
    """While the watch is stale, whatever its last words were, nothing is said."""
    story = [step for step in story if step[1] != "live" and step[0] <= begins]
    said = play([*story, (begins, "stale")], begins + 400, wishes=ALL_ON)
    assert [t for t in said if t.at >= minute(begins)] == []


@given(st.lists(st.tuples(st.integers(100, 400), st.sampled_from([None, IDLE]))))
def test_a_timer_counts_only_what_was_seen(figures: list[Any]):
    """Idle in all that was seen: it fires after 30 minutes of figures at the earliest."""
    story = [(0, running()), (1, {"usage": BUSY}), (100, {"usage": None})]
    story += [(at, {"usage": figure}) for at, figure in figures]
    told_usage, seen, idle_after = None, 0.0, None
    changes = {float(at): figure for at, figure in sorted(figures, key=lambda step: step[0])}
    for half in range(200, 1200):
        if told_usage is not None:
            seen += 0.5
            idle_after = half / 2 if seen >= 30 and idle_after is None else idle_after
        told_usage = changes.get(half / 2, told_usage)
    fired = [at for rule, _, at in told(play(story, 600)) if rule == "gpu-idle"]
    assert all(idle_after is not None and at >= idle_after for at in fired)


def test_what_fired_before_a_restart_and_is_gone_ends():
    old = JobRef("c", "ns", "job", "old", "uid-old")
    engine = AlertEngine(lambda _: {}, [OpenEpisode(rule="gpu-idle", job=old, attempt=2, episode=3)])
    Watch(engine).begin()
    (ended,) = engine.tick(START)
    assert (ended.job, ended.attempt, ended.episode, ended.state) == (old, 2, 3, AlertState.RECOVERED)
    assert ended.quiet


def test_a_job_that_is_gone_ends_its_episodes():
    said = play([(0, running()), (1, {"usage": BUSY}), (90, {"usage": IDLE}), (150, "gone")], 200)
    assert told(said) == [("gpu-idle", "firing", 120), ("gpu-idle", "recovered", 150)]
    assert [t.quiet for t in said] == [False, True]


def test_what_a_list_does_not_name_any_more_is_gone():
    engine = AlertEngine(lambda _: {"pending": "5m"})
    Watch(engine).begin()
    assert [t.rule for t in engine.tick(minute(6))] == ["pending"]
    engine.observe([Snapshot(()), Synced()], minute(7))
    assert [(t.state, t.quiet) for t in engine.tick(minute(7))] == [(AlertState.RECOVERED, True)]


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.SUCCEEDED])
def test_jobs_that_had_ended_before_the_first_look_are_not_told(state: JobState):
    ended = Job(ref=REF, state=state, spec=SPEC, created=START, finished=START)
    engine = AlertEngine(lambda _: {"finished": "on"})
    Watch(engine, ended).begin(minute(9))
    assert engine.tick(minute(9)) == []


def test_a_job_that_comes_and_ends_between_two_events_is_told():
    engine = AlertEngine(lambda _: {})
    engine.observe([Synced(), Freshness(FreshnessState.LIVE, START)], START)
    failed = Job(ref=REF, state=JobState.FAILED, spec=SPEC, created=START, finished=START)
    engine.observe([Changed((failed,))], minute(1))
    assert [t.rule for t in engine.tick(minute(1))] == ["failed"]


def test_a_rule_that_is_switched_off_ends_quietly_and_one_that_is_switched_on_fires():
    wishes = {"pending": "5m"}
    engine = AlertEngine(lambda _: wishes)
    Watch(engine).begin()
    assert engine.tick(minute(6))
    wishes["pending"] = "off"
    engine.wishes_changed()
    assert [(t.state, t.quiet) for t in engine.tick(minute(7))] == [(AlertState.RECOVERED, True)]
    wishes["pending"] = "2m"
    engine.wishes_changed([REF.uid])
    assert [(t.state, t.episode) for t in engine.tick(minute(8))] == [(AlertState.FIRING, 2)]


def test_a_clock_that_is_set_back_stands_still():
    engine = AlertEngine(lambda _: {"pending": "5m"})
    Watch(engine).begin()
    assert engine.tick(minute(4)) == []
    assert engine.tick(minute(-60)) == []
    assert [t.at for t in engine.tick(minute(6))] == [minute(6)]


def test_a_wish_that_cannot_be_read_costs_no_other():
    said = play([], 300, wishes={"pending": "soon", "no-such-rule": "1h", "failed": "off"})
    assert told(said) == [("pending", "firing", 240)]


def test_only_jobs_with_news_or_a_timer_that_is_due_are_looked_at():
    looked: list[str] = []

    def wishes_of(job: Job) -> dict[str, str]:
        looked.append(job.name)
        return {}

    engine = AlertEngine(wishes_of)
    jobs = [
        Job(
            ref=replace(REF, uid=f"u{n}", name=f"j{n}"),
            state=JobState.QUEUED,
            spec=SPEC,
            created=START + timedelta(minutes=n),
        )
        for n in range(50)
    ]
    live = Freshness(FreshnessState.LIVE, minute(50))
    engine.observe([Snapshot(tuple(jobs)), Synced(), live], minute(50))
    assert len(engine.tick(minute(50))) == 0 < len(looked)
    looked.clear()
    engine.observe([Changed((jobs[7],))], minute(51))
    engine.tick(minute(51))
    assert looked == ["j7"]
    looked.clear()
    for half in range(104, 484):
        engine.tick(minute(half / 2))
    assert looked == ["j0", "j1"]


def test_a_tick_comes_in_slices_and_says_the_same():
    failed = [
        Job(ref=replace(REF, uid=f"u{n:04}"), state=JobState.RUNNING, spec=SPEC, created=START)
        for n in range(2 * SLICE + 1)
    ]
    engine = AlertEngine(lambda _: {})
    live = Freshness(FreshnessState.LIVE, START)
    engine.observe([Snapshot(tuple(failed)), Synced(), live], START)
    engine.tick(START)
    engine.observe([Changed(tuple(replace(job, state=JobState.FAILED) for job in failed))], minute(1))
    slices = engine.slices(minute(1))
    parts = [next(slices), next(slices)]
    engine.observe([Gone((failed[-1].ref,))], minute(1))
    parts += slices
    assert [len(part) for part in parts] == [0, SLICE, SLICE, 0]
    uids = [transition.job.uid for part in parts for transition in part]
    assert uids == [job.ref.uid for job in failed[:-1]]
    assert engine.tick(minute(2)) == []


def test_what_is_remembered_of_a_job_is_bounded():
    """A day of news every half minute: no list grows with it, nor does the heap of times."""
    engine = AlertEngine(lambda _: {}, log_read=lambda _, now: now)
    watch = Watch(engine)
    watch.begin()
    watch.tell(running(), START)
    for half in range(4000):
        usage = [BUSY, IDLE, None, ONE_IDLE][half % 4]
        watch.tell({"usage": usage, **steps(half, float(half % 7))}, minute(half / 2))
        engine.tick(minute(half / 2))
    (watched,) = engine._jobs.values()
    lists = [value for value in vars(watched.timeline).values() if isinstance(value, list)]
    lists += [watched.timeline.idle._spans, watched.timeline.one_idle._spans]
    assert max(map(len, lists)) <= 64
    assert len(engine._wakes) <= 1002
    assert len(watched.told) <= len(RULES)
