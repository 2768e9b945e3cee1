"""Which exporter a Prometheus has, and by which label a GPU's pod is known (pure)."""

import pytest

from backend_client.prometheus.client import Series
from backend_client.prometheus.gpu_exporter import (
    DCGM,
    OLD_DCGM,
    POD_LABELS,
    SCRAPE_SECONDS,
    found_exporters,
    interval_of,
    pod_query,
)

EXPORTED, PLAIN, OLD = POD_LABELS


def names(*metrics):
    return [Series({"__name__": name}, (0.0, "8")) for name in metrics]


def found(metrics, **with_pod):
    labels = {"exported": EXPORTED, "plain": PLAIN, "old": OLD}
    answers = {labels[key]: names(*value) for key, value in with_pod.items()}
    return found_exporters(names(*metrics), {pair: answers.get(pair, []) for pair in POD_LABELS})


@pytest.mark.parametrize(
    ("with_pod", "label"),
    [
        ({"plain": [DCGM.memory_used]}, "pod"),
        ({"exported": [DCGM.memory_used]}, "exported_pod"),
        ({"exported": [DCGM.memory_used], "plain": [DCGM.memory_used]}, "exported_pod"),
    ],
)
def test_the_label_of_the_pod_that_holds_the_gpu(with_pod, label):
    (one,) = found(DCGM.metrics, **with_pod).exporters
    assert (one.exporter, one.pod) == (DCGM, label)
    assert one.has(DCGM.utilisation)


def test_the_names_of_old_exporters():
    (one,) = found(OLD_DCGM.metrics, old=[OLD_DCGM.memory_used]).exporters
    assert (one.exporter, one.pod, one.namespace) == (OLD_DCGM, "pod_name", "pod_namespace")


def test_amd_is_known_with_and_without_its_prefix():
    for prefix in ("", "amd_"):
        metrics = [
            f"{prefix}gpu_{name}" for name in ("gfx_activity", "used_vram", "total_vram", "power_usage")
        ]
        (one,) = found(metrics, plain=[metrics[1]]).exporters
        assert one.exporter.name == "AMD device-metrics-exporter"
        assert one.first(one.exporter.power) == f"{prefix}gpu_power_usage"


def test_two_makes_in_one_cluster():
    both = found([*DCGM.metrics, "gpu_used_vram"], plain=[DCGM.memory_used, "gpu_used_vram"])
    assert len(both.exporters) == 2


def test_an_exporter_that_tells_of_no_pod_is_seen():
    discovery = found(DCGM.metrics)
    assert (discovery.exporters, discovery.seen) == ((), ("dcgm-exporter",))


def test_without_an_exporter_nothing_is_found():
    assert found([]).exporters == found([]).seen == ()


def test_the_exporters_own_pod_is_no_pod_that_holds_a_gpu():
    assert "unless on (instance,job,pod,namespace) up" in pod_query("pod", "namespace")


@pytest.mark.parametrize(
    ("times", "interval"),
    [
        ([], SCRAPE_SECONDS),
        ([5], SCRAPE_SECONDS),
        ([0, 15, 30, 45], 15),
        ([0, 15.01, 29.99, 75], 15),
        ([0, 0.2], 1),
    ],
)
def test_the_interval_is_that_of_the_points(times, interval):
    assert interval_of([Series({}, None, tuple((time, "1") for time in times))]) == interval
