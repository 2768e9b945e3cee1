"""Queries over jobs that a backend holds in memory: which match, in which order, cut into pages."""

from bisect import bisect_right
from collections.abc import Sequence

from backend_client.models import Job
from backend_client.protocol import JobQuery, Page


def matches(query: JobQuery, job: Job) -> bool:
    """Return True where a job has the name, a state, the labels and the sweep of a query."""
    return (
        query.name in ("", job.name)
        and (not query.states or job.state in query.states)
        and query.sweep in ("", job.spec.sweep.name)
        and query.labels.items() <= job.spec.labels.items()
    )


def newest_first_key(job: Job) -> str:
    """Return a sort key that is also a cursor: it names the same position when jobs come and go."""
    return f"{2**63 - round(job.created.timestamp() * 1e6):020d}-{job.ref.uid}"


def cut_page(jobs: Sequence[Job], limit: int, after: str = "") -> Page:
    """Return the page behind the cursor `after`, of jobs that are sorted by `newest_first_key`."""
    start = bisect_right(jobs, after, key=newest_first_key)
    end = start + limit
    return Page(tuple(jobs[start:end]), newest_first_key(jobs[end - 1]) if end < len(jobs) else "")
