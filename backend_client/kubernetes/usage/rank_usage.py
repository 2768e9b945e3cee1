"""One job's use by rank, out of what the sources tell of its pods (pure)."""

from collections.abc import Iterable, Mapping

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.prometheus.pod_spans import PodKey, PodSpan
from backend_client.prometheus.usage_samples import Containers, time_of
from backend_client.usage import GpuUsage, RankUsage


def rank_usages(
    spans: Iterable[PodSpan],
    gpus: Mapping[PodKey, tuple[GpuUsage, ...]],
    containers: Mapping[PodKey, Containers],
    pods: Iterable[Pod],
) -> tuple[RankUsage, ...]:
    """Return the use of each rank that runs, also of those that nobody tells of."""
    limits = {pod.name: memory_limit(pod) for pod in pods}
    return tuple(
        _rank_usage(span, gpus.get(span.key, ()), containers.get(span.key), limits.get(span.pod))
        for span in sorted(spans, key=lambda span: span.rank)
    )


def _rank_usage(
    span: PodSpan, gpus: tuple[GpuUsage, ...], used: Containers | None, limit: int | None
) -> RankUsage:
    rank = RankUsage(
        rank=span.rank,
        attempt=span.attempt,
        node=span.node,
        pod=span.pod,
        gpus=gpus,
        memory_limit=limit,
    )
    if used is None or (used.time is not None and not span.covers(used.time)):
        return rank
    return RankUsage(
        rank=span.rank,
        attempt=span.attempt,
        node=span.node,
        pod=span.pod,
        gpus=gpus,
        cpu=used.cpu,
        memory=used.memory,
        memory_limit=limit,
        containers=used.containers,
        as_of=None if used.time is None else time_of(used.time),
    )


def memory_limit(pod: Pod) -> int | None:
    """Return how much memory a pod may use; None where that is not limited for all of its containers."""
    if whole := pod.spec.resources.limits.get("memory"):
        return parse_whole(whole)
    sidecars = (one for one in pod.spec.init_containers if one.restart_policy == "Always")
    limits = [one.resources.limits.get("memory", "") for one in (*pod.spec.containers, *sidecars)]
    return sum(map(parse_whole, limits)) if limits and all(limits) else None
