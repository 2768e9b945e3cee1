"""The implementations that the contract holds for."""

import pytest

from tests.contract.harness import LocalHarness

HARNESSES = {"local": lambda folder: LocalHarness(folder / "local" / "gpu-7")}


@pytest.fixture(params=HARNESSES)
async def harness(request, tmp_path):
    made = HARNESSES[request.param](tmp_path)
    yield made
    await made.aclose()


@pytest.fixture
def backend(harness):
    return harness.backend
