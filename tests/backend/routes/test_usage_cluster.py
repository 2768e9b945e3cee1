"""What jobs of a cluster use, from a real Prometheus to who owns them: through the server, asked for once."""

import asyncio
from datetime import UTC, datetime

import pytest

from backend.prometheus_setting import PrometheusTarget
from backend_client.prometheus.by_url import UrlAsk
from tests.backend.support.clusters import register
from tests.backend.support.people import enter, serving
from tests.backend.support.prometheus import needed
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.support import prometheus
from tests.support.prometheus import dcgm
from tests.support.wait import async_until

pytestmark = [pytest.mark.api, pytest.mark.parametrize("url", ["sqlite"], indirect=True)]
DEADLINE = 60.0
OTHERS = dcgm(6, util=99, pod="other", namespace="elsewhere") + dcgm(7, util=0)
"""A GPU of a job that is not the server's, and one that nobody holds."""


@pytest.fixture
async def exporter():
    needed("prometheus")
    made = prometheus.Exporter()
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"local": False})


def run_pod(api, home, job):
    """Make the pod of a Job, and say that it runs; no controller and no kubelet is there."""
    (anchor,) = [one for one in api.items("batch/v1", "jobs", home) if one["metadata"]["name"] == job]
    template = anchor["spec"]["template"]
    metadata = {
        "name": f"{job}-0-abcde",
        "labels": template["metadata"]["labels"],
        "annotations": {"batch.kubernetes.io/job-completion-index": "0"},
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": job,
                "uid": anchor["metadata"]["uid"],
                "controller": True,
            }
        ],
    }
    spec = {**template["spec"], "nodeName": "gpu-1"}
    api.call("POST", path_of("v1", "pods", home), {"metadata": metadata, "spec": spec})
    name = spec["containers"][0]["name"]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    container = {"name": name, "ready": True, "restartCount": 0, "image": "a", "imageID": "a"}
    status = {
        "phase": "Running",
        "startTime": now,
        "containerStatuses": [{**container, "state": {"running": {"startedAt": now}}}],
    }
    path = f"{path_of('v1', 'pods', home, metadata['name'])}/status"
    assert api.call("PATCH", path, {"status": status}, "merge-patch+json")[0] == 200
    return metadata["name"]


@pytest.fixture
def asked(monkeypatch):
    """The queries that a server sends, each with the times it is asked for."""
    seen, call = [], UrlAsk.__call__

    async def counted(self, method, path, params, seconds):
        times = params.get("start"), params.get("end")
        seen.append((path, params["query"], times))
        return await call(self, method, path, params, seconds)

    monkeypatch.setattr(UrlAsk, "__call__", counted)
    return seen


async def test_from_the_exporter_to_the_owner_and_to_nobody_else(
    settings, own_cluster, exporter, asked, tmp_path
):
    with prometheus.running(tmp_path / "p", [prometheus.scrape("dcgm", exporter.port)]) as running:
        target = PrometheusTarget(url=running.url)
        exporter.text = OTHERS  # before the server looks which labels there are
        await asyncio.to_thread(running.until, "DCGM_FI_DEV_GPU_UTIL")
        async with serving(settings.model_copy(update={"prometheus": {"test": target}})) as app:
            await told(app, own_cluster, exporter, running, asked)


async def told(app, own_cluster, exporter, running, asked):
    await register(app, own_cluster)
    ann, bob = await enter(app, "ann"), await enter(app, "bob")
    made = await ann.submit(name="train", image="a/b:1", gpus=2)
    uid, home = made["ref"]["uid"], made["ref"]["namespace"]
    pod = await asyncio.to_thread(run_pod, Live(own_cluster.kubeconfig), home, "train")
    shared = {"pod": pod, "namespace": home}
    exporter.text = dcgm(0, util=10, **shared) + dcgm(1, util=90, **shared) + OTHERS
    # somebody looks: the figures come with the watch
    await ann.until("train", lambda one: one and one["usage"])
    usage = (await ann.ask("GET", "/jobs/train"))["usage"]
    assert (round(usage["gpu"], 2), round(usage["gpu_min"], 2), usage["xid"]) == (0.5, 0.1, 0)
    assert usage["source"].startswith("Prometheus at 127.0.0.1")
    assert usage["cpu"] is None
    # by rank and GPU, to its owner alone
    found = await ann.ask("GET", f"/jobs/train/usage?uid={uid}")
    assert [gpu["utilisation"] for gpu in found["ranks"][0]["gpus"]] == [0.1, 0.9]
    for path in ("usage", "usage/history"):
        await bob.ask("GET", f"/jobs/train/{path}?uid={uid}", 404)
    assert (await bob.ask("GET", "/usages"))["jobs"] == {}
    assert set((await ann.ask("GET", "/usages"))["jobs"]) == {uid}
    # where it comes from is told with the clusters, to whoever asks for that
    (cluster,) = (await bob.ask("GET", "/clusters?usage=true"))["items"]
    assert "utilisation" in cluster["usage"][0]["gives"]
    (cluster,) = (await bob.ask("GET", "/clusters"))["items"]
    assert cluster["usage"] is None
    # a history is asked for once, however many want it, and only of the job's own pods
    asked.clear()
    await asyncio.gather(*(ann.ask("GET", "/jobs/train/usage/history") for _ in range(8)))
    ranges = [(query, times) for path, query, times in asked if path.endswith("query_range")]
    assert ranges
    assert len(ranges) == len(set(ranges))
    assert all(pod in query and home in query for query, _ in ranges)
    # nobody's PromQL passes through
    asked.clear()
    await ann.ask("GET", "/jobs/train/usage?query=up&pod=other")
    assert all("up{" not in query and "other" not in query for _, query, _ in asked)


async def test_a_prometheus_that_is_not_there_is_a_reason_and_no_zero(settings, own_cluster, tmp_path):
    needed("prometheus")
    url = f"http://127.0.0.1:{prometheus.free_port()}"
    async with serving(settings.model_copy(update={"prometheus": {"": PrometheusTarget(url=url)}})) as app:
        await register(app, own_cluster)
        ann = await enter(app, "ann")
        made = await ann.submit(name="train", image="a/b:1", gpus=1)
        await asyncio.to_thread(run_pod, Live(own_cluster.kubeconfig), made["ref"]["namespace"], "train")
        await ann.until("train", lambda one: one and one["state"] == "Running")

        async def reason():
            sources = (await ann.ask("GET", "/usages"))["sources"]
            return [one["missing"] for one in sources if "Prometheus" in one["name"] and one["missing"]]

        assert "cannot be reached" in (await async_until(reason, DEADLINE))[0]
        assert (await ann.ask("GET", "/usages"))["jobs"] == {}
        found = await ann.ask("GET", "/jobs/train/usage")
        assert all(not rank["gpus"] for rank in found["ranks"])
