"""The suggestions of the form: recent values, a name, the example."""

import asyncio
from dataclasses import dataclass

from backend_client.errors import BackendError
from backend_client.example import example_command
from backend_client.models import JobSpec
from backend_client.protocol import JobBackend, JobQuery, Use
from backend_client.spec_file import next_name
from tui.form import recent_values


@dataclass(frozen=True)
class Suggestions:
    """What the form suggests; an empty text suggests nothing."""

    recent: recent_values.RecentValues
    """Field -> its recent values, the newest first."""
    name: str = ""
    command: str = ""


async def load_suggestions(backend: JobBackend, old: JobSpec | None) -> Suggestions:
    """Load the suggestions for a new job, or for one like an old one. Raises nothing: it then has fewer."""
    recent = await asyncio.to_thread(recent_values.load)
    try:
        names = [job.name for job in (await backend.list(JobQuery())).items]
    except BackendError:
        return Suggestions(recent)
    if old:
        return Suggestions(recent, name=next_name(old, names))
    # The example is a file of this machine: of use only where jobs run among its files, without images.
    first = not names and not any(recent.values()) and backend.fields["image"].use == Use.REFUSED
    return Suggestions(recent, command=example_command() if first else "")
