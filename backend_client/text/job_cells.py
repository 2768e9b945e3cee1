"""What stands in the cells of a list of jobs: one table for screen, command line and page. Pure.

JSON and YAML have no cells: they show the fields of `Job`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from backend_client.dev.job import about, is_dev
from backend_client.models import Job, JobState
from backend_client.text.figures import loss_text, progress_text, span
from backend_client.text.sanitize import clean
from backend_client.text.usage_cells import mem_text, util_text


class JobCell(NamedTuple):
    """What a column says of a job."""

    name: str
    """The word for it, as in the setting `list.columns`."""
    title: str
    text: Callable[[Job, datetime], str]
    """Job and current time to the text of its cell."""
    limit: int = 0
    """Characters that are shown at most of a text from outside, cleaned; 0: `text` is safe already."""
    right: bool = False


def cell_text(cell: JobCell, job: Job, now: datetime) -> str:
    """Return the text of a cell, safe to show."""
    text = cell.text(job, now)
    return clean(text, cell.limit) if cell.limit else text


def progress_or_reason(job: Job, _now: datetime | None = None) -> str:
    """Return the reason where the state alone does not say enough, else the progress."""
    figures = progress_text(job.progress) if job.progress else ""
    if job.reason and (job.state is not JobState.RUNNING or not figures):
        return clean(job.reason, 300)
    return figures


def node_of(job: Job) -> str:
    """Return the node where a job runs or ran last; empty where none is known."""
    return clean(job.attempts[-1].node, 60) if job.attempts else ""


def states_text(states: Iterable[JobState] | Mapping[JobState, int]) -> str:
    """Return how many jobs are in which state, those first that need a person: "3 jobs: 1 failed, 2 running".

    `states`: that of each job, or how often there is which.
    """
    counts = +Counter(states)
    count = counts.total()
    words = ", ".join(f"{counts[state]} {state.value.lower()}" for state in sorted(counts, key=_rank))
    return f"{count} job{'s' if count > 1 else ''}: {words}"


def _rank(state: JobState) -> int:
    return state.style.rank


def _gpus(job: Job) -> str:
    return str(job.spec.gpus * job.spec.nodes * job.spec.replicas)


def _age(job: Job, now: datetime) -> str:
    return span((now - job.created).total_seconds())


def _loss(job: Job) -> str:
    return loss_text(job.progress.loss) if job.progress else ""


def _command(job: Job) -> str:
    if is_dev(job.spec):
        return f"dev: {about(job.spec)}"
    program, *rest = job.spec.command or ("",)
    return " ".join([program.rsplit("/", 1)[-1], *rest])


JOB_CELLS: tuple[JobCell, ...] = (
    JobCell("name", "NAME", lambda job, _: job.name, limit=80),
    JobCell("state", "STATE", lambda job, _: job.state.value),
    JobCell("gpus", "GPUS", lambda job, _: _gpus(job), right=True),
    JobCell("age", "AGE", _age, right=True),
    JobCell("loss", "LOSS", lambda job, _: _loss(job)),
    JobCell("util", "UTIL", lambda job, _: util_text(job.usage)),
    JobCell("mem", "MEM", lambda job, _: mem_text(job.usage)),
    JobCell("owner", "OWNER", lambda job, _: job.owner, limit=60),
    JobCell("namespace", "NAMESPACE", lambda job, _: job.ref.namespace, limit=60),
    JobCell("node", "NODE", lambda job, _: node_of(job)),
    JobCell("kind", "KIND", lambda job, _: job.ref.kind),
    JobCell("uid", "UID", lambda job, _: job.ref.uid),
    JobCell("command", "COMMAND", lambda job, _: _command(job), limit=200),
    JobCell("progress", "PROGRESS", progress_or_reason),
)
"""Every cell, in the order in which the verb `jobs` prints them; a screen and a page choose theirs."""
