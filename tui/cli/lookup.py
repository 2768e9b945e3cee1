"""Find the job that a NAME on the command line means."""

from backend_client.errors import Conflict, NotFound
from backend_client.models import Job
from backend_client.models.names import closest_match
from backend_client.protocol import JobBackend, JobQuery


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
