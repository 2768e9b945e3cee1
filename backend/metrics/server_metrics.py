"""The server itself as metrics (pure): clusters, requests, logins, streams."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from backend.metrics.text_format import Family, Sample
from backend.request_counts import BOUNDS, RequestCounts
from backend_client.protocol import Capacity, FreshnessState
from backend_client.server.wire import ClusterLink
from backend_client.usage import UsageSource


def cluster_families(links: Iterable[ClusterLink], now: datetime) -> list[Family]:
    """Return how the watch of each cluster stands, and for how long it has told nothing new."""
    links = [*links]
    states = [
        Sample(link.state is state, {"cluster": link.cluster, "state": state})
        for link in links
        for state in FreshnessState
    ]
    ages = [
        Sample(
            0 if link.state is FreshnessState.LIVE else max(0.0, (now - link.since).total_seconds()),
            {"cluster": link.cluster},
        )
        for link in links
    ]
    return [
        Family("traindeck_cluster_watch", "gauge", "1 for the state of a cluster's watch, else 0.", states),
        Family(
            "traindeck_cluster_watch_age_seconds",
            "gauge",
            "How old what is known of a cluster's jobs is; 0 while its watch is live.",
            ages,
        ),
    ]


def source_families(sources: Mapping[str, Iterable[UsageSource]]) -> list[Family]:
    """Return whether each source of figures of what jobs use tells anything, by cluster."""
    return [
        Family(
            "traindeck_usage_source_up",
            "gauge",
            "1 for a source that tells what the jobs of a cluster use, 0 for one that does not answer.",
            [
                Sample(bool(source.gives) and not source.since, {"cluster": cluster, "source": source.name})
                for cluster, found in sources.items()
                for source in found
            ],
        )
    ]


def gpu_families(capacities: Mapping[str, Capacity]) -> list[Family]:
    """Return the GPUs of the clusters that tell of theirs, by product; nothing of the others."""
    samples = [
        Sample(count, {"cluster": cluster, "product": pool.product, "state": state})
        for cluster, capacity in capacities.items()
        for pool in capacity.pools
        if pool.usable
        for state, count in (("free", pool.free), ("held", pool.total - pool.free))
    ]
    return [
        Family(
            "traindeck_gpus",
            "gauge",
            "GPUs of a cluster, free or held by whomever; nothing where the server may not see them.",
            samples,
        )
    ]


def request_families(counts: RequestCounts) -> list[Family]:
    """Return the requests since the start."""
    totals = [
        Sample(count, {"method": method, "route": route, "status": str(status)})
        for (method, route, status), count in sorted(counts.by_route.items())
    ]
    buckets, below = [], 0
    for bound, count in zip((*(f"{bound:g}" for bound in BOUNDS), "+Inf"), counts.buckets, strict=True):
        below += count
        buckets.append(Sample(below, {"le": bound}, "_bucket"))
    return [
        Family("traindeck_requests_total", "counter", "Requests that were answered.", totals),
        Family(
            "traindeck_request_seconds",
            "histogram",
            "Until an answer began; streams count too.",
            [*buckets, Sample(counts.seconds, suffix="_sum"), Sample(below, suffix="_count")],
        ),
    ]


def login_families(refused: Mapping[str, int], streams: Mapping[int, int]) -> list[Family]:
    """Return refused logins by reason, and the streams that are open now."""
    return [
        Family(
            "traindeck_logins_refused_total",
            "counter",
            "Passwords that were wrong or not even checked, tokens that are of no login or have ended.",
            [Sample(count, {"why": why}) for why, count in sorted(refused.items())],
        ),
        Family(
            "traindeck_open_streams",
            "gauge",
            "Watches and logs that are being followed.",
            [Sample(sum(streams.values()))],
        ),
        Family(
            "traindeck_streaming_logins",
            "gauge",
            "Logins that have a stream open.",
            [Sample(sum(1 for open_ in streams.values() if open_))],
        ),
    ]
