"""A real Prometheus, over exporters with the real names: each trap that one can step into."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.errors import BackendError
from backend_client.prometheus.client import Answer, PrometheusClient
from backend_client.prometheus.pod_spans import PodSpan
from backend_client.prometheus.usage_samples import sum_of
from backend_client.prometheus.usage_source import MOST_POINTS, PrometheusUsage, grid_of
from backend_client.usage import Measure
from tests.support.prometheus import dcgm, line

OWN = {"labels": {"pod": "dcgm-exporter-x", "namespace": "gpu-operator"}}
HONOR, NOT = {"honor": True, **OWN}, {"honor": False, **OWN}
BLANK = 9223372036854775794


def spans(*pods, since=None):
    return [PodSpan(namespace="team", pod=pod, rank=rank, since=since) for rank, pod in enumerate(pods)]


async def told(source, *pods):
    return sum_of(spans(*pods), await source.sums(["team"]), "P")


@pytest.mark.parametrize("config", [HONOR, NOT], ids=["honor_labels", "exported"])
async def test_gpus_are_those_of_the_pod_that_holds_them(lab, config):
    text = dcgm(0, pod="a-0", namespace="team", util=100) + dcgm(1, pod="a-0", namespace="team", util=20)
    text += (
        dcgm(2, pod="a-1", namespace="team", util=60)
        + dcgm(3, pod="a-0", namespace="other", util=1)
        + dcgm(4)
    )
    lab.start(("dcgm", text, config))
    source = lab.ask()
    usage = await told(source, "a-0")
    assert (usage.gpu, usage.gpu_min, usage.power) == (0.6, 0.2, 701.0)
    assert usage.gpu_memory == pytest.approx(40000 / 81000)
    assert (await told(source, "a-0", "a-1")).gpu == 0.6
    assert await told(source, "dcgm-exporter-x") is None
    assert await told(source, "a") is None
    found = await source.gpus(spans("a-0", "a-1"))
    assert {key[1]: [gpu.gpu for gpu in gpus] for key, gpus in found.items()} == {
        "a-0": ["0", "1"],
        "a-1": ["2"],
    }
    assert Measure.UTILISATION in source.source().gives


async def test_where_nobody_holds_a_gpu_the_exporters_own_pod_is_not_taken_for_one(lab):
    lab.start(("dcgm", dcgm(0) + dcgm(1), NOT))
    source = lab.ask()
    await source.discovery()
    assert source.source().gives == ()
    assert "dcgm-exporter" in source.source().missing


async def test_without_an_exporter_it_is_said(lab):
    lab.start(("other", line("up_and_well", 1), {}))
    source = lab.ask()
    await source.discovery()
    assert "scrapes no exporter" in source.source().missing


async def test_the_instances_of_a_card_are_counted_once(lab):
    both = [
        {"uuid": "GPU-1", "part": part, "util": None, "used": 100, "free": 300, "reserved": None}
        for part in "12"
    ]
    text = dcgm(0, pod="a", namespace="team", activity=0.9, **both[0])
    text += dcgm(0, pod="a", namespace="team", activity=0.5, **both[1]) + dcgm(1, pod="b", namespace="team")
    lab.start(("dcgm", text, HONOR))
    source = lab.ask()
    usage = await told(source, "a")
    assert (usage.gpu, usage.gpu_min, usage.gpu_memory) == (0.7, 0.5, 0.25)
    assert usage.power is None, "what an instance draws of its card's power nobody measures"
    (gpus,) = (await source.gpus(spans("a"))).values()
    assert [(gpu.gpu, gpu.activity, gpu.power, gpu.shared) for gpu in gpus] == [
        ("0/1", 0.9, 350.5, True), ("0/2", 0.5, 350.5, True),
    ]  # fmt: skip
    assert (await told(source, "b")).power == 350.5


async def test_a_card_that_two_pods_use_is_shared(lab):
    text = "".join(dcgm(0, pod=pod, namespace="team") for pod in "ab") + dcgm(1, pod="b", namespace="team")
    lab.start(("dcgm", text, HONOR))
    found = await lab.ask().gpus(spans("a", "b"))
    assert {key[1]: [gpu.shared for gpu in gpus] for key, gpus in found.items()} == {
        "a": [True],
        "b": [True, False],
    }


async def test_two_scrapes_of_one_exporter_are_no_two_gpus(lab):
    text = dcgm(0, pod="a", namespace="team")
    lab.start(("dcgm", text, HONOR), ("dcgm-again", text, HONOR))
    source = lab.ask()
    assert (await told(source, "a")).power == 350.5
    assert len((await source.gpus(spans("a")))["team", "a"]) == 1


async def test_blank_values_are_none(lab):
    text = dcgm(0, pod="a", namespace="team", power=BLANK, temperature=BLANK, util=2**31 - 16, activity=None)
    lab.start(("dcgm", text, HONOR))
    source = lab.ask()
    usage = await told(source, "a")
    assert (usage.gpu, usage.power) == (None, None)
    assert usage.gpu_memory is not None
    ((gpu,),) = (await source.gpus(spans("a"))).values()
    assert (gpu.utilisation, gpu.power, gpu.temperature) == (None, None, None)


async def test_a_share_that_cannot_be_is_none_and_a_little_over_the_whole_is_the_whole(lab):
    shares = (50, 100.5, 150, -1, "NaN")
    text = "".join(dcgm(gpu, pod="a", namespace="team", util=share) for gpu, share in enumerate(shares))
    lab.start(("dcgm", text, HONOR))
    usage = await told(lab.ask(), "a")
    assert (usage.gpu, usage.gpu_min) == (0.75, 0.5)


async def test_old_names(lab):
    labels = {"gpu": "0", "uuid": "GPU-1", "pod_name": "a", "pod_namespace": "team", "container_name": "c"}
    figures = {"gpu_utilization": 50, "fb_used": 25, "fb_free": 75, "power_usage": 99.5, "gpu_temp": 40}
    lab.start(("dcgm", "".join(line(f"dcgm_{name}", value, **labels) for name, value in figures.items()), {}))
    source = lab.ask()
    usage = await told(source, "a")
    assert (usage.gpu, usage.gpu_memory, usage.power, usage.xid) == (0.5, 0.25, 99.5, None)
    ((gpu,),) = (await source.gpus(spans("a"))).values()
    assert (gpu.gpu, gpu.memory_total, gpu.temperature) == ("0", 100 * 2**20, 40.0)


async def test_amd(lab):
    text = ""
    for gpu, pod in (("0", "a"), ("1", "a"), ("2", "")):
        labels = {"gpu_id": gpu, "serial_number": f"69{gpu}", "card_series": "AMD Instinct MI300X OAM"}
        labels |= {"pod": pod, "namespace": "team"} if pod else {"pod": "", "namespace": ""}
        figures = {
            "gfx_activity": 70,
            "used_vram": 1024,
            "total_vram": 4096,
            "package_power": 500,
            "junction_temperature": 55,
        }
        text += "".join(line(f"gpu_{name}", value, **labels) for name, value in figures.items())
    lab.start(
        ("amd", text, {"honor": True, "labels": {"pod": "metrics-exporter", "namespace": "kube-amd-gpu"}})
    )
    source = lab.ask()
    usage = await told(source, "a")
    assert (usage.gpu, usage.gpu_memory, usage.power, usage.xid) == (0.7, 0.25, 1000.0, None)
    (gpus,) = (await source.gpus(spans("a"))).values()
    assert [(gpu.gpu, gpu.product, gpu.memory_total, gpu.shared) for gpu in gpus] == [
        (n, "AMD Instinct MI300X OAM", 2**32, False) for n in "01"
    ]


def cadvisor(pod, container, cpu, rss):
    labels = {"namespace": "team", "pod": pod, "container": container, "id": f"/kubepods/{pod}/{container}"}
    return line("container_cpu_usage_seconds_total", cpu, **labels) + line(
        "container_memory_working_set_bytes", rss, **labels
    )


async def test_containers_are_never_counted_twice(lab):
    def text(cpu):
        both = (
            cadvisor("a", "", 3 * cpu, 300)
            + cadvisor("a", "main", cpu, 100)
            + cadvisor("a", "proxy", cpu, 50)
        )
        return both + cadvisor("a", "POD", cpu, 1) + cadvisor("b", "", cpu, 70)

    lab.start(("kubelet", text(1), {}))
    lab.prometheus.until("count_over_time(container_cpu_usage_seconds_total[1m]) >= 2")
    source = lab.ask()
    assert (await told(source, "a")).memory == 150
    assert (await told(source, "b")).memory == 70
    assert (await told(source, "b")).cpu == 0.0
    found = await source.containers(spans("a", "b"))
    assert [one.name for one in found["team", "a"].containers] == ["main", "proxy"]
    assert (found["team", "a"].memory, found["team", "b"].memory) == (150, 70)
    assert set(source.source().gives) == {Measure.CPU, Measure.RSS}


async def test_what_is_gone_is_none_and_not_0(lab):
    lab.start(("dcgm", dcgm(0, pod="a", namespace="team") + dcgm(1, pod="b", namespace="team"), HONOR))
    source = lab.ask()
    assert (await told(source, "a")).gpu == 0.9
    lab.exporters["dcgm"].text = dcgm(0) + dcgm(1, pod="b", namespace="team")
    lab.prometheus.until('DCGM_FI_DEV_GPU_UTIL{pod="a"}', lambda count: count == 0)
    assert await told(source, "a") is None
    assert (await source.gpus(spans("a"))) == {}
    history = await source.history(spans("a"), datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
    values = next(one.values for one in history.series if one.measure is Measure.UTILISATION)
    assert 0.9 in values
    assert values[0] is None
    assert None not in values[values.index(0.9) : len(values) - values[::-1].index(0.9)]


async def test_history_joins_all_pods_of_a_rank_within_their_times(lab):
    text = dcgm(0, pod="a", namespace="team", util=100) + dcgm(1, pod="b", namespace="team", util=50)
    lab.start(("dcgm", text, HONOR))
    lab.prometheus.until("count_over_time(DCGM_FI_DEV_GPU_UTIL[1m]) >= 4")
    now = time.time()
    pods = [
        PodSpan(namespace="team", pod="a", rank=0, attempt=1, until=now),
        PodSpan(namespace="team", pod="b", rank=0, attempt=2, since=now + 3600),
    ]
    found = await lab.ask().history(pods, datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
    utilisation = [one for one in found.series if one.measure is Measure.UTILISATION]
    assert [(one.rank, one.gpu, set(one.values) - {None}) for one in utilisation] == [(0, "0", {1.0})]


async def test_the_same_history_is_asked_for_once(lab):
    lab.start(("dcgm", dcgm(0, pod="a", namespace="team"), HONOR))
    source = lab.ask()
    await source.discovery()
    asked = 0
    ask = source._client._ask

    async def count(*args):
        nonlocal asked
        asked += 1
        return await ask(*args)

    source._client._ask = count
    since, until = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC)
    several = await asyncio.gather(*(source.history(spans("a"), since, until) for _ in range(5)))
    assert asked == 5, "one for each measure of a GPU"
    assert all(one.series == several[0].series for one in several)
    assert len(several[0].series[0].values) <= MOST_POINTS


def test_the_times_of_a_history_are_the_same_for_all_who_ask():
    first, second = grid_of(1000.4, 4600.4, 15), grid_of(1010.0, 4610.0, 15)
    assert (first.step, first.start % first.step) == (45.0, 0)
    assert first == second
    assert grid_of(0, 0, 30).count == 1
    for span in (1, 59, 3600, 3601, 86_400, 30 * 86_400):
        grid = grid_of(7.0, 7.0 + span, 30)
        assert grid.count <= MOST_POINTS
        assert grid.step >= 30
        assert grid.start <= 7.0
        assert grid.end <= 7.0 + span or grid.count == 1
        assert grid.end + grid.step > 7.0 + span


async def test_a_prometheus_that_falls_silent_says_since_when():
    now, silent = 1000.0, False

    async def ask(method, path, params, seconds):
        if silent:
            raise BackendError("Prometheus gave no answer in 2 s.")
        return Answer(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}')

    source = PrometheusUsage(PrometheusClient(ask), lambda: now)
    await source.sums()
    now, silent = 1100.0, True
    for _ in range(2):
        with pytest.raises(BackendError) as raised:
            await source.sums()
        assert source.source(raised.value).since == datetime.fromtimestamp(1100, UTC)
        now += 30
    silent = False
    await source.sums()
    assert source.source().since is None


async def test_a_name_that_is_no_name_asks_for_nothing_else(lab):
    lab.start(("dcgm", dcgm(0, pod="a.b", namespace="team") + dcgm(1, pod="axb", namespace="team"), HONOR))
    source = lab.ask()
    assert set(await source.gpus(spans("a.b", 'x"} or up{a="'))) == {("team", "a.b")}
    with contextlib.suppress(BackendError):
        assert await source.gpus(spans("\x00\n\\")) == {}


@pytest.mark.parametrize("config", [HONOR, NOT], ids=["honor_labels", "exported"])
async def test_what_claims_hold_free(lab, config):
    def told(claim, namespace, free):
        labels = {"persistentvolumeclaim": claim, "namespace": namespace}
        return line("kubelet_volume_stats_available_bytes", free, **labels)

    lab.start(("kubelet", told("data", "team", 7) + told("full", "team", 0) + told("data", "b", 9), config))
    source = lab.ask()
    assert await source.claims_free("team") == {"data": 7, "full": 0}
    assert await source.claims_free("gpu-operator") == {}
