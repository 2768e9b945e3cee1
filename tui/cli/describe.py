"""`describe`."""

import argparse
from collections.abc import Iterator, Sequence

from backend_client.errors import BackendError
from backend_client.models import Attempt, Event, Job
from backend_client.protocol import JobBackend
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find
from tui.cli.output import job_fields, json_text, put, put_block, say
from tui.form.spec_file import spec_yaml
from tui.jobs.timeline import asked, command_line, how_ended, timeline
from tui.ui.format import local_time, progress_text
from tui.ui.sanitize import clean


def add_describe_flags(parser: Parser) -> None:
    """What `describe` takes."""
    parser.add_argument("name", metavar="NAME", help="the job")


async def describe(args: argparse.Namespace, backend: JobBackend) -> int:
    """Everything about one job; as YAML the spec file that submits it again."""
    job = await find(backend, args.name, args.scope)
    if args.output == "name":
        put(job.name)
    elif args.output == "json":
        put(json_text(job_fields(job)))
    elif args.output == "yaml":
        put_block(spec_yaml(job.spec))
    else:
        events, trouble = await _events(job, backend)
        put("\n".join(_description(job, events)))
        if trouble:
            say(f"its events cannot be read: {trouble}")
    return 0


async def _events(job: Job, backend: JobBackend) -> tuple[Sequence[Event], str]:
    """They only add to what is known: that they cannot be read is told, and no failure."""
    try:
        return await backend.events(job.ref), ""
    except BackendError as error:
        return (), error.title


def _description(job: Job, events: Sequence[Event]) -> Iterator[str]:
    for name, value in _facts(job):
        yield f"{clean(name + ':'):<12} {clean(value, 20_000)}"
    yield "\nTimeline"
    for moment in timeline(job, events):
        yield f"  {local_time(moment.time)}  {'warning: ' if moment.warning else ''}{moment.words}"
    if job.attempts:
        yield "\nAttempts"
        yield from (f"  {clean(_attempt(attempt))}" for attempt in job.attempts)


def _facts(job: Job) -> Iterator[tuple[str, str]]:
    facts = {
        "Name": job.name,
        "State": job.state.value,
        "Reason": job.reason,
        "Next try": local_time(job.next_try) if job.next_try else "",
        "Progress": _progress(job),
        "Links": " ".join(job.urls),
        "Command": command_line(job.spec),
    }
    facts |= {name.capitalize(): value for name, value in asked(job.spec)}
    facts |= {
        "Context": job.ref.context,
        "Namespace": job.ref.namespace,
        "Owner": job.owner,
        "Uid": job.ref.uid,
        "Read-only": job.read_only,
        "Restarts": str(job.restarts or ""),
    }
    return ((name, value) for name, value in facts.items() if value)


def _progress(job: Job) -> str:
    if not job.progress:
        return ""
    loss = "" if job.progress.loss is None else f"loss {job.progress.loss:g}"
    return "  ".join(filter(None, (progress_text(job.progress), loss)))


def _attempt(attempt: Attempt) -> str:
    rank = f"rank {attempt.rank}" if attempt.rank else ""
    process = attempt.pod or (f"pid {attempt.pid}" if attempt.pid else "")
    words = (str(attempt.number), rank, attempt.node, process, attempt.reason or how_ended(attempt))
    return "  ".join(filter(None, words))


DESCRIBE = BackendHandler(describe, add_describe_flags)
