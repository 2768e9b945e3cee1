"""One job as text: the fields of its spec, and what happened to it when. Pure; every text is clean."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from backend_client.dev.job import about, is_dev
from backend_client.models import Attempt, Event, Job, JobSpec
from backend_client.models.fields import explicit_fields, field_text
from backend_client.text.sanitize import clean


class TimelineEntry(NamedTuple):
    """Something that happened to a job."""

    time: datetime
    text: str
    warning: bool = False


def command_line(spec: JobSpec) -> str:
    """Return the exact command, quoted for a shell; of a dev job what it does."""
    if is_dev(spec):
        return f"dev: {about(spec)}"
    return clean(shlex.join(spec.command), 20_000)


def spec_fields_text(spec: JobSpec) -> list[tuple[str, str]]:
    """Return (field, value) of every field that was set, except name and command."""
    names = [name for name in explicit_fields(spec) if name not in ("name", "command")]
    return [(name.replace("_", " "), clean(_field_text(spec, name), 4000)) for name in names]


def _field_text(spec: JobSpec, name: str) -> str:
    if name != "sweep":
        return field_text(name, getattr(spec, name))
    limited = "  (so many run at a time)" if spec.sweep.turn else ""
    return field_text(name, replace(spec.sweep, turn="")) + limited


def exit_text(attempt: Attempt) -> str:
    """Format the end of an attempt: "exit 1", "signal 9", or nothing while it runs."""
    if attempt.signal is not None:
        return f"signal {attempt.signal}"
    return "" if attempt.exit_code is None else f"exit {attempt.exit_code}"


def timeline(job: Job, events: Sequence[Event]) -> list[TimelineEntry]:
    """List what happened to a job, oldest first: from the job itself and from its events."""
    entries = [TimelineEntry(job.created, "asked for")]
    if job.queued:
        entries.append(TimelineEntry(job.queued, "queued"))
    for attempt in job.attempts:
        entries += _attempt(attempt)
    for pause in job.pauses:
        entries += [TimelineEntry(pause.stopped, "asked to stop")] if pause.stopped else []
        entries += [TimelineEntry(pause.resumed, "resumed")] if pause.resumed else []
    entries += [TimelineEntry(event.time, _event(event), event.warning) for event in events]
    if job.finished:
        entries.append(TimelineEntry(job.finished, f"ended: {job.state}"))
    return sorted(entries, key=lambda moment: moment.time)


def _attempt(attempt: Attempt) -> list[TimelineEntry]:
    who = f"attempt {attempt.number}" + (f" rank {attempt.rank}" if attempt.rank else "")
    where = attempt.pod or attempt.node
    entries = []
    if attempt.started:
        entries.append(
            TimelineEntry(attempt.started, f"{who} started" + (f" on {clean(where)}" if where else ""))
        )
    if attempt.finished:
        reason = clean(attempt.reason) or exit_text(attempt)
        entries.append(
            TimelineEntry(
                attempt.finished, f"{who} ended" + (f": {reason}" if reason else ""), bool(attempt.exit_code)
            )
        )
    return entries


def _event(event: Event) -> str:
    times = f" ({event.count} times)" if event.count > 1 else ""
    text = event.reason if event.message in ("", event.reason) else f"{event.reason}: {event.message}"
    return clean(text) + times
