"""One job told in words: what was asked, and what happened when. Pure; every text is clean."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.models import Attempt, Event, Job, JobSpec
from backend_client.models.fields import explicit_fields, field_text
from tui.ui.sanitize import clean


class TimelineEntry(NamedTuple):
    """Something that happened."""

    time: datetime
    words: str
    warning: bool = False


def command_line(spec: JobSpec) -> str:
    """The exact command, as a shell would take it."""
    return clean(shlex.join(spec.command), 20_000)


def asked(spec: JobSpec) -> list[tuple[str, str]]:
    """(field, value) of all that was given, but for name and command."""
    names = [name for name in explicit_fields(spec) if name not in ("name", "command")]
    return [(name.replace("_", " "), clean(field_text(name, getattr(spec, name)), 4000)) for name in names]


def how_ended(attempt: Attempt) -> str:
    """The end of one attempt: "exit 1", "signal 9", or nothing while it runs."""
    if attempt.signal is not None:
        return f"signal {attempt.signal}"
    return "" if attempt.exit_code is None else f"exit {attempt.exit_code}"


def timeline(job: Job, events: Sequence[Event]) -> list[TimelineEntry]:
    """All that is known to have happened, oldest first: what the job tells, and what its context adds."""
    moments = [TimelineEntry(job.created, "asked for")]
    if job.queued:
        moments.append(TimelineEntry(job.queued, "queued"))
    for attempt in job.attempts:
        moments += _attempt(attempt)
    moments += [TimelineEntry(event.time, _event(event), event.warning) for event in events]
    if job.finished:
        moments.append(TimelineEntry(job.finished, f"ended: {job.state}"))
    return sorted(moments, key=lambda moment: moment.time)


def _attempt(attempt: Attempt) -> list[TimelineEntry]:
    who = f"attempt {attempt.number}" + (f" rank {attempt.rank}" if attempt.rank else "")
    where = attempt.pod or attempt.node
    moments = []
    if attempt.started:
        moments.append(
            TimelineEntry(attempt.started, f"{who} started" + (f" on {clean(where)}" if where else ""))
        )
    if attempt.finished:
        words = clean(attempt.reason) or how_ended(attempt)
        moments.append(
            TimelineEntry(
                attempt.finished, f"{who} ended" + (f": {words}" if words else ""), bool(attempt.exit_code)
            )
        )
    return moments


def _event(event: Event) -> str:
    times = f" ({event.count} times)" if event.count > 1 else ""
    words = event.reason if event.message in ("", event.reason) else f"{event.reason}: {event.message}"
    return clean(words) + times
