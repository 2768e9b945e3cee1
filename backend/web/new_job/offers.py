"""What the form for a new job offers beside its fields: choices, free GPUs, jobs to begin with."""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from backend.auth.caller import Caller
from backend.jobs import cluster_reading, history_query
from backend.jobs.choices import choices_for
from backend.runtime import Runtime
from backend_client.errors import BackendError, fragment
from backend_client.gpu_nodes import GpuNodes
from backend_client.history import HistoryEntry, HistoryQuery
from backend_client.models import JobRef
from backend_client.protocol import Choice, FieldRule, Use
from backend_client.text.form_fields import FIELDS_WITH_CHOICES

PATIENCE = 3.0
"""Seconds that a form waits for what it only offers."""
_SLOW = f"no answer in {PATIENCE:g} s"
_NONE_CHOSEN = "no cluster is chosen"
_LOOKED_AT, _MOST_RECENT = 50, 8

Choices = Mapping[str, Sequence[Choice] | str]
"""Field -> its choices, or why they are not known."""


class Offers(Struct, frozen=True):
    """What a form offers."""

    choices: Choices
    machines: GpuNodes
    recent: Sequence[tuple[HistoryEntry, JobRef]]
    """The caller's last jobs, each name once."""


async def offers_for(
    runtime: Runtime, caller: Caller, rules: Mapping[str, FieldRule], cluster: str
) -> Offers:
    """Ask for what a form offers. What its cluster does not say in time is not known."""
    choices, machines, recent = await asyncio.gather(
        _choices(runtime, caller, rules, cluster), free_machines(runtime, caller), _recent(runtime, caller)
    )
    return Offers(choices, machines, recent)


async def free_machines(runtime: Runtime, caller: Caller) -> GpuNodes:
    """Return the machines with GPUs, or why they are not known."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await cluster_reading.nodes(runtime.jobs, caller, "")
    except TimeoutError:
        return GpuNodes(unknown_because=_SLOW)


async def _choices(runtime: Runtime, caller: Caller, rules: Mapping[str, FieldRule], cluster: str) -> Choices:
    """Return the choices of all fields, asked for one after the other: a cluster has other things to do."""
    fields = [name for name in FIELDS_WITH_CHOICES if rules[name].use != Use.REFUSED]
    found: dict[str, Sequence[Choice] | str] = dict.fromkeys(fields, _SLOW)
    if not cluster and len([*runtime.jobs.clusters]) > 1:
        found = dict.fromkeys(fields, _NONE_CHOSEN)
        fields = ["cluster"]
    try:
        async with asyncio.timeout(PATIENCE):
            for name in fields:
                try:
                    found[name] = await choices_for(runtime.jobs, caller, name, cluster)
                except BackendError as error:
                    found[name] = fragment(error.title)
    except TimeoutError:
        pass
    return found


async def _recent(runtime: Runtime, caller: Caller) -> Sequence[tuple[HistoryEntry, JobRef]]:
    query = HistoryQuery(user=caller.name)
    page = await history_query.page(runtime.database, caller, query, "", _LOOKED_AT)
    newest = {entry.name: entry for entry in reversed(page.items) if entry.uid}
    entries = sorted(newest.values(), key=lambda entry: entry.created, reverse=True)[:_MOST_RECENT]
    return [(one, JobRef(one.cluster, one.namespace, one.kind, one.name, one.uid)) for one in entries]
