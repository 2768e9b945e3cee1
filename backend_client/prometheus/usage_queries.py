"""The text of the queries for what pods use (pure).

Every query takes the largest of what is told of one card and pod before it sums anything: two scrapes of one
exporter, or the instances of a MIG card that all repeat its power, are no two cards.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from backend_client.prometheus.gpu_exporter import Exporter, FoundExporter
from backend_client.prometheus.promql import one_of
from backend_client.usage import Measure

NO_VALUE = 2**31 - 16
"""From here on a figure is DCGM's mark of a blank one (docs/FACTS.md, "Use")."""
STAT = "stat"
"""The label that says what a value of a sum is: a `Stat`."""
_CPU = "container_cpu_usage_seconds_total"
_RSS = "container_memory_working_set_bytes"
_CONTAINERS = 'container!="",container!="POD"'
_PODS = 'container=""'


class Where(Struct, frozen=True):
    """Which pods; without any all."""

    namespaces: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()

    def matchers(self, namespace: str, pod: str) -> str:
        """Return the matchers for these labels."""
        names = one_of(pod, self.pods)
        return f"{one_of(namespace, self.namespaces)},{names}" if self.namespaces else names


def sums_queries(found: FoundExporter, where: Where) -> dict[Measure | str, str]:
    """Return the queries for what all GPUs of each pod use, by measure ("time", "xid" beside them).

    Shares come one for each GPU, all else in sum: each aggregation over all GPUs costs Prometheus more than
    it takes to send them (of 8,000 GPUs 870 ms of its CPU, not 590, where it saves 6 ms of ours). Of memory
    several values of one pod come, told apart by the label `stat`.
    """
    pod, one = f"{found.namespace},{found.pod}", _select(found, _one_metric(found), where)
    queries: dict[Measure | str, str] = {"time": f"min by ({pod}) (timestamp({one}))"}
    if share := _share(found, where):
        queries[Measure.UTILISATION] = share
    if memory := _memory(found, where):
        queries[Measure.MEMORY] = _stats(memory)
    if power := found.first(found.exporter.power):
        queries[Measure.POWER] = f"sum by ({pod}) ({_whole_cards(found, power, where)})"
    if found.exporter.xid and found.has(found.exporter.xid):
        queries["xid"] = f"max by ({pod}) ({_select(found, found.exporter.xid, where)} < {NO_VALUE})"
    return queries


def gpu_queries(found: FoundExporter, where: Where) -> dict[str, str]:
    """Return the queries for each GPU of some pods: `gpus` (metrics by their names), `times`, `shared`."""
    exporter, cards = found.exporter, _card_labels(found)
    names = "|".join(sorted(found.metrics))
    labels = f"{cards},{','.join(_names(exporter))}"
    one = _one_metric(found)
    all_cards = f"count by ({exporter.card},{found.namespace},{found.pod}) ({_select(found, one, Where())})"
    own = f"group by ({exporter.card}) ({_select(found, one, where)})"
    selected = f'{{__name__=~"{names}",{where.matchers(found.namespace, found.pod)}}}'
    return {
        "gpus": f"max by (__name__,{labels}) ({selected} < {NO_VALUE})",
        "times": f"max by ({cards}) (timestamp({_select(found, one, where)}))",
        "shared": f"count by ({exporter.card}) ({all_cards}) > 1 and on ({exporter.card}) {own}",
    }


def history_query(found: FoundExporter, measure: Measure, where: Where, step: float) -> str:
    """Return the query for a measure of each GPU of some pods, means over `step` seconds; "" for none."""
    exporter = found.exporter
    metric, scale = {
        Measure.UTILISATION: (exporter.utilisation, " / 100"),
        Measure.ACTIVITY: (exporter.activity, ""),
        Measure.MEMORY: (exporter.memory_used, f" * {exporter.memory_unit:.0f}"),
        Measure.POWER: (found.first(exporter.power), ""),
        Measure.TEMPERATURE: (found.first(exporter.temperature), ""),
    }.get(measure, ("", ""))
    if not metric or not found.has(metric):
        return ""
    labels = f"{_card_labels(found)},{exporter.index}"
    return f"max by ({labels}) (avg_over_time({_select(found, metric, where)}[{step:.0f}s])){scale}"


def container_sums_queries(where: Where, window: float) -> dict[Measure, str]:
    """Return the queries for CPU and memory of each pod, as kubelets tell them (cAdvisor).

    What its containers use in sum, or where no container is told of, the pod. `window`: seconds over which
    CPU is a mean.
    """
    return {
        measure: f"sum by (namespace,pod) ({_containers(measure, where, window, _CONTAINERS)})"
        f" or sum by (namespace,pod) ({_containers(measure, where, window, _PODS)})"
        for measure in (Measure.CPU, Measure.RSS)
    }


def container_queries(where: Where, window: float) -> dict[Measure, str]:
    """Return the queries for CPU and memory of each container; "" is the pod as a whole."""
    return {
        measure: _containers(measure, where, window, 'container!="POD"')
        for measure in (Measure.CPU, Measure.RSS)
    }


def container_history_query(measure: Measure, where: Where, step: float) -> str:
    """Return the query for CPU or memory of each pod over time; "" for another measure."""
    if measure not in (Measure.CPU, Measure.RSS):
        return ""
    return container_sums_queries(where, max(step, 120.0))[measure]


def _containers(measure: Measure, where: Where, window: float, level: str) -> str:
    matchers = f"{where.matchers('namespace', 'pod')},{level}"
    value = (
        f"rate({_CPU}{{{matchers}}}[{window:.0f}s])" if measure is Measure.CPU else f"{_RSS}{{{matchers}}}"
    )
    return f"max by (namespace,pod,container) ({value})"


def _stats(queries: Mapping[str, str]) -> str:
    """Join queries that give one value for each pod, each marked with its name."""
    return " or ".join(f'label_replace({query},"{STAT}","{name}","","")' for name, query in queries.items())


def _select(found: FoundExporter, metric: str, where: Where) -> str:
    return f"{metric}{{{where.matchers(found.namespace, found.pod)}}}"


def _one_metric(found: FoundExporter) -> str:
    """Return a metric that every GPU has."""
    return found.exporter.memory_used


def _names(exporter: Exporter) -> Iterator[str]:
    if exporter.index != exporter.part:
        yield exporter.index
    if exporter.product:
        yield exporter.product


def _card_labels(found: FoundExporter) -> str:
    part = f",{found.exporter.part}" if found.exporter.part else ""
    return f"{found.namespace},{found.pod},{found.exporter.card}{part}"


def _cards(found: FoundExporter, metric: str, where: Where, most: float = NO_VALUE, only: str = "") -> str:
    """Return one value for each GPU, a part of a card counting as one. `only`: one more matcher."""
    matchers = ",".join(filter(None, (where.matchers(found.namespace, found.pod), only)))
    return f"max by ({_card_labels(found)}) ({metric}{{{matchers}}} < {most:.0f})"


def _whole_cards(found: FoundExporter, metric: str, where: Where) -> str:
    """Return one value for each card that a pod has as a whole: what a part of one draws nobody measures."""
    by = f"{found.namespace},{found.pod},{found.exporter.card}"
    whole = ',GPU_I_ID=""' if found.exporter.part == "GPU_I_ID" else ""
    selected = f"{metric}{{{where.matchers(found.namespace, found.pod)}{whole}}}"
    return f"max by ({by}) ({selected} < {NO_VALUE})"


def _share(found: FoundExporter, where: Where) -> str:
    """Return how busy each GPU is, 0 to 1: its utilisation; where that is not told (MIG), its activity."""
    exporter, parts = found.exporter, []
    if whole := found.has(exporter.utilisation):
        parts.append(f"{_cards(found, exporter.utilisation, where, 101)} / 100")
    if exporter.activity and found.has(exporter.activity):
        instances = f'{exporter.part}!=""' if whole else ""
        parts.append(_cards(found, exporter.activity, where, 2, instances))
    return " or ".join(parts)


def _memory(found: FoundExporter, where: Where) -> dict[str, str]:
    """Return what tells of each pod's memory, by stat, in the exporter's unit.

    `most` and `least` are of one GPU: with GPUs of one size the most used one is the one with the least free.
    """
    exporter, pod = found.exporter, f"{found.namespace},{found.pod}"
    rest = exporter.memory_total or exporter.memory_free
    if not (found.has(exporter.memory_used) and found.has(rest)):
        return {}
    return {
        "used": f"sum by ({pod}) ({_cards(found, exporter.memory_used, where)})",
        "total" if exporter.memory_total else "free": f"sum by ({pod}) ({_cards(found, rest, where)})",
        "most": f"max by ({pod}) ({_select(found, exporter.memory_used, where)} < {NO_VALUE})",
        "least": f"min by ({pod}) ({_select(found, rest, where)})",
    }
