"""`again`: run a job once more, under a new name."""

import argparse
from typing import Any

from msgspec.structs import replace

from backend_client.errors import Refused
from backend_client.models import Job, JobSpec
from backend_client.models.fields import parse_spec, spec_fields
from backend_client.protocol import JobBackend, JobQuery
from backend_client.spec_file import as_job, next_name, no_spec
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job, list_all_jobs
from tui.cli.output import print_message
from tui.cli.submit import add_create_flags, add_field_flags, field_flags, join_field, submit_spec
from tui.cli.wait import wait_until


def add_again_flags(parser: Parser) -> None:
    """Add the flags of `again`."""
    parser.add_argument("job", metavar="NAME", help="the job")
    parser.add_argument("--as-job", action="store_true", help="stop a deployment, and run it as a job")
    add_create_flags(parser)
    add_field_flags(parser)


async def again(args: argparse.Namespace, backend: JobBackend) -> int:
    """Run a job once more; a deployment, with --as-job, as a job in its place."""
    old = await find_job(backend, args.job, args.scope)
    if why := no_spec(old):
        raise Refused(f"There is no spec file of {old.name}.", f"It was {why}")
    names = [job.name for job in await list_all_jobs(backend, JobQuery(namespace=old.ref.namespace))]
    spec = _changed(replace(old.spec, name=next_name(old.spec, names)), field_flags(args))
    if not args.as_job or old.spec.kind == "job":
        return await submit_spec(args, backend, spec)
    return await submit_spec(args, backend, as_job(spec), lambda: _stopped(backend, old))


def _changed(spec: JobSpec, flags: dict[str, Any]) -> JobSpec:
    """Return the spec with the fields that flags name in place of its own. Raises Invalid."""
    flags.pop("namespace", None)  # where the old job is found, and the new one goes
    if not flags:
        return spec
    raw = spec_fields(spec)
    return parse_spec(raw | {name: join_field(name, raw.get(name), value) for name, value in flags.items()})


async def _stopped(backend: JobBackend, old: Job) -> None:
    """Stop the deployment and wait for its end: both at once would write the same files."""
    if not old.ended:
        await backend.stop(old.ref)
        print_message(f"{old.name}: stopping")
        await wait_until(backend, old.ref, lambda job: job.ended)


AGAIN = BackendHandler(again, add_again_flags)
