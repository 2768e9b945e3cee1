"""What would help a job of a cluster: reads what the offers to it are computed of.

Nothing is read for a job that no change of it would help. What nodes have left is taken from the watch that
keeps it, else listed. What may not be read is said.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Generic

from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import BackendError, Forbidden, NotFound, fragment
from backend_client.kubernetes.api.counted import CountedTransport
from backend_client.kubernetes.manifests.pod_template import limits
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.manifests.storage import claims_of
from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.node_selection import admits
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.kubernetes.resources.queue_types import QueueTypes
from backend_client.kubernetes.resources.quota import ResourceQuota
from backend_client.kubernetes.resources.resource_types import CLAIMS, NODES, QUOTAS, SECRETS, ResourceType, T
from backend_client.kubernetes.resources.scheduling import PlacedPod
from backend_client.kubernetes.resources.volumes import VOLUME_CLAIMS, VOLUMES, PersistentVolume
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.attempts import has_ended
from backend_client.kubernetes.status.block import Block, Blocked, alive, blocked_by
from backend_client.kubernetes.status.machines import Machine, MachineLedger, machines
from backend_client.kubernetes.status.offers import offers_for
from backend_client.kubernetes.status.prospect import Known, Prospect, added_by_admission, pod_count
from backend_client.kubernetes.status.queue_room import may_admit, queue_rooms
from backend_client.kubernetes.watch.gpu_watch import NOT_ENDED
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.watch.lists import NAMES_ONLY, list_all
from backend_client.kubernetes.write.field_errors import quota_findings
from backend_client.kubernetes.write.shared_objects import is_for
from backend_client.models import Job, JobSpec
from backend_client.models.names import closest_match
from backend_client.why import Explanation, Offer

_PLACED_PODS = ResourceType("/api/v1", "Pod", "pods", PlacedPod)
_REGISTRY_LOGINS = "type=kubernetes.io/dockerconfigjson"
_ASKED_ENOUGH = "no more is asked for at once"
_DEFAULT_QUEUE = "default"
"""The LocalQueue that Kueue gives to a job that names none (LocalQueueDefaulting)."""


class _Helps(Struct, frozen=True):
    """Offers, and what could not be read for them."""

    offers: tuple[Offer, ...] = ()
    unknown: tuple[str, ...] = ()


async def with_offers(explanation: Explanation, question: "Question") -> Explanation:
    """Return an explanation with what would help its job."""
    try:
        helps = await _READERS[question.blocked.block](question)
    except BackendError as error:
        helps = _Helps(unknown=(f"{fragment(error.title)}, so what would help is not known",))
    return replace(
        explanation,
        offers=(*explanation.offers, *helps.offers),
        unknown=(*explanation.unknown, *helps.unknown),
    )


class _Listed(Struct, Generic[T], frozen=True):
    """The objects of a list, or why it is not known."""

    items: tuple[T, ...]
    why_not: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """A job that is blocked, and where to ask about it."""

    transport: CountedTransport
    site: KubernetesSettings
    kueue: KueueLists
    job: Job
    blocked: Blocked
    pods: tuple[Pod, ...]
    """Those of the job that have not ended."""
    machines: MachineLedger | None
    """What nodes have left, where a watch keeps it."""
    owner: str
    """Whose claims and pull secrets may be named, where many share a namespace; "" for all."""

    @property
    def spec(self) -> JobSpec:
        return self.job.spec

    @property
    def namespace(self) -> str:
        return self.job.ref.namespace

    async def list(self, kind: ResourceType[T], namespace: str = "", **more: str) -> _Listed[T]:
        """List objects; without any, and why, where the caller may not or the cluster has no such kind."""
        if not self.transport.left:
            return _Listed((), _ASKED_ENOUGH)
        try:
            return _Listed(await list_all(self.transport, kind, namespace, in_pages=False, **more))
        except (Forbidden, NotFound) as error:
            return _Listed((), fragment(error.title))

    async def list_kueue(
        self, type_of: Callable[[QueueTypes], ResourceType[T]], namespace: str = ""
    ) -> _Listed[T]:
        """List objects of Kueue; without any, and why, as `list`."""
        if not self.transport.left:
            return _Listed((), _ASKED_ENOUGH)
        try:
            return _Listed(await self.kueue.list(self.transport, type_of, namespace))
        except (Forbidden, NotFound) as error:
            return _Listed((), fragment(error.title))

    async def nodes(self, *, empty: bool = False) -> "_Machines":
        """Return the nodes with what others have left of them; `empty`: as if no pod ran on them."""
        if self.machines is not None:
            return _Machines(self.machines.machines(self._own))
        nodes = self.list(NODES)
        if empty:
            listed = await nodes
            return _Machines(machines(listed.items, ()), listed.why_not)
        listed, pods = await asyncio.gather(nodes, self.list(_PLACED_PODS, fields=NOT_ENDED))
        return _Machines(machines(listed.items, pods.items, self._own), listed.why_not or pods.why_not)

    @property
    def _own(self) -> frozenset[str]:
        return frozenset(pod.uid for pod in self.pods)

    def offers(self, known: Known, names: Sequence[str] = ()) -> tuple[Offer, ...]:
        return offers_for(self.blocked, self.spec, Prospect(known), names)


class _Machines(Struct, frozen=True):
    """The nodes, or why they are not known."""

    all: tuple[Machine, ...]
    why_not: str = ""

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(machine.node for machine in self.all)


def question_of(
    explanation: Explanation,
    job: Job,
    pods: Iterable[Pod],
    *,
    transport: CountedTransport,
    site: KubernetesSettings,
    kueue: KueueLists,
    machines: MachineLedger | None = None,
    owner: str = "",
) -> Question | None:
    """Return what to ask for offers to a job; None where no change helps it, or it cannot be made again.

    A job of another tool, or of another person, cannot be submitted again from here.
    """
    blocked = blocked_by(job, explanation)
    if blocked is None or job.read_only or job.made_by:
        return None
    return Question(
        transport=transport,
        site=site,
        kueue=kueue,
        job=job,
        blocked=blocked,
        pods=tuple(pod for pod in pods if not has_ended(pod)),
        machines=machines,
        owner=owner,
    )


async def _by_nodes(question: Question) -> _Helps:
    """Read what nodes have left; of a job with claims its volumes, and quotas where they could matter."""
    by_quota = question.blocked.block is Block.QUOTA
    # the namespace admitted all pods as they are, and what is offered asks for no more
    admitted = not by_quota and len(question.pods) >= pod_count(question.spec)
    quotas = _Listed[ResourceQuota](()) if admitted else await question.list(QUOTAS, question.namespace)
    if by_quota and quotas.why_not:
        return _Helps(unknown=(f"{quotas.why_not}, so what is within them is not known",))
    found = await question.nodes()
    volumes = _Reach(why_not=found.why_not) if found.why_not else await _reach(question)
    known = _known(question, found, quotas.items)
    if volumes.why_not:
        unknown = (f"{volumes.why_not}, so what would fit is not known",)
        without = replace(known, machines=None, facts=ClusterFacts(namespace=question.namespace))
        return _Helps(question.offers(without) if by_quota else (), unknown)
    reachable = tuple(machine for machine in found.all if volumes.reaches(machine.node))
    return _Helps(question.offers(replace(known, machines=reachable)))


def _known(question: Question, found: _Machines, quotas: tuple[ResourceQuota, ...]) -> Known:
    own = question.pods
    known = Known(
        site=question.site,
        facts=ClusterFacts(namespace=question.namespace, nodes=found.nodes),
        machines=found.all,
        holds_nodes=any(pod.spec.node_name for pod in own),
        quota_allows=_quota_check(question, quotas),
    )
    if not own:
        return known
    live = min(own, key=lambda pod: bool(pod.spec.node_name)).spec
    rendered = Prospect(known).pod(question.spec)
    asked = rendered.spec.node_selector if rendered else {}
    return replace(
        known,
        added=added_by_admission(question.spec, question.site, live),
        selector={key: value for key, value in live.node_selector.items() if key not in asked},
    )


def _quota_check(question: Question, quotas: Iterable[ResourceQuota]) -> Callable[[JobSpec], bool]:
    """Return the check of a spec against quotas, of which the job itself uses nothing."""
    count = len(alive(question.job))
    left = [_without(quota, question.spec, question.site, count) for quota in quotas]

    def allows(spec: JobSpec) -> bool:
        findings = quota_findings(spec, question.site, left)
        return not (findings.errors or findings.warnings)

    return allows


def _without(quota: ResourceQuota, spec: JobSpec, site: KubernetesSettings, count: int) -> ResourceQuota:
    """Return a quota as it is once so many pods of a spec are gone."""
    each = {"pods": "1", **limits(spec, site)}
    used = {
        key: format(max(parse_quantity(amount) - count * parse_quantity(each.get(_bare(key), "0")), 0), "f")
        for key, amount in quota.status.used.items()
    }
    return replace(quota, status=replace(quota.status, used=used))


def _bare(key: str) -> str:
    return key.removeprefix("requests.").removeprefix("limits.")


class _Reach(Struct, frozen=True):
    """Which nodes can mount all volumes of a job."""

    volumes: tuple[PersistentVolume, ...] = ()
    why_not: str = ""

    def reaches(self, node: Node) -> bool:
        affinities = (volume.spec.node_affinity for volume in self.volumes)
        return all(admits(affinity.required, node) for affinity in affinities if affinity)


async def _reach(question: Question) -> _Reach:
    """Read where the volumes of a job can be mounted; asks nothing for a job without claims."""
    wanted = {claim for _, claim in claims_of(question.spec)}
    if not wanted:
        return _Reach()
    claims = await question.list(VOLUME_CLAIMS, question.namespace)
    if claims.why_not:
        return _Reach(why_not=claims.why_not)
    bound = {claim.name: claim.spec.volume_name for claim in claims.items if claim.is_for_many_nodes}
    if fixed := sorted(name for name in wanted if not bound.get(name)):
        return _Reach(why_not=f"not every node may be able to mount the volume of {fixed[0]}")
    volumes = await question.list(VOLUMES)
    if volumes.why_not:
        return _Reach(why_not=volumes.why_not)
    return _reach_of({name: bound[name] for name in wanted}, volumes.items)


def _reach_of(bound: Mapping[str, str], volumes: Iterable[PersistentVolume]) -> _Reach:
    """`bound`: claim -> volume."""
    by_name = {volume.name: volume for volume in volumes}
    if lost := sorted(claim for claim, volume in bound.items() if volume not in by_name):
        return _Reach(why_not=f"not every node may be able to mount the volume of {lost[0]}")
    return _Reach(tuple(by_name[bound[claim]] for claim in sorted(bound)))


async def _by_size(question: Question) -> _Helps:
    """Read nodes and quotas: what a job that ran out of something may have more of."""
    found, quotas = await asyncio.gather(
        question.nodes(empty=True), question.list(QUOTAS, question.namespace)
    )
    if why_not := found.why_not or quotas.why_not:
        return _Helps(unknown=(f"{why_not}, so how much more it could have is not known",))
    return _Helps(question.offers(_known(question, found, quotas.items)))


async def _by_queues(question: Question) -> _Helps:
    """Read the queues; where one could let the job in, also which nodes its flavors are, and the nodes."""
    local = await question.list_kueue(lambda types: types.local_queues, question.namespace)
    cluster = await question.list_kueue(lambda types: types.cluster_queues)
    own_queue = _own_queue(question.job)
    if why_not := local.why_not or cluster.why_not:
        return _Helps(unknown=(f"{why_not}, so what the queues have idle is not known",))
    if not may_admit(local.items, cluster.items, own_queue):
        return _Helps()
    flavors = await question.list_kueue(lambda types: types.flavors)
    if flavors.why_not:
        return _Helps(unknown=(f"{flavors.why_not}, so what the queues have idle is not known",))
    found = await question.nodes(empty=True)
    known = Known(
        site=question.site,
        facts=ClusterFacts(namespace=question.namespace, nodes=None if found.why_not else found.nodes),
        machines=None if found.why_not else found.all,
        own_queue=own_queue,
        queues=queue_rooms(local.items, cluster.items, flavors.items),
    )
    return _Helps(question.offers(known))


def _own_queue(job: Job) -> str:
    return job.spec.queue or (job.queue.queue if job.queue else _DEFAULT_QUEUE)


async def _by_queue_names(question: Question) -> _Helps:
    listed = await question.list_kueue(lambda types: types.local_queues, question.namespace)
    if listed.why_not:
        return _Helps(unknown=(f"{listed.why_not}, so which queues there are is not known",))
    names = sorted(queue.name for queue in listed.items if queue.has_condition("Active"))
    closest = closest_match(question.spec.queue, names)
    return _Helps(question.offers(_bare_known(question), sorted(names, key=lambda name: name != closest)))


async def _by_names(question: Question, kind: ResourceType[Object], fields: str = "") -> _Helps:
    """Read the names of claims or pull secrets, of a person's in a namespace that many share."""
    listed = await question.list(kind, question.namespace, fields=fields, accept=NAMES_ONLY)
    if listed.why_not:
        return _Helps(unknown=(f"{listed.why_not}, so what could be meant is not known",))
    owner = question.owner
    names = sorted(item.name for item in listed.items if not owner or is_for(item, owner))
    return _Helps(question.offers(_bare_known(question), names))


async def _by_itself(question: Question) -> _Helps:
    return _Helps(question.offers(_bare_known(question)))


def _bare_known(question: Question) -> Known:
    return Known(site=question.site, facts=ClusterFacts(namespace=question.namespace))


_READERS: dict[Block, Callable[[Question], Awaitable[_Helps]]] = {
    Block.NODES: _by_nodes,
    Block.QUOTA: _by_nodes,
    Block.QUEUE: _by_queues,
    Block.QUEUE_NEVER: _by_itself,
    Block.QUEUE_MISSING: _by_queue_names,
    Block.CLAIM_MISSING: partial(_by_names, kind=CLAIMS),
    Block.PULL_SECRET_MISSING: partial(_by_names, kind=SECRETS, fields=_REGISTRY_LOGINS),
    Block.HOST_PATH: _by_itself,
    Block.MEMORY: _by_size,
    Block.SHM: _by_size,
}
