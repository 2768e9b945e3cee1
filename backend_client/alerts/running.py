"""Rules about a job that runs: its GPUs, its log, its memory, its time (pure)."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from backend_client.alerts.timeline import LossSample, Spans, Timeline, deadline
from backend_client.alerts.verdict import NOT, UNKNOWN, Verdict, span_text

COVERED = 0.9
"""So much of a time must have been seen before it counts."""
_PROGRESS_LAG = timedelta(minutes=3)
"""Progress that moves so shortly after the last use of a GPU tells of before."""
_FEW_MOVES = 3
"""Progress that has moved so seldom says nothing about how often it does."""
_IN_A_PHASE = 3
"""So many times the threshold an evaluation, a checkpoint or loading may be silent."""
_LOOK_AGAIN = timedelta(minutes=5)
_FIRST_STEPS = 10
_NOT_FINITE_IN_A_ROW = 2
_EXPLODED_IN_A_ROW = 3
_FEW_LOSSES = 10
_EXPLODED = 10.0
"""How many times its own median a loss is, at least, that has exploded."""
_MEMORY_SECONDS = 300.0
_LEAST_NOTICE = 600.0


def gpu_idle(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job none of whose GPUs was used for the threshold; twice as long while its log says why."""
    return _idle(timeline, timeline.idle, threshold, now)


def rank_idle(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job of which one GPU was not used for the threshold, while the others were."""
    return _idle(timeline, timeline.one_idle, threshold, now)


def _idle(timeline: Timeline, spans: Spans, threshold: float, now: datetime) -> Verdict:
    job, since = timeline.job, timeline.running_since
    one = spans is timeline.one_idle
    if spans.holds is False:
        return Verdict(False, f"the GPUs of {job.name} are used again")
    start = spans.start
    if start is None or since is None or timeline.gpus == 0:
        return UNKNOWN
    told = _names_phase(timeline) if one else _says_why(timeline, start)
    needed = threshold * (2 if told else 1)
    seen = spans.seconds(now, now - timedelta(seconds=needed / COVERED))
    grace = since + timedelta(seconds=2 * threshold)
    if not (timeline.rank_was_busy if one else timeline.was_busy):
        grace += timedelta(seconds=threshold)
    due = max(now + timedelta(seconds=needed - seen), grace)
    if due > now:
        return Verdict(None, again=due)
    idle_for = span_text(timeline.coverage.seen(start, now))
    return Verdict(True, _one_idle_text(timeline, idle_for) if one else _idle_text(timeline, since, idle_for))


def _names_phase(timeline: Timeline) -> bool:
    progress = timeline.job.progress
    return bool(progress and progress.phase)


def _says_why(timeline: Timeline, idle_since: datetime) -> bool:
    """Return whether a log tells of work without GPUs: an evaluation, a checkpoint, loading, or progress."""
    moved = timeline.moved
    if timeline.quiet_phase or _names_phase(timeline):
        return True
    return moved is not None and moved > idle_since + _PROGRESS_LAG


def _idle_text(timeline: Timeline, since: datetime, idle_for: str) -> str:
    name, first = timeline.job.name, timeline.first_usage
    gpus = "the GPU" if timeline.gpus == 1 else f"none of the {timeline.gpus} GPUs"
    seen_all = first is not None and first <= since + timedelta(minutes=5)
    if not timeline.was_busy and seen_all:
        never = f"{name} has never used its GPU" if timeline.gpus == 1 else f"{name} has used {gpus} so far"
        return f"{never}, for {idle_for} since it started"
    verb = "was not used" if timeline.gpus == 1 else "was used"
    return f"{gpus} of {name} {verb} for {idle_for}"


def _one_idle_text(timeline: Timeline, idle_for: str) -> str:
    usage = timeline.job.usage
    others = f", while all together were used {usage.gpu:.0%}" if usage and usage.gpu is not None else ""
    which = f"a GPU of the {timeline.gpus} of {timeline.job.name}"
    if len(timeline.idle_parts) == 1:
        (part,) = timeline.idle_parts
        rank, _, gpu = part.partition("/")
        which = f"GPU {gpu} of {timeline.job.name}" if gpu else f"a GPU of rank {rank} of {timeline.job.name}"
    return f"for {idle_for} {which} was not used{others}"


def silent(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job whose progress has stood still for long, and three times its longest pause so far."""
    moved, job = timeline.moved, timeline.job
    if moved is None:
        return UNKNOWN
    needed = max(threshold, 3 * timeline.longest_quiet)
    if _names_phase(timeline):
        needed = max(needed, _IN_A_PHASE * threshold)
    left = needed - timeline.quiet()
    if left > 0 or timeline.moves < _FEW_MOVES:
        again = now + min(timedelta(seconds=left), _LOOK_AGAIN) if left > 0 else now + _LOOK_AGAIN
        return Verdict(False if timeline.moves > 1 else None, f"{job.name} makes progress again", again)
    step = job.progress.step if job.progress else None
    at = f" (step {step})" if step is not None else ""
    quiet = span_text(timeline.quiet())
    return Verdict(True, f"the log of {job.name} has told no progress for {quiet}{at}")


def loss(timeline: Timeline, _threshold: float, _now: datetime) -> Verdict:
    """Find a loss that is nan or infinite two times in a row, or many times what it was."""
    name = timeline.job.name
    samples = [each for each in timeline.losses if each.step is None or each.step >= _FIRST_STEPS]
    last = samples[-_NOT_FINITE_IN_A_ROW:]
    if len(last) < _NOT_FINITE_IN_A_ROW:
        return UNKNOWN
    bad = [not math.isfinite(each.loss) for each in last]
    if all(bad):
        at = f" since step {last[0].step}" if last[0].step is not None else ""
        return Verdict(True, f"the loss of {name} is {_word(last[-1].loss)}{at}")
    if any(bad):
        return UNKNOWN
    if usual := _exploded_from(samples):
        return Verdict(True, f"the loss of {name} is {samples[-1].loss:.3g}; it was {usual:.3g}")
    return Verdict(False, f"the loss of {name} is {samples[-1].loss:.3g}")


def _word(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _exploded_from(samples: Sequence[LossSample]) -> float:
    """Return the usual loss of a job whose last ones are far above it; 0 where they are not."""
    finite = [each.loss for each in samples if math.isfinite(each.loss)]
    before, last = finite[:-_EXPLODED_IN_A_ROW], finite[-_EXPLODED_IN_A_ROW:]
    if len(before) < _FEW_LOSSES or min(before) <= 0:
        return 0.0
    usual = median(before)
    if min(last) > _EXPLODED * usual and min(last) > 2 * max(before):
        return usual
    return 0.0


def max_runtime(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job that is soon ended by its own limit, while its progress says that it needs longer."""
    job, end = timeline.job, deadline(timeline.job)
    left = job.progress.seconds_left if job.progress else None
    if end is None:
        return UNKNOWN
    notice = max(threshold * job.spec.max_runtime if threshold < 1 else threshold, _LEAST_NOTICE)
    from_ = end - timedelta(seconds=notice)
    if now < from_:
        return Verdict(None, again=from_)
    if left is None or end <= now:
        return UNKNOWN
    if timeline.overdue < 2:
        return NOT if not timeline.overdue else UNKNOWN
    ends_in = span_text((end - now).total_seconds())
    limit = span_text(job.spec.max_runtime)
    return Verdict(
        True, f"{job.name} is ended in {ends_in} (max_runtime {limit}); it needs {span_text(left)} more"
    )


def xid(timeline: Timeline, _threshold: float, _now: datetime) -> Verdict:
    """Find a GPU that has had an error since this attempt began; one of before is another job's."""
    first, last = timeline.first_xid, timeline.xid
    if first is None or last is None or last == first:
        return UNKNOWN
    if not last:
        return Verdict(False, f"the GPUs of {timeline.job.name} show no error any more")
    return Verdict(True, f"a GPU of {timeline.job.name} had the error XID {last}")


def memory(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job that has used nearly all of the memory that it may use, for five minutes."""
    if not timeline.memory or timeline.memory[-1].share is None:
        return UNKNOWN
    share = timeline.memory[-1].share
    if share < threshold - 0.05:
        return Verdict(False, f"{timeline.job.name} uses {share:.0%} of its memory")
    since = None
    for sample in reversed(timeline.memory):
        if sample.share is None or sample.share < threshold:
            break
        since = sample.time
    if since is None:
        return UNKNOWN
    left = _MEMORY_SECONDS - timeline.coverage.seen(since, now)
    if left > 0:
        return Verdict(None, again=now + timedelta(seconds=left))
    limit = timeline.job.spec.memory
    return Verdict(True, f"{timeline.job.name} uses {share:.0%} of its memory ({limit} a node)")
