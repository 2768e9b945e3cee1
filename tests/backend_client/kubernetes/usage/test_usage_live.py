"""What jobs use, on a real API server: a Prometheus behind its proxy, and who may ask it."""

import asyncio
import contextlib
import socket
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from backend_client.kubernetes.api.errors import ServerFailed
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.resources.resource_types import PODS, SERVICES
from backend_client.kubernetes.settings import KubernetesSettings, PrometheusSettings
from backend_client.models import JobState
from backend_client.protocol import Changed, Feature, JobQuery, Scope, Snapshot
from backend_client.usage import HasUsage, Measure
from tests.support import prometheus
from tests.support.prometheus import dcgm, line
from tests.support.wait import async_until

pytestmark = pytest.mark.api
GPU = "nvidia.com/gpu"
SEES = [
    {
        "verbs": ["get", "list", "watch"],
        "apiGroups": ["", "apps", "batch"],
        "resources": ["pods", "jobs", "deployments"],
    }
]


def own_address():
    """An address of this machine that an API server takes for a pod's: no loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.connect(("192.0.2.1", 9))
        return found.getsockname()[0]


class Site:
    """A namespace with a Prometheus as a Service, and a bare pod that holds two GPUs."""

    def __init__(self, cluster, transport, namespace):
        self.cluster, self.namespace, self._transport = cluster, namespace, transport
        self.backends = []

    async def post(self, path, body):
        await self._transport.request("POST", path, body=msgspec.json.encode(body))

    async def patch(self, path, body):
        await self._transport.request(
            "PATCH", path, body=msgspec.json.encode(body), content_type="application/merge-patch+json"
        )

    async def serve(self, running):
        """A Service whose only pod says that it has this machine's address."""
        await self.pod("prom-0", running.host)
        port = {"name": "web", "port": 9090, "targetPort": running.port}
        await self.post(
            SERVICES.path(self.namespace), {"metadata": {"name": "prom"}, "spec": {"ports": [port]}}
        )
        endpoint = {
            "addresses": [running.host],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "name": "prom-0", "namespace": self.namespace},
        }
        await self.post(
            f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices",
            {
                "metadata": {"name": "prom-1", "labels": {"kubernetes.io/service-name": "prom"}},
                "addressType": "IPv4",
                "ports": [{"name": "web", "port": running.port, "protocol": "TCP"}],
                "endpoints": [endpoint],
            },
        )

    async def pod(self, name, address, **resources):
        """A pod bound to a node that is not there: no kubelet touches it, and it says that it runs."""
        container = {"name": "main", "image": "a", "resources": resources}
        spec = {"nodeName": f"{self.namespace}-node", "containers": [container], "restartPolicy": "Never"}
        await self.post(PODS.path(self.namespace), {"metadata": {"name": name}, "spec": spec})
        started = {"startedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "containerStatuses": [
                {
                    "name": "main",
                    "ready": True,
                    "restartCount": 0,
                    "image": "a",
                    "imageID": "a",
                    "state": {"running": started},
                }
            ],
        }
        await self.patch(PODS.path(self.namespace, name, "status"), {"status": status})

    async def allow(self, user, *rules):
        """Let a person of the cluster see this namespace, and do what these rules say."""
        group = "/apis/rbac.authorization.k8s.io/v1"
        path = f"{group}/namespaces/{self.namespace}"
        await self.post(f"{path}/roles", {"metadata": {"name": user}, "rules": [*SEES, *rules]})
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        role = {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        await self.post(
            f"{path}/rolebindings", {"metadata": {"name": user}, "roleRef": role, "subjects": [subject]}
        )

    def backend(self, user="", service="", **settings):
        """The cluster as a person of it; by default as one who may do all."""
        named = PrometheusSettings(service=f"{self.namespace}/{service}" if service else "", **settings)
        made = KubernetesBackend(
            user or "admin",
            KubernetesSettings(prometheus=named),
            namespace=self.namespace,
            target=self.cluster.target(user),
        )
        self.backends.append(made)
        return made

    async def sources(self, backend):
        return {
            one.name.partition(" ")[0]: one for one in (await backend.usages(Scope(self.namespace))).sources
        }


@pytest.fixture
async def site(cluster, transport, namespace):
    made = Site(cluster, transport, namespace)
    yield made
    for backend in made.backends:
        await backend.aclose()


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """An exporter, and the Prometheus that reads it: the first 5 s of one it reads nothing."""
    if prometheus.binary() is None:
        pytest.skip(f"needs {prometheus.HOW}")
    exporter, folder = prometheus.Exporter(), tmp_path_factory.mktemp("prometheus")
    target = prometheus.scrape("all", exporter.port, honor=True)
    address = own_address()
    with (
        contextlib.closing(exporter),
        prometheus.running(folder, [target], host=address, seconds=0.2) as running,
    ):
        yield exporter, running


@pytest.fixture
async def served(site, scraped):
    """The site, its Prometheus, and the pod `train`, with GPUs 0 and 1 (10 % and 90 %)."""
    exporter, running = scraped
    names = {"pod": "train", "namespace": site.namespace}
    text = dcgm(0, util=10, **names) + dcgm(1, util=90, xid=48, **names) + dcgm(2)
    text += line("container_memory_working_set_bytes", 5e9, container="main", **names)
    text += line("container_cpu_usage_seconds_total", 5, container="main", **names)
    exporter.text = text
    own = f'container_cpu_usage_seconds_total{{namespace="{site.namespace}"}}'
    running.until(f"count_over_time({own}[1m]) >= 8")  # a history has a point a second
    await site.serve(running)
    await site.pod("train", "10.9.8.7", limits={GPU: "2", "memory": "8Gi"}, requests={GPU: "2"})
    return running


async def the_job(backend):
    (job,) = [
        job
        for job in (await backend.list(JobQuery(namespace=backend.namespace))).items
        if job.name == "train"
    ]
    return job


async def test_a_job_is_told_of_by_the_prometheus_behind_the_proxy(site, served):
    backend = site.backend(service="prom:web")
    assert isinstance(backend, HasUsage)
    assert Feature.METRICS in backend.features
    job = await the_job(backend)
    assert job.state is JobState.RUNNING

    async def told():
        return job.ref.uid in (await backend.usages(Scope(site.namespace))).jobs

    await async_until(told, 30)
    usage = (await backend.usages(Scope(site.namespace))).jobs[job.ref.uid]
    assert (usage.gpu, usage.gpu_min, usage.power, usage.memory, usage.xid) == (
        0.5,
        0.1,
        701.0,
        5_000_000_000,
        48,
    )
    assert usage.source == f"Prometheus {site.namespace}/prom"
    found = await backend.usage(job.ref)
    (rank,) = found.ranks
    assert [(gpu.gpu, gpu.utilisation, gpu.xid) for gpu in rank.gpus] == [("0", 0.1, 0), ("1", 0.9, 48)]
    assert (rank.pod, rank.memory, rank.memory_limit) == ("train", 5_000_000_000, 8 * 2**30)
    history = await backend.usage_history(job.ref, datetime.now(UTC) - timedelta(hours=1))
    assert {one.gpu for one in history.series if one.measure is Measure.UTILISATION} == {"0", "1"}
    assert all(len(one.values) <= 120 for one in history.series)


async def test_an_open_watch_tells_it_with_its_jobs(site, served):
    backend = site.backend(service="prom:web")
    async with asyncio.timeout(60), contextlib.aclosing(backend.watch([Scope(site.namespace)])) as batches:
        async for batch in batches:
            jobs = [job for event in batch if isinstance(event, Snapshot | Changed) for job in event.jobs]
            if told := [job.usage.gpu for job in jobs if job.usage]:
                break
    assert told == [0.5]


PROXY = {"apiGroups": [""], "resources": ["services/proxy"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("service", "rules", "missing"),
    [
        ("prom:web", [{**PROXY, "resourceNames": ["prom:web"]}], ""),
        ("prom:9090", [{**PROXY, "resourceNames": ["prom:9090"]}], ""),
        ("prom:web", [PROXY], ""),
        ("prom:web", [{**PROXY, "resourceNames": ["prom"]}], "you may not get services/proxy prom:web in {}"),
        (
            "prom:web",
            [{**PROXY, "resourceNames": ["prom:9090"]}],
            "you may not get services/proxy prom:web in {}",
        ),
        ("prom:web", [], "you may not get services/proxy prom:web in {}"),
        ("nope:web", [PROXY], "no pod serves nope:web in {}"),
        ("prom:nope", [PROXY], "no pod serves prom:nope in {}"),
    ],
)
async def test_the_right_is_named_as_the_setting_is(site, served, service, rules, missing):
    await site.allow("alice", *rules)
    backend = site.backend("alice", service)

    async def settled():  # a new role is known to the API server a moment later
        with contextlib.suppress(ServerFailed):
            await the_job(backend)
            return True

    await async_until(settled, 30)
    source = (await site.sources(backend))["Prometheus"]
    assert source.missing == missing.format(site.namespace)
    assert (Measure.UTILISATION in source.gives) == (not missing)


async def test_a_query_of_very_many_pods_takes_another_right(site, served):
    await site.allow("alice", PROXY)
    backend = site.backend("alice", "prom:web")
    await async_until(lambda: _lists(backend), 30)
    prom = backend._shared.usage.open()._opened()
    spans = [
        msgspec.structs.replace(span, pod=f"{span.pod}-{n}" * 3)
        for span in _spans(await the_job(backend))
        for n in range(900)
    ]
    with pytest.raises(Exception, match=f"You may not create services/proxy prom:web in {site.namespace}"):
        await prom.gpus(spans)
    admin = site.backend(service="prom:web")._shared.usage.open()._opened()
    assert await admin.gpus(spans) == {}


async def _lists(backend):
    with contextlib.suppress(Exception):
        return await the_job(backend)


def _spans(job):
    from backend_client.prometheus.pod_spans import running_spans  # noqa: PLC0415  of one test

    return running_spans(job)


async def test_without_a_prometheus_it_is_said_what_would_tell(site):
    await site.pod("train", "10.9.8.7", limits={GPU: "2"}, requests={GPU: "2"})
    backend = site.backend()
    job = await the_job(backend)
    found = await backend.usage(job.ref)
    assert [rank.gpus for rank in found.ranks] == [()]
    assert "kubernetes.prometheus.service" in found.sources[0].missing
    history = await backend.usage_history(job.ref, datetime.now(UTC) - timedelta(hours=1))
    assert history.series == ()
    assert history.sources[0].missing


async def test_by_url_with_a_token(site, served, tmp_path):
    backend = site.backend(url=served.url)
    assert Measure.POWER in (await site.sources(backend))["Prometheus"].gives
    lost = site.backend(url=served.url, token_file=str(tmp_path / "none"))
    assert "cannot be read from" in (await site.sources(lost))["Prometheus"].missing
    wrong = site.backend(url=f"{served.url}/nowhere")
    assert "does not answer queries (status 404)" in (await site.sources(wrong))["Prometheus"].missing
