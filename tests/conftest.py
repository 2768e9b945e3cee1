"""What a test needs that this machine may lack: said by its marker, and here in one line how to get it."""

import os

import pytest

GIVEN = "TRAINDECK_TEST_KUBECONFIG"


def pytest_configure() -> None:
    """Nobody's own clusters."""
    os.environ["KUBECONFIG"] = "/nowhere/kubeconfig"
    os.environ.pop("KUBERNETES_SERVICE_HOST", None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("node") and not os.environ.get(GIVEN):
        pytest.skip(f"needs a real kubelet: set {GIVEN} to the kubeconfig of a test cluster that has one")
