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


@pytest.fixture(params=["local", pytest.param("kubernetes", marks=pytest.mark.node)])
async def harness(request, tmp_path):
    made = HARNESSES[request.param](tmp_path)
    yield made
    await made.aclose()


@pytest.fixture
def backend(harness):
    return harness.backend
