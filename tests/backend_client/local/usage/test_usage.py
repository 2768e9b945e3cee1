"""What LocalBackend tells of its jobs: by slot, with the sources and what they do not tell."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.errors import NotFound
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec, JobState
from backend_client.protocol import Feature, Scope
from backend_client.usage import HasUsage, Measure
from tests.backend_client.local.usage.recorded_nvml import GIB, TRAINING
from tests.backend_client.local.usage.test_reader import recorded
from tests.contract.support.harness import DEADLINE, remove_all, until

UUIDS = [card["UUID"] for card in TRAINING]


def opened(folder, *, ids=(), nvml=(), gpus=0):
    """A backend whose device table has these ids, and whose GPUs are read by that command."""
    rows = json.dumps([{"id": id_, "product": "NVIDIA H100 80GB HBM3"} for id_ in ids])
    return LocalBackend(
        folder / "local" / "gpu-7", gpus=gpus, grace=1.0, probe=["echo", rows] if ids else (), nvml=nvml
    )


@pytest.fixture
async def machine(tmp_path):
    """Two GPUs."""
    made = opened(tmp_path, ids=UUIDS, nvml=recorded())
    yield made
    await remove_all(made)
    await made.aclose()


async def running(backend, name, gpus):
    spec = JobSpec(name=name, command=("sleep", "1000"), gpus=gpus)
    job = await backend.create(spec, key=name, secrets={})
    return await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)


def test_it_has_usage(tmp_path):
    backend = opened(tmp_path)
    assert isinstance(backend, HasUsage)
    assert Feature.METRICS in backend.features
    assert Feature.METRICS not in backend.missing_features


async def test_each_job_has_the_gpus_of_its_slots(machine):
    first, second = await running(machine, "a", 1), await running(machine, "b", 1)
    none = await running(machine, "c", 0)
    usage = await machine.usage(first.ref)
    (gpu,) = usage.ranks[0].gpus
    assert (gpu.gpu, gpu.uuid, gpu.product) == ("0", UUIDS[0], "NVIDIA H100 80GB HBM3")
    assert (gpu.utilisation, gpu.memory, gpu.memory_total) == (0.97, 71 * GIB, 80 * GIB)
    assert (gpu.power, gpu.temperature, gpu.xid, gpu.activity) == (689.421, 61, None, None)
    assert datetime.now(UTC) - gpu.as_of < timedelta(seconds=DEADLINE)
    assert [source.name for source in usage.sources] == ["NVML", "/proc"]
    (idle,) = (await machine.usage(second.ref)).ranks[0].gpus
    assert (idle.gpu, idle.utilisation) == ("1", 0.0)
    assert (await machine.usage(none.ref)).ranks[0].gpus == ()
    table = await machine.usages(Scope())
    assert {uid: used.gpu for uid, used in table.jobs.items()} == {
        first.ref.uid: 0.97,
        second.ref.uid: 0.0,
        none.ref.uid: None,
    }
    assert (await machine.usages(Scope("another-host"))).jobs == {}


async def test_a_watch_tells_it_with_the_job(machine):
    job = await running(machine, "a", 2)
    told = await until(machine, job.ref, lambda job: job.usage is not None)
    assert (told.usage.gpu, told.usage.gpu_min, told.usage.gpu_memory) == (0.485, 0.0, 71 / 80)
    assert (told.usage.power, told.usage.source) == (801.421, "NVML, /proc")
    history = await machine.usage_history(job.ref, job.created)
    shares = {s.gpu: s.values[-1] for s in history.series if s.measure is Measure.UTILISATION}
    assert shares == {"0": 0.97, "1": 0.0}


async def test_history_says_that_nobody_looked_before(machine):
    job = await running(machine, "a", 0)
    await machine.usage(job.ref)
    known = await machine.usage_history(job.ref, job.created)
    assert [source.missing for source in known.sources] == [""]
    later = opened(machine._store.root.path.parent.parent)
    unknown = await later.usage_history(job.ref, job.created - timedelta(hours=3))
    assert unknown.series == ()
    assert "nobody looked before" in unknown.sources[0].missing


async def test_a_lost_gpu_is_said_and_the_other_has_its_figures(tmp_path):
    ids = [UUIDS[0], "GPU-00000002-aaaa-bbbb-cccc-dddddddddddd"]
    backend = opened(tmp_path, ids=ids, nvml=recorded("r.FELL_OFF"))
    job = await running(backend, "a", 2)
    usage = await backend.usage(job.ref)
    assert [(gpu.gpu, gpu.utilisation) for gpu in usage.ranks[0].gpus] == [("0", 0.97), ("2", None)]
    assert [(s.name, s.missing[:27]) for s in usage.sources] == [
        ("NVML", ""),
        ("NVML", "the driver has lost GPU 2: "),
        ("/proc", ""),
    ]
    (used,) = (await backend.usages(Scope())).jobs.values()
    assert (used.gpu, used.power) == (0.97, None)
    await remove_all(backend)
    await backend.aclose()


@pytest.mark.parametrize(
    ("nvml", "why"), [((), "this machine has no NVIDIA driver"), (["true"], "ends at once")]
)
async def test_without_nvml_cpu_and_memory_are_there_and_no_gpu_is_0(tmp_path, nvml, why):
    backend = opened(tmp_path, gpus=2, nvml=nvml)
    job = await running(backend, "a", 1)
    usage = await backend.usage(job.ref)
    (rank,) = usage.ranks
    assert rank.memory is not None
    assert [(gpu.gpu, gpu.utilisation, gpu.memory, gpu.power) for gpu in rank.gpus] == [
        ("0", None, None, None)
    ]
    assert why in usage.sources[0].missing
    (used,) = (await backend.usages(Scope())).jobs.values()
    assert (used.gpu, used.gpu_min, used.memory is None, used.source) == (None, None, False, "/proc")
    await remove_all(backend)


async def test_nvml_is_not_asked_where_no_job_holds_a_gpu(tmp_path):
    asked = tmp_path / "asked"
    backend = opened(tmp_path, ids=UUIDS, nvml=["sh", "-c", f"touch {asked}"])
    job = await running(backend, "a", 0)
    await backend.usage(job.ref)
    assert not asked.exists()
    await remove_all(backend)


async def test_jobs_of_another_machine_and_none_at_all(tmp_path, machine):
    job = await running(machine, "a", 0)
    neighbour = LocalBackend(tmp_path / "local" / "gpu-8", nvml=())
    usage = await neighbour.usage(job.ref)
    assert (usage.ranks, usage.sources[0].missing) == ((), "it runs on gpu-7; log in there to see its use")
    assert (await neighbour.usages(Scope())).jobs == {}
    await machine.stop(job.ref)
    async for _ in machine.delete(job.ref):
        pass
    with pytest.raises(NotFound):
        await machine.usage(job.ref)


async def test_users_of_one_server_share_one_reader(machine):
    from backend_client.multi_user import Ownership  # noqa: PLC0415

    theirs = machine.for_user(Ownership("ada", "s"), lambda *_: None)
    job = await running(machine, "a", 1)
    await asyncio.gather(*(backend.usage(job.ref) for backend in (machine, theirs, machine, theirs)))
    assert theirs._meter is machine._meter
