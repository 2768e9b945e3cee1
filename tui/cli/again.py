"""`again`: run a job once more, under a new name."""

import argparse
from typing import Any

from msgspec.structs import replace

from backend_client.errors import Invalid, NotFound, Refused
from backend_client.models import Job, JobSpec, JobState
from backend_client.models.fields import parse_spec, spec_fields
from backend_client.models.names import natural_key
from backend_client.protocol import JobBackend, JobQuery
from backend_client.spec_file import as_job, next_name, no_spec
from backend_client.sweeps import last_of_each
from tui.cli.arguments import Parser
from tui.cli.handlers import BackendHandler
from tui.cli.lookup import find_job, list_all_jobs
from tui.cli.output import print_message
from tui.cli.submit import add_create_flags, add_field_flags, field_flags, join_field, submit_spec
from tui.cli.sweep import submit_all
from tui.cli.wait import wait_until


def add_again_flags(parser: Parser) -> None:
    """Add the flags of `again`."""
    parser.add_argument("job", metavar="NAME", nargs="?", default="", help="the job; none with --sweep")
    parser.add_argument(
        "--failed", action="store_true", help="of --sweep: only those that have failed, each combination once"
    )
    parser.add_argument("--as-job", action="store_true", help="stop a deployment, and run it as a job")
    add_create_flags(parser)
    add_field_flags(parser)


async def again(args: argparse.Namespace, backend: JobBackend) -> int:
    """Run a job once more, or those of a sweep; a deployment, with --as-job, as a job in its place."""
    if not args.job:
        return await _sweep_again(args, backend)
    if args.failed:
        raise Invalid({"--failed": "is about the jobs of a sweep; name none, and give --sweep"})
    old = await find_job(backend, args.job, args.scope)
    if why := no_spec(old):
        raise Refused(f"There is no spec file of {old.name}.", f"It was {why}")
    names = [job.name for job in await list_all_jobs(backend, JobQuery(namespace=old.ref.namespace))]
    spec = _changed(replace(old.spec, name=next_name(old.spec, names)), field_flags(args))
    if not args.as_job or old.spec.kind == "job":
        return await submit_spec(args, backend, spec)
    return await submit_spec(args, backend, as_job(spec), lambda: _stopped(backend, old))


async def _sweep_again(args: argparse.Namespace, backend: JobBackend) -> int:
    """Run the jobs of a sweep once more: of each combination the newest, where that has ended."""
    if not args.sweep:
        raise Invalid({"NAME": "name the job, or give the --sweep whose jobs are to run again"})
    if args.as_job or args.follow:
        raise Invalid({"--as-job" if args.as_job else "--follow": "is about one job; name it"})
    there = await list_all_jobs(backend, JobQuery(namespace=args.scope))
    members = [job for job in there if job.spec.sweep.name == args.sweep and not job.read_only]
    if not members:
        raise NotFound(
            f"There is no sweep {args.sweep}.", "In the list O puts the jobs of each sweep together."
        )
    old = [job for job in last_of_each(members) if job.ended]
    if args.failed:
        old = [job for job in old if job.state is JobState.FAILED]
    if not old:
        raise Refused(f"No job of the sweep {args.sweep} {'has failed' if args.failed else 'has ended'}.")
    flags, names, specs = field_flags(args), [job.name for job in there], list[JobSpec]()
    flags.pop("sweep")
    for job in sorted(old, key=lambda job: natural_key(job.name)):
        spec = replace(job.spec, name=next_name(job.spec, names))
        names.append(spec.name)
        specs.append(_changed(spec, dict(flags)))
    return await submit_all(args, backend, specs)


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
