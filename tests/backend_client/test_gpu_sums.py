"""GPUs of machines, summed by product."""

from backend_client.gpu_nodes import GpuNode
from backend_client.gpu_sums import pools_of
from backend_client.protocol import Capacity


def test_pools_are_sums_with_the_largest_block_and_what_jobs_cannot_get_comes_last() -> None:
    nodes = [
        GpuNode(name="a", product="H100", total=8, free=3),
        GpuNode(name="b", product="H100", total=8, free=5),
        GpuNode(name="b", product="A100-MIG-1g.5gb", total=7, free=7, usable=False),
        GpuNode(name="c", total=4, free=0),
        GpuNode(name="d", product="broken", total=0, free=0, broken=8),
    ]
    found = pools_of(nodes)
    assert [(p.product, p.total, p.free, p.largest) for p in found] == [
        ("", 4, 0, 0),
        ("H100", 16, 8, 5),
        ("A100-MIG-1g.5gb", 7, 7, 7),
    ]
    capacity = Capacity(found)
    assert (capacity.free, capacity.total) == (8, 20)
