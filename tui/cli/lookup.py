"""Find the job that a NAME on the command line means."""

import argparse

from backend_client.errors import Conflict, Invalid, NotFound
from backend_client.models import Job, JobState
from backend_client.models.fields import parse_field
from backend_client.models.names import closest_match, natural_key
from backend_client.protocol import JobBackend, JobQuery
from tui.cli.arguments import NameAction, Parser, one_of


def add_selection_flags(parser: Parser) -> None:
    """Add the flags that select jobs by state, label and sweep."""
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        type=one_of(*(state.value for state in JobState)),
        help="only jobs in this state (may be given again)",
    )
    parser.add_argument(
        "-l", "--label", action="append", default=[], metavar="K=V", help="only jobs with this label"
    )
    parser.add_argument(
        "--sweep", default="", metavar="NAME", action=NameAction, help="only jobs of this sweep"
    )


def selection(args: argparse.Namespace) -> JobQuery:
    """Return the query of these flags. Raises Invalid."""
    try:
        labels = parse_field("labels", args.label) if args.label else {}
    except ValueError as error:
        raise Invalid({"--label": str(error)}) from None
    return JobQuery(
        namespace=args.scope,
        states=frozenset(JobState(word) for word in args.state),
        labels=labels,
        sweep=args.sweep,
    )


async def select_jobs(args: argparse.Namespace, backend: JobBackend) -> list[Job]:
    """Return the jobs that --state, --label and --sweep select, by name; none where names were given.

    Jobs of other tools, which nothing here changes, are not selected. Raises Invalid for neither and both.
    """
    if bool(args.names) == bool(args.state or args.label or args.sweep):
        raise Invalid({"NAME": "name the jobs, or select them by --sweep, --label and --state; one of both"})
    if args.names:
        return []
    jobs = [job for job in await list_all_jobs(backend, selection(args)) if not job.read_only]
    return sorted(jobs, key=lambda job: natural_key(job.name))


async def list_all_jobs(backend: JobBackend, query: JobQuery) -> list[Job]:
    """List the jobs of every page."""
    page = await backend.list(query)
    jobs = list(page.items)
    while page.next:
        page = await backend.list(query, after=page.next)
        jobs += page.items
    return jobs


async def find_job(backend: JobBackend, name: str, namespace: str = "") -> Job:
    """Find the job of that name, or whose uid begins with it (4 characters or more).

    Raises NotFound with the nearest name, Conflict where several namespaces have one.
    """
    matching = await list_all_jobs(backend, JobQuery(name=name, namespace=namespace))
    if not matching:
        jobs = await list_all_jobs(backend, JobQuery(namespace=namespace))
        matching = [job for job in jobs if len(name) >= 4 and job.ref.uid.startswith(name)]
        if not matching:
            likely = closest_match(name, [job.name for job in jobs])
            hint = f"Did you mean {likely}?" if likely else "`traindeck jobs` lists them."
            raise NotFound(f"There is no job {name}{f' in {namespace}' if namespace else ''}.", hint)
    own = [job for job in matching if not job.read_only] or matching
    if len(own) > 1:
        places = ", ".join(sorted(f"a {job.ref.kind} in {job.ref.namespace}" for job in own))
        raise Conflict(f"{name} means several jobs: {places}.", "Say which with -n NAMESPACE, or by uid.")
    return own[0]


async def find_job_in_queue(backend: JobBackend, name: str, namespace: str = "") -> Job:
    """Find a job as `find_job` does; one that a queue holds with its place there, as far as that is known."""
    job = await find_job(backend, name, namespace)
    waits = job.queue is not None and job.state is JobState.QUEUED
    return await backend.get(job.ref) if waits else job
