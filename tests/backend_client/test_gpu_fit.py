"""Whether a job would find its GPUs free now, in words."""

import pytest

from backend_client.gpu_fit import start_words
from backend_client.gpu_nodes import GpuNode, GpuNodes
from backend_client.models import JobSpec

H12 = GpuNode(name="gpu-12", product="NVIDIA-H100", total=8, free=5)
H13 = GpuNode(name="gpu-13", product="NVIDIA-H100", total=8, free=4)
A1 = GpuNode(name="a1", product="NVIDIA-A100-SXM4-80GB", total=8, free=8)
FULL = GpuNode(name="full", product="NVIDIA-H100", total=8, free=0)
SLICES = GpuNode(name="s", product="NVIDIA-A100-MIG-1g.5gb", total=7, free=7, usable=False)
BARE = GpuNode(name="box", total=2, free=1)
FAR = GpuNode(name="x", cluster="far", product="H100", total=8, free=8)


@pytest.mark.parametrize(
    ("nodes", "spec", "words"),
    [
        ([H12], {}, ""),
        ([H12], {"gpus": 4}, "starts now: 5 x H100 free on gpu-12"),
        ([H12], {"gpus": 8}, "waits: largest free block is 5 x H100 on gpu-12"),
        ([H12, A1], {"gpus": 8}, "starts now: 8 x A100-SXM4-80GB free on a1"),
        ([H12, A1], {"gpus": 8, "gpu_type": "h100"}, "waits: largest free block is 5 x H100 on gpu-12"),
        ([FULL], {"gpus": 1}, "waits: no GPU is free"),
        ([FULL], {"gpus": 1, "gpu_type": "H100"}, "waits: no H100 GPU is free"),
        ([H12], {"gpus": 9}, "waits: no machine has 9; the largest has 8"),
        ([], {"gpus": 1}, "waits: no machine here has GPUs"),
        ([SLICES], {"gpus": 1}, "waits: no machine here has GPUs"),
        ([H12], {"gpus": 1, "gpu_type": "big"},
         "when it starts is not known (no machine says that it has a big)"),
        ([H12, H13], {"gpus": 4, "nodes": 2}, "starts now: 9 free"),
        ([H12, H13], {"gpus": 5, "nodes": 2},
         "waits: 1 of 2 fit; largest free block is 5 x H100 on gpu-12"),
        ([H12, H13], {"gpus": 8, "nodes": 3},
         "waits: 3 x 8 is more than there is; 2 would fit, were all free"),
        ([H12], {"gpus": 2, "replicas": 2, "kind": "deployment"}, "starts now: 5 free"),
        ([H12], {"gpus": 1, "queue": "team"}, "GPUs are free; the queue team decides when it starts"),
        ([BARE], {"gpus": 2}, "waits: largest free block is 1 on box"),
        ([H12, FAR], {"gpus": 8, "cluster": "far"}, "starts now: 8 x H100 free on x"),
        ([FAR], {"gpus": 1, "cluster": "near"}, "waits: no machine here has GPUs"),
    ],
)  # fmt: skip
def test_it_starts_or_waits_for_what_is_free(nodes: list[GpuNode], spec: dict, words: str):
    assert start_words(GpuNodes(tuple(nodes)), JobSpec(**spec)) == words


def test_what_is_not_known_is_said():
    hidden = GpuNodes(unknown_because="you may not list nodes")
    assert start_words(hidden, JobSpec(gpus=1)) == "when it starts is not known (you may not list nodes)"
