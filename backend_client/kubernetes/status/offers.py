"""What would help a job that is blocked: changes of it that are certain to, each checked anew (pure).

Certain means: with the change all pods of the job fit on nodes as they are now, or are within a quota, or
within what a queue has idle; as the sentence says. What only an administrator can change is no offer.
"""

from collections.abc import Callable, Iterator, Sequence

from backend_client.kubernetes.status import name_offers, node_offers, queue_offers
from backend_client.kubernetes.status.block import Block, Blocked
from backend_client.kubernetes.status.prospect import Prospect
from backend_client.models import JobSpec
from backend_client.why import Offer

Names = Sequence[str]
_Way = Callable[[JobSpec, Prospect, str, Names], Iterator[Offer]]

_WAYS: dict[Block, _Way] = {
    Block.NODES: lambda spec, prospect, _, __: node_offers.for_nodes(spec, prospect),
    Block.QUOTA: lambda spec, prospect, raw, _: node_offers.for_quota(spec, prospect, raw),
    Block.QUEUE: lambda spec, prospect, _, __: queue_offers.for_queue(spec, prospect),
    Block.QUEUE_NEVER: lambda spec, prospect, raw, _: queue_offers.below_maximum(
        spec, raw, prospect.known.site.gpu_resource
    ),
    Block.QUEUE_MISSING: lambda spec, _, __, names: queue_offers.other_queues(spec, names),
    Block.CLAIM_MISSING: lambda spec, _, raw, names: name_offers.only_claim(spec, raw, names),
    Block.PULL_SECRET_MISSING: lambda spec, _, raw, names: name_offers.only_secret(spec, raw, names),
    Block.HOST_PATH: lambda spec, _, __, ___: name_offers.without_host_paths(spec),
    Block.MEMORY: lambda spec, prospect, _, __: node_offers.more_memory(spec, prospect),
    Block.SHM: lambda spec, prospect, _, __: node_offers.more_shm(spec, prospect),
}


def offers_for(blocked: Blocked, spec: JobSpec, prospect: Prospect, names: Names = ()) -> tuple[Offer, ...]:
    """Return what would help a job, the best first.

    `names`: the objects that could stand where one is missing: queues, claims, pull secrets.
    """
    return tuple(_WAYS[blocked.block](spec, prospect, blocked.raw, names))
