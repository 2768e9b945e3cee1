"""This machine behind the server, and people with jobs on it."""

import pytest

from backend_client.local.backend import LocalBackend
from tests.backend.support.people import enter
from tests.backend_client.kubernetes.conftest import cluster, own_cluster, shared_cluster
from tests.contract.support.harness import remove_all

__all__ = ["cluster", "own_cluster", "shared_cluster"]


@pytest.fixture
async def settings(settings, tmp_path, monkeypatch):
    """Let this machine take the jobs; none of them outlives the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield settings.model_copy(update={"local": True, "local_gpus": 2, "local_grace": 1.0})
    await remove_all(LocalBackend(gpus=2, grace=0.5))


@pytest.fixture
async def ann(app):
    return await enter(app, "ann")


@pytest.fixture
async def bob(app):
    return await enter(app, "bob")


@pytest.fixture
async def root(app):
    return await enter(app, "root", "admin")
