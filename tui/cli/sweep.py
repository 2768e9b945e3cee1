"""`submit --each`: the jobs of a sweep, planned, asked for and created as one."""

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from backend_client.code.prepare import with_code
from backend_client.errors import BackendError, Conflict, Invalid, Refused, Unreachable, fragment
from backend_client.models import Job, JobSpec
from backend_client.models.secret import Secret
from backend_client.protocol import JobBackend, JobQuery
from backend_client.sweeps import SweepRequest, expand, is_same, job_key, parse_each, parse_sweep, unused
from tui.cli.arguments import Parser, whole_number
from tui.cli.lookup import list_all_jobs
from tui.cli.output import job_fields, print_as, print_block, print_data, print_message
from tui.cli.planned import check_plan, print_warnings, read_secrets
from tui.cli.prompt import confirm


def add_sweep_flags(parser: Parser) -> None:
    """Add the flags that make many jobs of one command."""
    sweep = parser.add_argument_group("many jobs, one for each combination of values")
    sweep.add_argument(
        "--each",
        action="append",
        default=[],
        metavar="KEY=VALUES",
        help="lr=1e-4,3e-4 or seed=1..3 (may be given again); {KEY} stands for the value in the name,\n"
        "the command and env, {{KEY}} for itself",
    )
    sweep.add_argument("--at-once", type=whole_number, metavar="N", help="so many of them run at a time")


def join_sweep(below: object, above: object) -> object:
    """Return the sweep of a file, of which --sweep is the name; of all else the upper one counts."""
    if isinstance(below, Mapping) and "each" in below and isinstance(above, str):
        return {**dict[str, object](below), "name": above}
    return above


def sweep_request(args: argparse.Namespace, raw: dict[str, Any]) -> SweepRequest | None:
    """Take the sweep out of the fields of a job, joined with the flags; None where there is none.

    Raises Invalid.
    """
    below = raw.get("sweep")
    in_file = isinstance(below, Mapping) and "each" in below
    if not in_file and not args.each:
        if args.at_once:
            raise Invalid({"--at-once": "says how many jobs of a sweep run at a time; give --each too"})
        return None
    asked: dict[str, Any] = {"each": {}, "name": below or ""}
    if in_file and isinstance(below, Mapping):
        asked = dict(below)
    try:
        each = parse_each(args.each) if args.each else {}
    except ValueError as error:
        raise Invalid({"--each": str(error)}) from None
    if isinstance(asked["each"], Mapping):
        asked["each"] = {**asked["each"], **{key: list(values) for key, values in each.items()}}
    raw.pop("sweep", None)
    return parse_sweep(asked | ({"at_once": args.at_once} if args.at_once else {}))


async def submit_sweep(
    args: argparse.Namespace, backend: JobBackend, raw: Mapping[str, Any], request: SweepRequest
) -> int:
    """Create the jobs of a sweep in their order; those that are there already are left as they are."""
    if args.follow:
        raise Invalid(
            {"--follow": "follows one job, and a sweep is many; `traindeck wait NAME...` waits for them"}
        )
    there = {
        job.name: job
        for job in await list_all_jobs(backend, JobQuery(namespace=args.scope or backend.namespace))
        if job.ref.kind == raw.get("kind", "job")
    }
    specs = expand(raw, request, there, {job.spec.sweep.name for job in there.values()})
    code = (await with_code(backend, specs[0])).code  # packed once: all run the same
    specs = [replace(spec, code=code) for spec in specs]
    for key in unused(raw, request.each):
        print_message(f"{{{key}}} stands in no name, command or env: it changes nothing in a job.")
    return await submit_all(args, backend, _without_same(specs, there), _limit_words(request, len(specs)))


async def submit_all(
    args: argparse.Namespace, backend: JobBackend, specs: Sequence[JobSpec], limit: str = ""
) -> int:
    """Plan jobs that differ in the values of their sweep alone, ask, and create them in their order."""
    plan = await backend.plan(max(specs, key=lambda spec: len(spec.name)))
    print_warnings(plan)
    await check_plan(backend, specs[0], plan)
    if args.dry_run:
        plans = [await backend.plan(spec) for spec in specs]
        print_block("\n---\n".join(plan.yaml.strip("\n") for plan in plans))
        return 0
    secrets = read_secrets(specs[0])
    if plan.advice and args.output not in ("json", "name"):
        print_message(plan.advice)
    if not confirm(plan.question):
        raise Refused("Nothing was submitted.")
    jobs = await _create_all(backend, specs, secrets)
    count = f"{len(jobs)} jobs" if len(jobs) > 1 else "1 job"
    place = plan.place or jobs[0].ref.context
    print_message(f"{count} of the sweep {specs[0].sweep.name} submitted to {place}{limit}.")
    if not print_as(args.output, lambda: [job_fields(job) for job in jobs]):
        print_data("\n".join(job.name for job in jobs))
    return 0


def _limit_words(request: SweepRequest, count: int) -> str:
    return f", {request.at_once} at a time" if 0 < request.at_once < count else ""


def _without_same(specs: Sequence[JobSpec], there: Mapping[str, Job]) -> list[JobSpec]:
    """Return the specs whose jobs are not there yet. Raises Conflict where another has a name of theirs."""
    same = [spec.name for spec in specs if spec.name in there and is_same(there[spec.name], spec)]
    other = [spec.name for spec in specs if spec.name in there and spec.name not in same]
    if other:
        raise Conflict(f"There is a job {other[0]} already.", "Give the sweep another --name.")
    if len(same) == len(specs):
        again = f"`traindeck again --sweep {specs[0].sweep.name}` runs them again"
        hint = f"{again}; --name makes others."
        raise Refused(f"All {len(specs)} jobs of this sweep are there already.", hint)
    if same:
        print_message(f"{len(same)} of {len(specs)} are there already: {', '.join(same)}")
    return [spec for spec in specs if spec.name not in same]


async def _create_all(
    backend: JobBackend, specs: Sequence[JobSpec], secrets: Mapping[str, Secret]
) -> list[Job]:
    """Create one job after the other, under keys made of one. Says which are there where one fails."""
    key, jobs = os.urandom(16).hex(), list[Job]()
    for number, spec in enumerate(specs):
        try:
            jobs.append(await _create(backend, spec, job_key(key, number), secrets))
        except BackendError as error:
            print_message(f"{spec.name}: {fragment(error.title)}")
            print_message(
                f"{len(jobs)} of {len(specs)} were made: {', '.join(job.name for job in jobs) or 'none'}"
            )
            doubt = isinstance(error, Unreachable)
            print_message(
                f"{f'Whether {spec.name} was made is not known; not' if doubt else 'Not'} made: "
                f"{', '.join(spec.name for spec in specs[number + doubt :]) or 'none'}"
            )
            raise
    return jobs


async def _create(backend: JobBackend, spec: JobSpec, key: str, secrets: Mapping[str, Secret]) -> Job:
    """Create a job; where nobody answers, once more under the same key."""
    try:
        return await backend.create(spec, key=key, secrets=secrets)
    except Unreachable:
        return await backend.create(spec, key=key, secrets=secrets)
