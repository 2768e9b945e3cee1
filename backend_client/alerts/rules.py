"""The rules of alerts: one table. Each is a pure function over the timeline of one job, with its guards.

A rule says that something is so, that it is surely not so (any more), or neither: what is unknown neither
fires nor recovers.
"""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from backend_client.alerts import running, states
from backend_client.alerts.timeline import Timeline
from backend_client.alerts.verdict import Verdict
from backend_client.models.alert_thresholds import THRESHOLDS, parse_threshold

Judge = Callable[[Timeline, float, datetime], Verdict]
"""(timeline, threshold, now) -> what the rule finds."""


class Rule(Struct, frozen=True, kw_only=True):
    """One rule."""

    id: str
    title: str
    """A few words, as a list and the subject of a message have them."""
    about: str
    """When it fires, and when it does not, as a sentence; `{T}` is the threshold."""
    judge: Judge
    per_attempt: bool = False
    """A new attempt ends its episode and begins anew; else it is about the job as a whole."""
    while_running: bool = False
    """It is about a job that runs, and over when that does no more."""
    once: bool = False
    """It fires once at most, for each attempt."""
    needs_gpus: bool = False
    event: bool = False
    """What it tells happened once, and does not recover; its end is not told."""

    @property
    def default(self) -> str:
        """ "on", "off" or a threshold, as a person would write it."""
        return THRESHOLDS[self.id].default

    def parse(self, text: str) -> float | None:
        """Return the threshold of what a person wrote; None for off. Raises ValueError: a whole sentence."""
        return parse_threshold(self.id, text)


RULES: tuple[Rule, ...] = (
    Rule(
        id="failed",
        title="failed",
        about="It has failed for good, its retries are used up. Not where a person stopped it.",
        judge=states.failed,
        event=True,
    ),
    Rule(
        id="finished",
        title="finished",
        about="It has ended well.",
        judge=states.finished,
        event=True,
    ),
    Rule(
        id="pending",
        title="waits too long",
        about="It has waited for {T}, or can never start. Not while it is held, or its start is foreseen.",
        judge=states.pending,
    ),
    Rule(
        id="gpu-idle",
        title="GPUs idle",
        about="None of its GPUs was used for {T}. Not in the first 2 x {T} of an attempt; after twice the"
        " time where its log tells of progress, an evaluation, saving or loading. Shells and deployments:"
        " only where the job itself asks for it.",
        judge=running.gpu_idle,
        per_attempt=True,
        while_running=True,
        needs_gpus=True,
    ),
    Rule(
        id="rank-idle",
        title="one GPU idle",
        about="One of its GPUs was not used for {T} while the others were. Guards as for gpu-idle.",
        judge=running.rank_idle,
        per_attempt=True,
        while_running=True,
        needs_gpus=True,
    ),
    Rule(
        id="silent",
        title="no progress",
        about="Its log has told no progress for {T}, and for three times its longest pause so far. Only where"
        " it told some before, and while its log is read.",
        judge=running.silent,
        per_attempt=True,
        while_running=True,
    ),
    Rule(
        id="loss",
        title="loss is broken",
        about="The loss is nan or infinite two times in a row, or ten times its median three times in a row."
        " Not in the first 10 steps; once for each attempt.",
        judge=running.loss,
        per_attempt=True,
        while_running=True,
        once=True,
    ),
    Rule(
        id="restarts",
        title="restarts",
        about="It was started again more than {T} times, and has not run for an hour since. What its node or"
        " its queue ended does not count.",
        judge=states.restarts,
    ),
    Rule(
        id="max-runtime",
        title="time runs out",
        about="{T} of its max_runtime is left (10 min at least), and its progress says that it needs longer."
        " Once for each attempt.",
        judge=running.max_runtime,
        per_attempt=True,
        while_running=True,
        once=True,
    ),
    Rule(
        id="xid",
        title="GPU error",
        about="A GPU of it has had an error (NVIDIA XID) since this attempt began.",
        judge=running.xid,
        per_attempt=True,
        while_running=True,
        needs_gpus=True,
    ),
    Rule(
        id="node",
        title="node",
        about="Its node does not answer or is not ready, or it was taken off it (drained, preempted).",
        judge=states.node,
    ),
    Rule(
        id="memory",
        title="memory nearly full",
        about="It has used more than {T} of the memory that it asked for, for 5 min.",
        judge=running.memory,
        per_attempt=True,
        while_running=True,
    ),
)
BY_ID = {rule.id: rule for rule in RULES}
