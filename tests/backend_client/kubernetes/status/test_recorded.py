"""Every scenario on a real cluster. TRAINDECK_RECORD=1 writes the objects to `support/recorded`."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from uuid import uuid4

import pytest

from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.live import Live, Manifest, eventually, path_of
from tests.backend_client.kubernetes.support.recording import Recorded, look, save
from tests.backend_client.kubernetes.support.scenarios import SCENARIOS, Scenario

RECORD = bool(os.environ.get("TRAINDECK_RECORD"))
PLACES = {
    "": {},
    "quota": {},
    "baseline": {"pod-security.kubernetes.io/enforce": "baseline"},
}
FULL = {"requests.nvidia.com/gpu": "1"}

pytestmark = pytest.mark.xdist_group("scenarios")


@pytest.fixture(scope="module")
def live(shared_cluster: Cluster) -> Live:
    return Live(shared_cluster.kubeconfig)


@pytest.fixture(scope="module")
def homes(live: Live) -> Iterator[dict[str, str]]:
    """A namespace of each kind: kind -> name."""
    names = {place: f"fates-{place or 'plain'}-{uuid4().hex[:6]}" for place in PLACES}
    for place, name in names.items():
        metadata = {"name": name, "labels": PLACES[place]}
        live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    quota = {"name": "gpus", "namespace": names["quota"]}
    live.make({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota, "spec": {"hard": FULL}})
    yield names
    for name in names.values():
        live.call("DELETE", path_of("v1", "namespaces", name=name))


@pytest.fixture(scope="module")
def made(live: Live, homes: dict[str, str], request: pytest.FixtureRequest) -> dict[str, Manifest]:
    """All scenarios that are to be looked at, started together: name -> root."""
    wanted = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    kinds = {node["metadata"]["labels"].get("type") for node in live.items("v1", "nodes")}
    return {
        name: _make(live, name, scenario, homes[scenario.place])
        for name, scenario in SCENARIOS.items()
        if name in wanted and scenario.node in kinds
    }


def _make(live: Live, name: str, scenario: Scenario, namespace: str) -> Manifest:
    root, *parts = scenario.make(name, namespace, scenario.node)
    for part in parts:
        live.make(part)
    return live.make(root)


def marked(name: str) -> object:
    node = SCENARIOS[name].node
    return pytest.param(name, marks=pytest.mark.node if node == "real" else pytest.mark.controllers)


@pytest.mark.parametrize("name", [marked(name) for name in SCENARIOS])
def test_fate(live: Live, made: dict[str, Manifest], name: str) -> None:
    scenario = SCENARIOS[name]
    if name not in made:
        pytest.skip(f"needs a node labelled type={scenario.node}: set {GIVEN}")

    def good(found: Recorded) -> bool:
        job = found.job()
        return (
            job.state == scenario.state and fnmatchcase(job.reason, scenario.reason) and scenario.settled(job)
        )

    found = eventually(lambda: look(live, made[name], nodes=scenario.nodes), good)
    job = found.job()
    assert job.state == scenario.state, job.reason
    assert fnmatchcase(job.reason, scenario.reason), job.reason
    assert scenario.settled(job)
    if RECORD:
        save(name, found)
