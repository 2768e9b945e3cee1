"""CPU and memory out of metrics-server: its answers as they are, then the real one."""

import msgspec
import pytest

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.usage.pod_metrics import POD_METRICS, PodMetrics, containers_of
from backend_client.kubernetes.usage.rank_usage import memory_limit, rank_usages
from backend_client.prometheus.pod_spans import PodSpan
from backend_client.prometheus.usage_samples import Containers
from backend_client.usage import ContainerUsage

NOW = 1_800_000_000.0
RECORDED = b"""{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[
{"metadata":{"name":"a","namespace":"team","creationTimestamp":"2026-11-30T06:52:43Z"},
 "timestamp":"2026-11-30T06:52:30Z","window":"10.012s",
 "containers":[{"name":"main","usage":{"cpu":"14852965n","memory":"8216Ki"}}]}]}"""


def metrics(*containers):
    made = [{"name": f"c{at}", "usage": usage} for at, usage in enumerate(containers)]
    return msgspec.convert({"metadata": {"name": "a", "namespace": "team"}, "containers": made}, PodMetrics)


def test_an_answer_as_metrics_server_gives_it():
    (item,) = POD_METRICS.decode_page(RECORDED).items
    found = containers_of(item)
    assert found == Containers(0.014852965, 8216 * 1024, (), item.timestamp.timestamp())


@pytest.mark.parametrize(
    ("containers", "cpu", "memory"),
    [
        ([], None, None),
        ([{}], None, None),
        ([{"cpu": "0", "memory": "0"}], 0.0, 0),
        ([{"cpu": "1"}, {"cpu": "500m", "memory": "1Mi"}], 1.5, None),
        ([{"cpu": "1", "memory": "1Gi"}, {"memory": "1Mi"}], None, 2**30 + 2**20),
    ],
)
def test_a_sum_that_lacks_a_part_is_not_known(containers, cpu, memory):
    found = containers_of(metrics(*containers))
    assert (found.cpu, found.memory) == (cpu, memory)


def test_containers_are_told_where_there_are_several():
    found = containers_of(metrics({"cpu": "1", "memory": "1"}, {"cpu": "2"}))
    assert found.containers == (
        ContainerUsage(name="c0", cpu=1.0, memory=1), ContainerUsage(name="c1", cpu=2.0),
    )  # fmt: skip


def pod(**spec):
    return msgspec.convert({"metadata": {"name": "a"}, "spec": spec}, Pod)


def limited(memory, **more):
    return {"name": "c", "resources": {"limits": {"memory": memory} if memory else {}}, **more}


@pytest.mark.parametrize(
    ("spec", "limit"),
    [
        ({"containers": [limited("1Gi"), limited("1Mi")]}, 2**30 + 2**20),
        ({"containers": [limited("1Gi"), limited("")]}, None),
        ({"containers": [limited("")], "resources": {"limits": {"memory": "2Gi"}}}, 2**31),
        ({"containers": [limited("1Gi")], "initContainers": [limited("9Gi")]}, 2**30),
        ({"containers": [limited("1Gi")], "initContainers": [limited("1Gi", restartPolicy="Always")]}, 2**31),
        ({}, None),
    ],
)
def test_the_limit_of_a_pod(spec, limit):
    assert memory_limit(pod(**spec)) == limit


def test_a_rank_of_which_nobody_tells_is_told_as_unknown():
    spans = [PodSpan(namespace="team", pod=name, rank=rank, since=NOW) for rank, name in ((1, "b"), (0, "a"))]
    told = {("team", "a"): Containers(1.0, 2, (), NOW + 5), ("team", "b"): Containers(9.0, 9, (), NOW - 3600)}
    first, second = rank_usages(spans, {}, told, [])
    assert (first.rank, first.cpu, first.memory) == (0, 1.0, 2)
    assert (second.rank, second.cpu, second.memory, second.as_of) == (1, None, None, None)
