"""The suggestions of the form: recent values, a name, the example, and how many GPUs are free."""

import asyncio
import re
from dataclasses import dataclass

from backend_client.errors import BackendError
from backend_client.gpu_nodes import GpuNodes
from backend_client.gpu_sums import pools_of
from backend_client.models import JobSpec
from backend_client.models.names import suggest_name
from backend_client.protocol import Capacity, JobBackend, JobQuery, Use
from tui.form import recent_values
from tui.form.example import example_command


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


def next_name(old: JobSpec, names: list[str]) -> str:
    """Return the next of a chosen name: bert-ft, bert-ft-2; "" where the command gives the name."""
    base = re.sub(r"-\d+$", "", old.name)
    if not base or base == suggest_name(old.command):
        return ""
    return suggest_name((base,), [*names, old.name])


def free_words(found: GpuNodes) -> str:
    """Return the free GPUs, by product where there are several."""
    if found.unknown_because:
        return f"free: not known ({found.unknown_because})"
    capacity = Capacity(pools_of(found.nodes))
    if not capacity.total:
        return "there are none here"
    words = f"{capacity.free} of {capacity.total} free"
    pools = [pool for pool in capacity.pools if pool.usable]
    if len(pools) > 1:
        parts = (
            f"{pool.product.removeprefix('NVIDIA-') or 'other'} {pool.free}/{pool.total}" for pool in pools
        )
        words += f" ({', '.join(parts)})"
    return words
