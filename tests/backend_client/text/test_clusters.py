"""Where the use of GPUs of a cluster is told from, or why it is not."""

import pytest

from backend_client.text.clusters import gpu_use_source
from backend_client.usage import Measure, UsageSource

PODS = UsageSource(name="metrics.k8s.io", gives=(Measure.CPU, Measure.RSS))


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([UsageSource(name="Prometheus lab/p", gives=tuple(Measure)), PODS], "Prometheus lab/p"),
        ([UsageSource(name="Prometheus", missing="none is set"), PODS], "Prometheus: none is set"),
        ([PODS], "nothing tells of GPUs now"),
        ([], "nobody is asked while no job runs"),
        (None, ""),
    ],
)
def test_where_figures_of_gpus_come_from(sources, words):
    assert gpu_use_source(sources) == words
