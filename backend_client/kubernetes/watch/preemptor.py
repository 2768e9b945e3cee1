"""The job that a waiting job gave way to: Kueue tells its uid, its Workload the name."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.kueue import JOB_UID, Workload
from backend_client.kubernetes.status.kueue_history import NameOf, eviction, preemptor_of
from backend_client.kubernetes.watch.job_cache import JobCache, JobObjects
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.why import MayName, anyone

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
"""What may stand in a label selector."""


def preemptor_uids(workloads: Iterable[Workload]) -> set[str]:
    """Return the uids of the jobs that these Workloads gave way to, and wait since."""
    found = (preemptor_of(evicted.message) for item in workloads if (evicted := eviction(item)))
    return {preemptor.job_uid for preemptor in found if preemptor and _UID.fullmatch(preemptor.job_uid)}


async def namer(
    transport: Transport,
    kueue: KueueLists,
    objects: JobObjects,
    watched: Sequence[JobCache],
    may_name: MayName,
) -> NameOf:
    """Return what names the jobs that a job gave way to: as an open watch knows them, else read.

    What may not be named is not looked for. A server, which reads for a person, looks in the whole cluster.
    """
    names: dict[str, str] = {}
    namespace = objects.root.namespace if may_name is anyone else ""
    for uid in filter(may_name, preemptor_uids(objects.related.workloads.values())):
        known = (cache.name_of(uid) for cache in watched)
        names[uid] = next(filter(None, known), "") or await preemptor_name(transport, kueue, uid, namespace)
    return lambda uid: names.get(uid, "")


async def preemptor_name(transport: Transport, kueue: KueueLists, uid: str, namespace: str) -> str:
    """Return the name of the job with this uid by its Workload; "" where it may not be read, or is gone.

    `namespace`: where it is looked for; "" is the whole cluster. One request, two with an old Kueue.
    """
    with suppress(Forbidden, NotFound):
        found = await kueue.list(
            transport, lambda types: types.workloads, namespace, labels=f"{JOB_UID}={uid}"
        )
        owners = (owner for item in found for owner in item.metadata.owner_references)
        return next((owner.name for owner in owners if owner.uid == uid), "")
    return ""
