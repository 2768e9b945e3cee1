"""The implementations that the contract holds for."""

import os
from pathlib import Path

import pytest

from tests.contract.harness import Harness, LocalHarness
from tests.kubernetes.controlplane import GIVEN


def on_a_cluster(folder: Path) -> Harness:
    """Loaded where there is one only."""
    from tests.contract.cluster import ClusterHarness  # noqa: PLC0415

    return ClusterHarness(folder, Path(os.environ[GIVEN]))


HARNESSES = {"local": lambda folder: LocalHarness(folder / "local" / "gpu-7"), "kubernetes": on_a_cluster}


LATER = {
    ("kubernetes", "test_progress_is_read_out_of_the_log"): "a cluster's list shows no progress yet: its logs"
    " are read in the panes only",
}
"""What one implementation does not do yet, and why."""


@pytest.fixture(params=["local", pytest.param("kubernetes", marks=pytest.mark.node)])
async def harness(request, tmp_path):
    if why := LATER.get((request.param, request.node.originalname)):
        pytest.skip(why)
    made = HARNESSES[request.param](tmp_path)
    yield made
    await made.aclose()


@pytest.fixture
def backend(harness):
    return harness.backend
