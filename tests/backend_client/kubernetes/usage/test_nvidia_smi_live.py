"""GPUs read by nvidia-smi in pods of a real node; a script plays it, as the node has no GPU."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.run_command import run_command
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.usage import nvidia_smi
from backend_client.kubernetes.usage.nvidia_smi_csv import FIELDS
from backend_client.models import JobState
from backend_client.protocol import JobQuery, Scope
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live
from tests.backend_client.kubernetes.support.node_pods import SLOT, NodePods, impersonating
from tests.support.wait import async_until

pytestmark = [pytest.mark.node, pytest.mark.xdist_group("exec")]
MIB = 2**20
SCRIPT = f"""#!/bin/sh
echo >> /tmp/runs
[ "$*" = "--query-gpu={",".join(FIELDS)} --format=csv,noheader,nounits" ] || exit 2
case "$PLAY" in
hangs) sleep 3600 ;;
broken) printf 'NVIDIA-SMI has failed.\\nMake sure.\\n'; exit 9 ;;
esac
rank=${{JOB_COMPLETION_INDEX:-0}}
echo "0, GPU-$rank-a, NVIDIA H200, Disabled, 9$rank, 1024, 143771, 301.55, 41"
echo "1, GPU-$rank-b, NVIDIA H200, Disabled, [N/A], [N/A], 143771, [N/A], 38"
"""


class Site(NodePods):
    """A namespace whose pods hold a device, and have nvidia-smi on their PATH where they ask for it."""

    def __init__(self, live: Live, cluster: Cluster) -> None:
        super().__init__(live)
        self.cluster = cluster
        self.backends: list[KubernetesBackend] = []
        self.offer_slots()
        self.make("v1", "ConfigMap", "smi", data={"nvidia-smi": SCRIPT})

    def gpu_spec(self, play: str = "fine", *, has_it: bool = True):
        spec = self.spec(
            env=[{"name": "PLAY", "value": play}],
            resources={"limits": {SLOT: "1"}},
            volumeMounts=[{"name": "smi", "mountPath": "/usr/local/bin"}] if has_it else [],
        )
        return spec | {"volumes": [{"name": "smi", "configMap": {"name": "smi", "defaultMode": 0o755}}]}

    def backend(self, user: str = "", **settings: object) -> KubernetesBackend:
        target = self.cluster.target()
        made = KubernetesBackend(
            user or "admin",
            KubernetesSettings(gpu_resource=SLOT, **{"nvidia_smi": True, **settings}),
            namespace=self.namespace,
            target=impersonating(target, user) if user else target,
        )
        self.backends.append(made)
        return made

    async def the_job(self, backend: KubernetesBackend, name: str):
        async def found():
            jobs = (await backend.list(JobQuery(namespace=self.namespace))).items
            running = (job for job in jobs if job.name == name and job.state is JobState.RUNNING)
            return next(running, None)

        return await async_until(found, 40)

    async def runs(self, backend: KubernetesBackend, pod: str) -> int:
        """How often the script was started in a pod."""
        transport = await backend._session.transport()
        where = Container(self.namespace, pod, "main")
        said = await run_command(transport, where, ["sh", "-c", "wc -l < /tmp/runs"], most=100, seconds=20)
        return int(said.stdout or 0)


@pytest.fixture
async def site(shared_cluster: Cluster) -> AsyncIterator[Site]:
    made = Site(Live(shared_cluster.kubeconfig), shared_cluster)
    yield made
    for backend in made.backends:
        await backend.aclose()
    made.close()


def of(usage, name):
    return [source for source in usage.sources if source.name == name]


async def test_each_gpu_of_each_rank(site):
    template = {"spec": site.gpu_spec()}
    site.make(
        "batch/v1", "Job", "train",
        spec={"completionMode": "Indexed", "completions": 2, "parallelism": 2, "template": template},
    )  # fmt: skip
    site.until_ready(2)
    backend = site.backend()
    job = await site.the_job(backend, "train")
    usage = await backend.usage(job.ref)
    told = [
        [(gpu.gpu, gpu.uuid, gpu.utilisation, gpu.memory, gpu.power) for gpu in rank.gpus]
        for rank in usage.ranks
    ]
    assert told == [
        [
            ("0", f"GPU-{rank}-a", 0.9 + rank / 100, 1024 * MIB, 301.55),
            ("1", f"GPU-{rank}-b", None, None, None),
        ]
        for rank in (0, 1)
    ]
    assert all(gpu.as_of for rank in usage.ranks for gpu in rank.gpus)
    (source,) = of(usage, "nvidia-smi")
    assert source.gives
    assert not source.missing
    (prometheus,) = of(usage, "Prometheus")
    assert "past use is not told" in prometheus.missing
    first = usage.ranks[0].pod
    await asyncio.gather(*(backend.usage(job.ref) for _ in range(5)))
    assert await site.runs(backend, first) == 1  # so young a reading is told again
    table = await backend.usages(Scope(site.namespace))
    (source,) = of(table, "nvidia-smi")
    assert source.missing == "is asked of one job at a time: top NAME, a job's detail"
    assert await site.runs(backend, first) == 1


async def test_it_is_off_unless_a_setting_says_so_and_for_jobs_without_gpus(site):
    site.make("v1", "Pod", "train", spec=site.gpu_spec())
    site.make("batch/v1", "Job", "plain", spec={"template": {"spec": site.spec()}})
    site.until_ready(2)
    off, on = site.backend(nvidia_smi=False), site.backend()
    usage = await off.usage((await site.the_job(off, "train")).ref)
    assert of(usage, "nvidia-smi") == []
    assert "nobody tells of GPUs" in of(usage, "Prometheus")[0].missing
    assert await site.runs(off, "train") == 0
    assert of(await off.usages(Scope(site.namespace)), "nvidia-smi") == []
    assert of(await on.usage((await site.the_job(on, "plain")).ref), "nvidia-smi") == []


@pytest.mark.parametrize(
    ("play", "words"),
    [
        ("absent", "there is no nvidia-smi in container main of pod train"),
        (
            "broken",
            "the nvidia-smi in container main of pod train failed (exit code 9): NVIDIA-SMI has failed",
        ),
        ("hangs", "the command nvidia-smi did not end in 1 s in container main of pod train"),
    ],
)
async def test_why_there_are_none_is_said_and_not_tried_again_at_once(site, monkeypatch, play, words):
    monkeypatch.setattr(nvidia_smi, "SECONDS", 1.0 if play == "hangs" else 20.0)
    monkeypatch.setattr(nvidia_smi, "KEPT_SECONDS", 0.0)
    site.make("v1", "Pod", "train", spec=site.gpu_spec(play, has_it=play != "absent"))
    site.until_ready(1)
    backend = site.backend()
    job = await site.the_job(backend, "train")
    for _ in range(3):
        usage = await backend.usage(job.ref)
        (source,) = of(usage, "nvidia-smi")
        assert source.missing == words
        assert not source.gives
        assert [rank.gpus for rank in usage.ranks] == [()]
    assert await site.runs(backend, "train") == (play != "absent")


async def test_the_missing_right_is_named(site):
    site.make("v1", "Pod", "train", spec=site.gpu_spec())
    site.until_ready(1)
    site.may("smi-alice", ["get"])
    backend = site.backend("smi-alice")
    admin = site.backend()
    ref = (await site.the_job(admin, "train")).ref

    async def told():
        job = await admin.get(ref)
        usage = await backend._shared.usage.open().usage(job, await pods_of(admin, ref))
        return of(usage, "nvidia-smi")[0].missing

    assert await told() == f"you may not create pods/exec in {site.namespace}"
    assert await site.runs(admin, "train") == 0


async def pods_of(backend, ref):
    return (await backend._with_pods(ref))[1]
