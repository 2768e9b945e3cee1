"""`describe`: everything about one job."""

import argparse
from collections.abc import Iterator, Sequence

from backend_client.errors import BackendError, fragment
from backend_client.models import Attempt, Event, Job
from backend_client.protocol import JobBackend
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job
from tui.cli.output import job_fields, json_text, print_block, print_data, print_message
from tui.form.spec_file import spec_yaml
from tui.jobs.timeline import command_line, exit_text, spec_fields_text, timeline
from tui.ui.format import local_time, progress_text
from tui.ui.sanitize import clean


def add_describe_flags(parser: Parser) -> None:
    """Add the flags of `describe`."""
    parser.add_argument("name", metavar="NAME", help="the job")


async def describe(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print everything about one job; as YAML the spec file that submits it again."""
    job = await find_job(backend, args.name, args.scope)
    if args.output == "name":
        print_data(job.name)
    elif args.output == "json":
        print_data(json_text(job_fields(job)))
    elif args.output == "yaml":
        print_block(spec_yaml(job.spec))
    else:
        events, problem = await _events(job, backend)
        print_data("\n".join(_description(job, events)))
        if problem:
            print_message(f"its events cannot be read: {problem}")
    return 0


async def _events(job: Job, backend: JobBackend) -> tuple[Sequence[Event], str]:
    """Read the job's events. They only add to the rest: an error is returned as a sentence."""
    try:
        return await backend.events(job.ref), ""
    except BackendError as error:
        return (), fragment(error.title)


def _description(job: Job, events: Sequence[Event]) -> Iterator[str]:
    for name, value in _fields(job):
        yield f"{clean(name + ':'):<12} {clean(value, 20_000)}"
    yield "\nTimeline"
    for entry in timeline(job, events):
        yield f"  {local_time(entry.time)}  {'warning: ' if entry.warning else ''}{entry.text}"
    if job.attempts:
        yield "\nAttempts"
        yield from (f"  {clean(_attempt(attempt))}" for attempt in job.attempts)


def _fields(job: Job) -> Iterator[tuple[str, str]]:
    facts = {
        "Name": job.name,
        "State": job.state.value,
        "Reason": job.reason,
        "Next try": local_time(job.next_try) if job.next_try else "",
        "Progress": _progress(job),
        "Links": " ".join(job.urls),
        "Command": command_line(job.spec),
    }
    facts |= {name.capitalize(): value for name, value in spec_fields_text(job.spec)}
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
    parts = (str(attempt.number), rank, attempt.node, process, attempt.reason or exit_text(attempt))
    return "  ".join(filter(None, parts))


DESCRIBE = BackendHandler(describe, add_describe_flags)
