"""Which exporter of GPU figures a Prometheus scrapes, and how that calls its metrics and a GPU's pod.

A scrape without `honor_labels` keeps `pod` for the exporter's own pod and calls the one that holds the GPU
`exported_pod`; a GPU that nobody holds has neither, but may have the exporter's. docs/FACTS.md, "Use".
"""

import asyncio
import itertools
from collections.abc import Mapping, Sequence

from msgspec import Struct

from backend_client.prometheus.client import PrometheusClient, Series
from backend_client.prometheus.promql import equals

DISCOVERY_SECONDS = 10.0
"""The time that finding out may take: it looks at all GPUs, and is done once."""
SCRAPE_SECONDS = 30.0
"""How often an exporter is read where that cannot be seen: what dcgm-exporter collects by default."""
_MEBI = float(2**20)


class Exporter(Struct, frozen=True, kw_only=True):
    """The names that one exporter gives its metrics and labels; "" for what it does not have."""

    name: str
    utilisation: str
    """0 to 100."""
    activity: str = ""
    """0 to 1."""
    memory_used: str
    memory_free: str = ""
    memory_reserved: str = ""
    memory_total: str = ""
    memory_unit: float = _MEBI
    """Bytes."""
    power: tuple[str, ...] = ()
    """Watts; the first that is there."""
    temperature: tuple[str, ...] = ()
    xid: str = ""
    card: str
    """The label that names a card."""
    part: str = ""
    """The label that names a part of it that is a GPU of its own: a MIG instance, a partition."""
    index: str
    """The label with its number on its node."""
    product: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """All names of metrics."""
        memory = self.memory_used, self.memory_free, self.memory_reserved, self.memory_total
        names = (self.utilisation, self.activity, *memory, *self.power, *self.temperature, self.xid)
        return tuple(filter(None, names))


DCGM = Exporter(
    name="dcgm-exporter",
    utilisation="DCGM_FI_DEV_GPU_UTIL",
    activity="DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    memory_used="DCGM_FI_DEV_FB_USED",
    memory_free="DCGM_FI_DEV_FB_FREE",
    memory_reserved="DCGM_FI_DEV_FB_RESERVED",
    power=("DCGM_FI_DEV_POWER_USAGE",),
    temperature=("DCGM_FI_DEV_GPU_TEMP",),
    xid="DCGM_FI_DEV_XID_ERRORS",
    card="UUID",
    part="GPU_I_ID",
    index="gpu",
    product="modelName",
)
OLD_DCGM = Exporter(
    name="dcgm-exporter (before 2.0)",
    utilisation="dcgm_gpu_utilization",
    memory_used="dcgm_fb_used",
    memory_free="dcgm_fb_free",
    power=("dcgm_power_usage",),
    temperature=("dcgm_gpu_temp",),
    xid="dcgm_xid_errors",
    card="uuid",
    index="gpu",
)


def _amd(prefix: str) -> Exporter:
    return Exporter(
        name="AMD device-metrics-exporter",
        utilisation=f"{prefix}gpu_gfx_activity",
        memory_used=f"{prefix}gpu_used_vram",
        memory_total=f"{prefix}gpu_total_vram",
        power=tuple(
            f"{prefix}gpu_{name}" for name in ("package_power", "power_usage", "average_package_power")
        ),
        temperature=tuple(f"{prefix}gpu_{name}_temperature" for name in ("junction", "edge")),
        card="serial_number",
        part="gpu_id",
        index="gpu_id",
        product="card_series",
    )


EXPORTERS = (DCGM, OLD_DCGM, _amd(""), _amd("amd_"))
POD_LABELS = (("exported_pod", "exported_namespace"), ("pod", "namespace"), ("pod_name", "pod_namespace"))
"""What the pod that holds a GPU may be called, and its namespace: the surest first."""


class FoundExporter(Struct, frozen=True):
    """An exporter as one Prometheus has it."""

    exporter: Exporter
    pod: str
    """The label with the name of the pod that holds a GPU."""
    namespace: str
    metrics: frozenset[str]
    """Those that are there."""

    def has(self, metric: str) -> bool:
        """Return whether a metric is there."""
        return metric in self.metrics

    def first(self, metrics: Sequence[str]) -> str:
        """Return the first metric that is there; "" where none is."""
        return next(filter(self.has, metrics), "")


class Discovery(Struct, frozen=True):
    """What was found out of a Prometheus: it changes only with its configuration."""

    exporters: tuple[FoundExporter, ...] = ()
    seen: tuple[str, ...] = ()
    """Exporters that are there, but tell of no pod: nobody holds a GPU, or pods are not told at all."""
    containers: bool = False
    """Whether it has what the kubelets tell of containers (cAdvisor)."""
    interval: float = SCRAPE_SECONDS
    """Seconds between two scrapes of the exporter."""


def metrics_query() -> str:
    """Return the query for all metrics of exporters that are there."""
    names = "|".join(name for exporter in EXPORTERS for name in exporter.metrics)
    return f'count by (__name__) ({{__name__=~"{names}"}})'


def pod_query(pod: str, namespace: str) -> str:
    """Return the query for exporters that tell a GPU's pod by this label.

    What has its own pod there is left out: the labels of a scrape are those of its `up`.
    """
    names = "|".join(exporter.memory_used for exporter in EXPORTERS)
    selected = f'{{__name__=~"{names}",{pod}!=""}}'
    if pod == "pod":
        selected += f" unless on (instance,job,{pod},{namespace}) up"
    return f"count by (__name__) ({selected})"


CONTAINERS_QUERY = 'count(container_memory_working_set_bytes{pod!=""})'


def target_query(exporters: Sequence[FoundExporter]) -> str:
    """Return the query for one target of an exporter."""
    metric = exporters[0].exporter.memory_used if exporters else "container_memory_working_set_bytes"
    return f"topk(1, count by (job,instance) ({metric}))"


def up_query(target: Mapping[str, str]) -> str:
    """Return the query for the raw points of a target's `up`."""
    return (
        f"up{{{equals('job', target.get('job', ''))},{equals('instance', target.get('instance', ''))}}}[5m]"
    )


def found_exporters(
    there: Sequence[Series], with_pod: Mapping[tuple[str, str], Sequence[Series]]
) -> Discovery:
    """Return what the answers to `metrics_query` and to `pod_query` (by its labels) say."""
    metrics = frozenset(series.metric.get("__name__", "") for series in there)
    names_by = {
        labels: {series.metric.get("__name__", "") for series in answer}
        for labels, answer in with_pod.items()
    }
    found, seen = [], []
    for exporter in EXPORTERS:
        if not metrics.intersection(exporter.metrics):
            continue
        labels = next((pair for pair in POD_LABELS if exporter.memory_used in names_by.get(pair, ())), None)
        if labels:
            found.append(FoundExporter(exporter, *labels, metrics.intersection(exporter.metrics)))
        else:
            seen.append(exporter.name)
    return Discovery(tuple(found), tuple(seen))


def interval_of(ups: Sequence[Series]) -> float:
    """Return the seconds between two scrapes, out of the raw points of an `up`; the default for too few."""
    times = next(([time for time, _ in series.values] for series in ups if len(series.values) > 1), [])
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    return max(1.0, round(gaps[len(gaps) // 2])) if gaps else SCRAPE_SECONDS


async def discover(client: PrometheusClient) -> Discovery:
    """Find out what a Prometheus has of jobs. Raises a BackendError."""
    there, containers, *answers = await asyncio.gather(
        client.instant(metrics_query(), seconds=DISCOVERY_SECONDS),
        client.instant(CONTAINERS_QUERY, seconds=DISCOVERY_SECONDS),
        *(client.instant(pod_query(*labels), seconds=DISCOVERY_SECONDS) for labels in POD_LABELS),
    )
    found = found_exporters(there, dict(zip(POD_LABELS, answers, strict=True)))
    target = await client.instant(target_query(found.exporters), seconds=DISCOVERY_SECONDS)
    interval = SCRAPE_SECONDS
    if target:
        interval = interval_of(await client.instant(up_query(target[0].metric)))
    return Discovery(found.exporters, found.seen, bool(containers), interval)
