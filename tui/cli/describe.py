"""`describe`: everything about one job."""

import argparse
import shlex
from collections.abc import Iterator, Sequence

from backend_client.errors import BackendError, Refused, fragment
from backend_client.models import Attempt, Event, Job, Loss
from backend_client.protocol import Feature, JobBackend
from backend_client.spec_file import no_spec, spec_yaml
from backend_client.text.code import code_text
from backend_client.text.figures import local_time, progress_text, starts_text
from backend_client.text.outputs import outputs_text
from backend_client.text.receipt import change_text, heading, receipt_lines
from backend_client.text.sanitize import clean
from backend_client.text.timeline import command_line, exit_text, spec_fields_text, timeline
from backend_client.usage_report import HasAccounting, Receipt
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job_in_queue
from tui.cli.output import job_fields, json_text, print_block, print_data, print_message


def add_describe_flags(parser: Parser) -> None:
    """Add the flags of `describe`."""
    parser.add_argument("name", metavar="NAME", help="the job")


async def describe(args: argparse.Namespace, backend: JobBackend) -> int:
    """Print everything about one job; as YAML the spec file that submits it again."""
    job = await find_job_in_queue(backend, args.name, args.scope)
    if args.output == "name":
        print_data(job.name)
    elif args.output == "json":
        print_data(json_text(job_fields(job)))
    elif args.output == "yaml":
        if why := no_spec(job):
            raise Refused(f"There is no spec file of {job.name}.", f"It was {why}")
        print_block(spec_yaml(job.spec))
    else:
        events, problem = await _events(job, backend)
        receipt = await _receipt(job, backend)
        print_data("\n".join(_description(job, events, receipt)))
        if problem:
            print_message(f"its events cannot be read: {problem}")
        if job.reason:
            print_message(f"`traindeck why {shlex.quote(job.name)}` says more of the reason.")
    return 0


async def _events(job: Job, backend: JobBackend) -> tuple[Sequence[Event], str]:
    """Read the job's events. They only add to the rest: an error is returned as a sentence."""
    try:
        return await backend.events(job.ref), ""
    except BackendError as error:
        return (), fragment(error.title)


async def _receipt(job: Job, backend: JobBackend) -> Receipt | None:
    """Read what the job has cost, where somebody counts; it only adds to the rest."""
    if Feature.ACCOUNTING not in backend.features or not isinstance(backend, HasAccounting):
        return None
    try:
        return await backend.receipt(job.ref)
    except BackendError:
        return None


def _description(job: Job, events: Sequence[Event], receipt: Receipt | None) -> Iterator[str]:
    for name, value in _fields(job):
        yield f"{clean(name + ':'):<12} {clean(value, 20_000)}"
    yield "\nTimeline"
    for entry in timeline(job, events):
        yield f"  {local_time(entry.time)}  {'warning: ' if entry.warning else ''}{entry.text}"
    if job.attempts:
        yield "\nAttempts"
        yield from (f"  {clean(_attempt(attempt))}" for attempt in job.attempts)
    if receipt and (lines := receipt_lines(receipt)):
        yield f"\n{heading(receipt)}"
        yield from (f"  {clean(name):<12} {clean(value, 300)}" for name, value in lines)
        if change := change_text(receipt):
            changes = receipt.advice.changes if receipt.advice else {}
            flags = " ".join(f"--{name.replace('_', '-')} {shlex.quote(to)}" for name, to in changes.items())
            yield f"  {'':<12} {clean(change)}: traindeck again {clean(shlex.quote(job.name))} {clean(flags)}"


def _fields(job: Job) -> Iterator[tuple[str, str]]:
    facts = {
        "Name": job.name,
        "State": job.state.value,
        "Reason": job.reason,
        "Starts": starts_text(job.queue.starts) if job.queue else "",
        "Next try": local_time(job.next_try) if job.next_try else "",
        "Progress": _progress(job),
        "Links": " ".join(job.urls),
        "In-cluster": " ".join(job.internal_addresses),
        "Command": command_line(job.spec),
    }
    facts |= {name.capitalize(): value for name, value in spec_fields_text(job.spec)}
    facts |= {"Code": code_text(job.code)} if job.code else {}
    facts |= {"Outputs": outputs_text(job.outputs)} if job.outputs else {}
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
    loss = "" if job.progress.loss is None else f"loss {_exact(job.progress.loss)}"
    return "  ".join(filter(None, (progress_text(job.progress), loss)))


def _exact(loss: Loss) -> str:
    return loss if isinstance(loss, str) else f"{loss:g}"


def _attempt(attempt: Attempt) -> str:
    rank = f"rank {attempt.rank}" if attempt.rank else ""
    process = attempt.pod or (f"pid {attempt.pid}" if attempt.pid else "")
    end = attempt.reason or exit_text(attempt)
    log = "its log is gone" if attempt.log_gone else ""
    parts = (str(attempt.number), rank, attempt.node, process, end, log)
    return "  ".join(filter(None, parts))


DESCRIBE = BackendHandler(describe, add_describe_flags)
