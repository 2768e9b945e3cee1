"""How the rules of alerts are judged: one table. Each is a pure function over the timeline of one job.

Their titles, texts and defaults stand in `models.alert_thresholds`, which a start loads without all this.

A rule says that something is so, that it is surely not so (any more), or neither: what is unknown neither
fires nor recovers.
"""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from backend_client.alerts import running, states
from backend_client.alerts.timeline import Timeline
from backend_client.alerts.verdict import Verdict

Judge = Callable[[Timeline, float, datetime], Verdict]
"""(timeline, threshold, now) -> what the rule finds."""


class Rule(Struct, frozen=True, kw_only=True):
    """One rule."""

    id: str
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


RULES: tuple[Rule, ...] = (
    Rule(id="failed", judge=states.failed, event=True),
    Rule(id="finished", judge=states.finished, event=True),
    Rule(id="pending", judge=states.pending),
    Rule(id="gpu-idle", judge=running.gpu_idle, per_attempt=True, while_running=True, needs_gpus=True),
    Rule(id="rank-idle", judge=running.rank_idle, per_attempt=True, while_running=True, needs_gpus=True),
    Rule(id="silent", judge=running.silent, per_attempt=True, while_running=True),
    Rule(id="loss", judge=running.loss, per_attempt=True, while_running=True, once=True),
    Rule(id="restarts", judge=states.restarts),
    Rule(id="max-runtime", judge=running.max_runtime, per_attempt=True, while_running=True, once=True),
    Rule(id="xid", judge=running.xid, per_attempt=True, while_running=True, needs_gpus=True),
    Rule(id="node", judge=states.node),
    Rule(id="memory", judge=running.memory, per_attempt=True, while_running=True),
)
BY_ID = {rule.id: rule for rule in RULES}
