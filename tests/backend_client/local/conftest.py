"""A state folder of its own for each test, emptied of its processes at the end."""

import pytest

from backend_client.local import state_dir
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
from tests.contract.support.harness import remove_all


@pytest.fixture
def root(tmp_path):
    return state_dir.StateDir(tmp_path / "local" / "gpu-7")


@pytest.fixture
async def backend(root):
    made = LocalBackend(root.path, gpus=2, grace=1.0)
    yield made
    await remove_all(made)


@pytest.fixture
def run(backend):
    """run(script, **fields) -> Job, just made."""

    async def make(script, key="", **fields):
        spec = JobSpec(command=("sh", "-c", script), **fields)
        return await backend.create(spec, key=key or f"{script}{fields}", secrets={})

    return make
