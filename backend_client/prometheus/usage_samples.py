"""Answers of Prometheus -> what pods, GPUs and jobs use (pure). What nobody told is None, never 0."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from backend_client.models import JobUsage
from backend_client.prometheus.client import Series, number_of
from backend_client.prometheus.gpu_exporter import FoundExporter
from backend_client.prometheus.pod_spans import PodKey, PodSpan
from backend_client.prometheus.usage_queries import NO_VALUE, STAT
from backend_client.usage import UNUSED, ContainerUsage, GpuUsage, Measure, UsageSeries, idle_parts

MOST_SHARE = 1.01
"""A share beyond it is no figure."""
_MOST_AMOUNT = 2.0**60
"""Of any measure, an exabyte: nobody has more, and a database keeps whole numbers below 2^63."""


class PodUse(Struct, gc=False):
    """What one pod uses, in sum over its GPUs; filled in as answers come."""

    gpu: float | None = None
    """Sum of shares."""
    gpus: float | None = None
    """How many GPUs that is the sum of."""
    gpu_least: float | None = None
    idle: int = 0
    """How many of them are not used."""
    memory: float | None = None
    """Bytes, of its GPUs, as the next ones."""
    memory_free: float | None = None
    memory_total: float | None = None
    """Where an exporter tells that, and not what is free."""
    memory_most: float | None = None
    """Of its fullest GPU."""
    memory_least: float | None = None
    """What is free of that, or where only that is told its size."""
    power: float | None = None
    xid: float | None = None
    cpu: float | None = None
    rss: float | None = None
    gpu_time: float | None = None
    """Unix time of the oldest figure of a GPU."""
    cpu_time: float | None = None

    @property
    def memory_size(self) -> float | None:
        """All memory of its GPUs."""
        if self.memory_free is None:
            return self.memory_total
        return None if self.memory is None else self.memory + self.memory_free

    @property
    def fullest(self) -> tuple[float, float] | None:
        """The share of its fullest GPU's memory that is used, and the size of that."""
        if self.memory_most is None or self.memory_least is None:
            return None
        size = self.memory_least if self.memory_free is None else self.memory_most + self.memory_least
        return (min(1.0, self.memory_most / size), size) if size > 0 else None


PodUses = dict[PodKey, PodUse]
_FIELDS: dict[tuple[Measure | str, str], str] = {
    (Measure.MEMORY, "used"): "memory",
    (Measure.MEMORY, "free"): "memory_free",
    (Measure.MEMORY, "total"): "memory_total",
    (Measure.MEMORY, "most"): "memory_most",
    (Measure.MEMORY, "least"): "memory_least",
    (Measure.POWER, ""): "power",
    ("xid", ""): "xid",
    ("time", ""): "gpu_time",
    (Measure.CPU, ""): "cpu",
    (Measure.RSS, ""): "rss",
}


def add_sums(
    uses: PodUses,
    measure: Measure | str,
    answer: Iterable[Series],
    labels_of_pod: tuple[str, str],
    memory_unit: float = 1.0,
) -> None:
    """Add the answer to a query of `usage_queries.sums_queries` to what is known of pods.

    `labels_of_pod`: those of its namespace and its name. A group without one are GPUs that nobody holds.
    """
    namespace, pod = labels_of_pod
    shares, unit = measure is Measure.UTILISATION, memory_unit if measure is Measure.MEMORY else 1.0
    for series in answer:
        labels, value = series.metric, series.value
        key = labels.get(namespace, ""), labels.get(pod, "")
        name = "" if shares else _FIELDS.get((measure, labels.get(STAT, "")))
        if name is None or not key[1] or value is None or (number := _amount(value[1])) is None:
            continue
        use = uses.get(key)
        if use is None:
            use = uses[key] = PodUse()
        if shares:
            _add_share(use, number)
            continue
        setattr(use, name, number * unit)
        if measure is Measure.CPU:
            use.cpu_time = value[0]


def _amount(text: str) -> float | None:
    """Return a figure; None for one that no measure of ours has: an exporter's mark of a blank."""
    number = number_of(text)
    return number if number is not None and 0 <= number < _MOST_AMOUNT else None


def _add_share(use: PodUse, share: float) -> None:
    if not 0 <= share <= MOST_SHARE:
        return
    share = min(1.0, share)
    use.gpu, use.gpus = (use.gpu or 0.0) + share, (use.gpus or 0.0) + 1
    use.gpu_least = share if use.gpu_least is None else min(use.gpu_least, share)
    use.idle += share < UNUSED


def sum_of(spans: Sequence[PodSpan], uses: Mapping[PodKey, PodUse], source: str) -> JobUsage | None:
    """Return what a job uses in sum over its pods; None where nobody tells of any.

    A sum is that of all its ranks, or it is not known: one that lacks a rank would be too small. A figure
    from before a pod was the job's is another's.
    """
    by_rank = [(span.rank, _since(span, use)) for span in spans if (use := uses.get(span.key))]
    by_rank.sort(key=lambda pair: pair[0])
    known = [use for _, use in by_rank]
    if not known:
        return None
    with_gpus = [use for use in known if use.gpus or use.memory is not None]
    whole = len(known) == len(spans)
    used, total = _sum(use.memory for use in with_gpus), _sum(use.memory_size for use in with_gpus)
    gpu, gpus = _sum(use.gpu for use in with_gpus), _sum(use.gpus for use in with_gpus)
    cpu, rss = (_sum(use.cpu for use in known), _sum(use.rss for use in known)) if whole else (None, None)
    xids = [use.xid for use in known if use.xid is not None]
    mean = gpu / gpus if gpu is not None and gpus else None
    share, size = max((full for use in with_gpus if (full := use.fullest)), default=(None, None))
    usage = JobUsage(
        gpu=mean,
        gpu_min=min((use.gpu_least for use in with_gpus if use.gpu_least is not None), default=None),
        gpu_memory=used / total if used is not None and total else None,
        gpu_memory_max=share,
        gpu_memory_total=None if size is None else round(size),
        gpus_idle=None if mean is None else sum(use.idle for use in with_gpus),
        power=_sum(use.power for use in with_gpus),
        cpu=cpu,
        memory=None if rss is None else round(rss),
        xid=round(max(xids)) if xids else None,
        idle=idle_parts(((str(rank), use.gpu_least) for rank, use in by_rank), mean),
        source=source,
        as_of=_oldest(known),
    )
    empty = JobUsage(source=source, as_of=usage.as_of)
    return None if usage == empty else usage


def _since(span: PodSpan, use: PodUse) -> PodUse:
    """Return a pod's figures without those from before it was the job's."""
    if use.gpu_time is not None and not span.covers(use.gpu_time):
        return PodUse(cpu=use.cpu, rss=use.rss, cpu_time=use.cpu_time)
    return use


def _sum(values: Iterable[float | None]) -> float | None:
    """Return a sum; None where any part is not known, or there is none."""
    total = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total


def _oldest(uses: Iterable[PodUse]) -> datetime | None:
    times = [time for use in uses for time in (use.gpu_time, use.cpu_time) if time is not None]
    return time_of(min(times)) if times else None


def time_of(seconds: float) -> datetime | None:
    """Return a Unix time; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def gpus_of(
    found: FoundExporter, answers: Mapping[str, Sequence[Series]], spans: Iterable[PodSpan]
) -> dict[PodKey, tuple[GpuUsage, ...]]:
    """Return each GPU of some pods, by pod, out of the answers to `usage_queries.gpu_queries`."""
    exporter = found.exporter
    by_key = {span.key: span for span in spans}
    shared = {series.metric.get(exporter.card, "") for series in answers["shared"]}
    times = {_card(found, series.metric): series.number for series in answers["times"]}
    figures: defaultdict[PodKey, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    labels: dict[tuple[PodKey, str], dict[str, str]] = {}
    for series in answers["gpus"]:
        key, card = _card(found, series.metric)
        if key in by_key and series.value and (number := _amount(series.value[1])) is not None:
            figures[key][card][series.metric.get("__name__", "")] = number
            labels[key, card] = series.metric
    gpus: dict[PodKey, tuple[GpuUsage, ...]] = {}
    for key, cards in figures.items():
        fresh = [
            _gpu(found, labels[key, card], values, times.get((key, card)), shared)
            for card, values in cards.items()
            if by_key[key].covers(times.get((key, card)) or by_key[key].since or 0.0)
        ]
        if fresh:
            gpus[key] = tuple(sorted(fresh, key=_gpu_order))
    return gpus


def _gpu(
    found: FoundExporter,
    labels: Mapping[str, str],
    values: Mapping[str, float],
    time: float | None,
    shared: set[str],
) -> GpuUsage:
    exporter = found.exporter
    card, part = labels.get(exporter.card, ""), labels.get(exporter.part, "") if exporter.part else ""
    used = values.get(exporter.memory_used)
    parts = [values.get(name) for name in (exporter.memory_used, exporter.memory_free)]
    total = values.get(exporter.memory_total) if exporter.memory_total else _sum(parts)
    if total is not None:
        total += values.get(exporter.memory_reserved, 0.0)
    xid = values.get(exporter.xid)
    return GpuUsage(
        gpu=gpu_name(found, labels),
        uuid=card,
        product=labels.get(exporter.product, "") if exporter.product else "",
        utilisation=_share(values.get(exporter.utilisation), 100),
        activity=_share(values.get(exporter.activity), 1),
        memory=None if used is None else round(used * exporter.memory_unit),
        memory_total=None if total is None else round(total * exporter.memory_unit),
        power=next((values[name] for name in exporter.power if name in values), None),
        temperature=next((values[name] for name in exporter.temperature if name in values), None),
        xid=None if xid is None else round(xid),
        shared=card in shared or (bool(part) and exporter.part != exporter.index),
        as_of=None if time is None else time_of(time),
    )


def gpu_name(found: FoundExporter, labels: Mapping[str, str]) -> str:
    """Return what a GPU is called on its machine: "3", of a MIG instance "3/1", without a number its UUID."""
    exporter = found.exporter
    number = labels.get(exporter.index, "") or labels.get(exporter.card, "")
    part = labels.get(exporter.part, "") if exporter.part and exporter.part != exporter.index else ""
    return f"{number}/{part}" if part else number


def _card(found: FoundExporter, labels: Mapping[str, str]) -> tuple[PodKey, str]:
    exporter = found.exporter
    key = labels.get(found.namespace, ""), labels.get(found.pod, "")
    return key, f"{labels.get(exporter.card, '')}/{labels.get(exporter.part, '') if exporter.part else ''}"


def _gpu_order(gpu: GpuUsage) -> tuple[int, str]:
    number = gpu.gpu.partition("/")[0]
    return int(number) if number.isdecimal() and len(number) < 9 else 0, gpu.gpu


def _share(value: float | None, whole: float) -> float | None:
    if value is None or not 0 <= value <= whole * MOST_SHARE:
        return None
    return min(1.0, value / whole)


class Containers(Struct, frozen=True):
    """CPU and memory of one pod, and by container where it has more than one."""

    cpu: float | None
    memory: int | None
    containers: tuple[ContainerUsage, ...]
    time: float | None


def containers_of(cpu: Iterable[Series], rss: Iterable[Series]) -> dict[PodKey, Containers]:
    """Return CPU and memory by pod, out of the answers to `usage_queries.container_queries`.

    Those of its containers in sum; what is told of the pod as a whole only where no container is told of.
    """
    figures: defaultdict[PodKey, dict[str, list[float | None]]] = defaultdict(dict)
    times: dict[PodKey, float] = {}
    for at, answer in enumerate((cpu, rss)):
        for series in answer:
            key = series.metric.get("namespace", ""), series.metric.get("pod", "")
            if key[1] and series.value and (number := _amount(series.value[1])) is not None:
                figures[key].setdefault(series.metric.get("container", ""), [None, None])[at] = number
                times[key] = series.value[0]
    return {key: _containers(by_name, times.get(key)) for key, by_name in figures.items()}


def _containers(by_name: Mapping[str, Sequence[float | None]], time: float | None) -> Containers:
    named = {name: pair for name, pair in by_name.items() if name}
    level = named or by_name
    cpu, rss = (_sum(pair[at] for pair in level.values()) for at in (0, 1))
    containers = tuple(
        ContainerUsage(name=name, cpu=pair[0], memory=None if pair[1] is None else round(pair[1]))
        for name, pair in sorted(named.items())
    )
    return Containers(
        cpu, None if rss is None else round(rss), containers if len(containers) > 1 else (), time
    )


def series_of(
    measure: Measure,
    answer: Iterable[Series],
    spans: Sequence[PodSpan],
    grid: tuple[float, float, int],
    found: FoundExporter | None = None,
) -> tuple[UsageSeries, ...]:
    """Return one measure over time, of each GPU (by an exporter's labels), or of each rank.

    `grid`: the first time, the step in seconds, how many values. A rank that was started again goes on in the
    same series.
    """
    start, step, count = grid
    namespace, pod = (found.namespace, found.pod) if found else ("namespace", "pod")
    by_key: defaultdict[PodKey, list[PodSpan]] = defaultdict(list)
    for span in spans:
        by_key[span.key].append(span)
    values: dict[tuple[int, str], list[float | None]] = {}
    for series in answer:
        labels = series.metric
        own = by_key.get((labels.get(namespace, ""), labels.get(pod, "")), ())
        gpu = gpu_name(found, labels) if found else ""
        for time, text in series.values:
            found_span = next((span for span in own if span.covers(time, late=step)), None)
            at = round((time - start) / step)
            number = plausible(measure, number_of(text))
            if found_span is not None and number is not None and 0 <= at < count:
                values.setdefault((found_span.rank, gpu), [None] * count)[at] = number
    return tuple(
        UsageSeries(measure=measure, rank=rank, gpu=gpu, values=tuple(points))
        for (rank, gpu), points in sorted(values.items())
    )


def plausible(measure: Measure, value: float | None) -> float | None:
    """Return a value; None for one that no GPU can have: a blank that an exporter gave as a number."""
    if value is None or value < 0:
        return None
    match measure:
        case Measure.UTILISATION | Measure.ACTIVITY:
            return min(1.0, value) if value <= MOST_SHARE else None
        case Measure.POWER | Measure.TEMPERATURE:
            return value if value < NO_VALUE / 1000 else None
        case Measure.MEMORY:
            return value if value < NO_VALUE * 2.0**20 else None
    return value
