"""The GPU quota that a header shows where nodes are hidden."""

from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.resources.quota import ResourceQuota, gpu_quota
from backend_client.protocol import GpuQuota

GPU = "requests.nvidia.com/gpu"


def quota(used: str, hard: str, **spec: Any) -> ResourceQuota:
    fields = {"spec": {"hard": {GPU: hard}, **spec}, "status": {"hard": {GPU: hard}, "used": {GPU: used}}}
    return msgspec.convert(fields, ResourceQuota)


@pytest.mark.parametrize(
    ("quotas", "found"),
    [
        ([], None),
        ([quota("4", "16")], GpuQuota(4, 16)),
        ([quota("4", "16"), quota("7", "8")], GpuQuota(7, 8)),
        ([quota("1", "2", scopes=["BestEffort"])], None),
        ([msgspec.convert({"spec": {"hard": {"pods": "3"}}}, ResourceQuota)], None),
        ([msgspec.convert({"spec": {"hard": {GPU: "3"}}}, ResourceQuota)], GpuQuota(0, 3)),
    ],
)
def test_the_tightest_quota_of_all_pods_counts(quotas: list[ResourceQuota], found: GpuQuota | None) -> None:
    assert gpu_quota(quotas, "nvidia.com/gpu") == found
