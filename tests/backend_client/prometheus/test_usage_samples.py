"""What answers amount to: joined to pods and their times, and never 0 where nobody told (pure)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.prometheus.client import Series
from backend_client.prometheus.gpu_exporter import DCGM, FoundExporter
from backend_client.prometheus.pod_spans import PodSpan
from backend_client.prometheus.usage_samples import (
    PodUse,
    add_sums,
    containers_of,
    gpu_name,
    gpus_of,
    plausible,
    series_of,
    sum_of,
)
from backend_client.usage import ContainerUsage, Measure

NOW = 1_800_000_000.0
BY_POD = ("exported_namespace", "exported_pod")
FOUND = FoundExporter(DCGM, "exported_pod", "exported_namespace", frozenset(DCGM.metrics))


def span(pod="a", rank=0, **fields):
    return PodSpan(namespace="team", pod=pod, rank=rank, **fields)


def use(**fields):
    return PodUse(gpu_time=NOW, **fields)


def test_a_job_without_any_figure_has_no_usage():
    assert sum_of([span()], {}, "P") is None
    assert sum_of([span()], {("team", "a"): use()}, "P") is None
    assert sum_of([], {("team", "a"): use(gpu=1.0, gpus=1.0)}, "P") is None


def test_a_namesake_in_another_namespace_is_another():
    assert sum_of([span()], {("other", "a"): use(gpu=1.0, gpus=1.0)}, "P") is None


def test_ranks_weigh_by_their_gpus_and_the_idlest_gpu_is_told():
    uses = {
        ("team", "a"): use(
            gpu=8.0, gpus=8.0, gpu_least=1.0, memory=8.0, memory_free=72.0, memory_most=5.0, memory_least=5.0
        ),
        ("team", "b"): use(
            gpu=0.0,
            gpus=2.0,
            gpu_least=0.0,
            memory=2.0,
            memory_free=18.0,
            memory_most=2.0,
            memory_least=8.0,
            idle=2,
        ),
    }
    usage = sum_of([span("a"), span("b", 1)], uses, "P")
    assert (usage.gpu, usage.gpu_min) == (0.8, 0.0)
    assert (usage.gpu_memory, usage.gpu_memory_max) == (0.1, 0.5)
    assert (usage.gpu_memory_total, usage.gpus_idle) == (10, 2)
    assert usage.as_of == datetime.fromtimestamp(NOW, UTC)


def test_a_sum_that_lacks_a_rank_is_not_known():
    uses = {("team", "a"): use(gpu=1.0, gpus=1.0, power=300.0, cpu=4.0, rss=5.0)}
    usage = sum_of([span("a"), span("b", 1)], uses, "P")
    assert (usage.gpu, usage.cpu, usage.memory) == (1.0, None, None)
    uses["team", "b"] = use(gpu=1.0, gpus=1.0, cpu=1.0)
    usage = sum_of([span("a"), span("b", 1)], uses, "P")
    assert (usage.power, usage.cpu, usage.memory) == (None, 5.0, None)


def test_a_rank_without_gpus_takes_no_part_in_their_sums():
    uses = {("team", "a"): use(gpu=0.5, gpus=1.0, power=300.0, cpu=1.0), ("team", "b"): PodUse(cpu=1.0)}
    usage = sum_of([span("a"), span("b", 1)], uses, "P")
    assert (usage.gpu, usage.power, usage.cpu) == (0.5, 300.0, 2.0)


def test_zero_is_a_figure():
    usage = sum_of([span()], {("team", "a"): use(gpu=0.0, gpus=1.0, gpu_least=0.0, cpu=0.0, xid=0.0)}, "P")
    assert (usage.gpu, usage.gpu_min, usage.cpu, usage.xid) == (0.0, 0.0, 0.0, 0)


def test_figures_from_before_the_pod_was_the_jobs_are_anothers():
    old = {("team", "a"): use(gpu=1.0, gpus=1.0)}
    assert sum_of([span(since=NOW + 600)], old, "P") is None
    assert sum_of([span(since=NOW - 600)], old, "P").gpu == 1.0


def test_an_error_of_any_gpu_is_the_jobs():
    uses = {("team", "a"): use(gpus=1.0, xid=0.0), ("team", "b"): use(gpus=1.0, xid=79.0)}
    assert sum_of([span("a"), span("b", 1)], uses, "P").xid == 79


def answer(value, **labels):
    return Series({"exported_namespace": "team", **labels}, (NOW, value))


def test_a_group_without_a_pod_is_no_pod():
    uses = {}
    add_sums(
        uses,
        Measure.POWER,
        [
            answer("350"),
            answer("100", exported_pod=""),
            answer("NaN", exported_pod="b"),
            answer("1", exported_pod="a"),
        ],
        BY_POD,
    )
    assert uses == {("team", "a"): PodUse(power=1.0)}


def test_the_values_of_one_answer_are_told_apart():
    uses = {}
    stats = (("used", "30"), ("free", "70"), ("most", "20"), ("least", "30"), ("?", "9"))
    told = [answer(value, exported_pod="a", stat=stat) for stat, value in stats]
    add_sums(uses, Measure.MEMORY, told, BY_POD)
    one = uses["team", "a"]
    assert one == PodUse(memory=30.0, memory_free=70.0, memory_most=20.0, memory_least=30.0)
    assert (one.memory_size, one.fullest) == (100.0, (0.4, 50.0))


def test_memory_is_in_bytes_whatever_the_unit_of_its_exporter():
    uses = {}
    for measure in (Measure.MEMORY, Measure.POWER):
        add_sums(uses, measure, [answer("7", exported_pod="a", stat="used")], BY_POD, 2.0**20)
        add_sums(uses, measure, [answer("7", exported_pod="a")], BY_POD, 2.0**20)
    assert uses["team", "a"] == PodUse(memory=7 * 2.0**20, power=7.0)


def test_an_exporter_may_tell_the_size_and_not_what_is_free():
    one = PodUse(memory=30.0, memory_total=100.0, memory_most=20.0, memory_least=50.0)
    assert (one.memory_size, one.fullest) == (100.0, (0.4, 50.0))


def test_shares_come_one_for_each_gpu_and_what_cannot_be_is_left_out():
    uses = {}
    told = [answer(value, exported_pod="a") for value in ("1", "0.5", "1.004", "-1", "7", "NaN")]
    add_sums(uses, Measure.UTILISATION, told, BY_POD)
    assert uses["team", "a"] == PodUse(gpu=2.5, gpus=3.0, gpu_least=0.5)
    add_sums(uses, Measure.UTILISATION, [answer(value, exported_pod="a") for value in ("0", "0.01")], BY_POD)
    assert uses["team", "a"].idle == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*Measure, "xid", "time"]),
            st.dictionaries(
                st.sampled_from(["exported_pod", "exported_namespace", "stat", "x"]), st.text(max_size=3)
            ),
            st.one_of(st.floats().map(str), st.text(max_size=3)),
        ),
        max_size=20,
    )
)
def test_no_answer_breaks_the_sums(answers):
    uses = {}
    for measure, labels, value in answers:
        add_sums(uses, measure, [Series(labels, (NOW, value))], BY_POD)
    for (_, pod), one in uses.items():
        assert pod
        sum_of([PodSpan(namespace="team", pod=pod)], {("team", pod): one}, "P")


def card(name, value, gpu="0", uuid="GPU-1", **labels):
    return answer(value, __name__=name, exported_pod="a", gpu=gpu, UUID=uuid, modelName="H100", **labels)


def gpus(*series, shared=(), since=None):
    cards = [(one.metric["UUID"], one.metric.get("GPU_I_ID", "")) for one in series]
    told = {
        "gpus": series,
        "times": [answer(str(NOW), exported_pod="a", UUID=uuid, GPU_I_ID=part) for uuid, part in cards],
        "shared": [answer("2", UUID=uuid) for uuid in shared],
    }
    return gpus_of(FOUND, told, [span(since=since)]).get(("team", "a"), ())


def test_a_gpu_as_it_is():
    (gpu,) = gpus(
        card(DCGM.utilisation, "97"), card(DCGM.activity, "0.5"), card(DCGM.memory_used, "1024"),
        card(DCGM.memory_free, "2048"), card(DCGM.memory_reserved, "512"), card(DCGM.power[0], "310.5"),
        card(DCGM.temperature[0], "60"), card(DCGM.xid, "0"),
    )  # fmt: skip
    assert (gpu.gpu, gpu.uuid, gpu.product) == ("0", "GPU-1", "H100")
    assert (gpu.utilisation, gpu.activity) == (0.97, 0.5)
    assert (gpu.memory, gpu.memory_total) == (2**30, 3584 * 2**20)
    assert (gpu.power, gpu.temperature, gpu.xid, gpu.shared) == (310.5, 60.0, 0, False)
    assert gpu.as_of == datetime.fromtimestamp(NOW, UTC)


def test_less_than_nothing_and_more_than_anything_is_no_figure():
    (gpu,) = gpus(
        card(DCGM.memory_used, "-1"), card(DCGM.power[0], "-100"), card(DCGM.temperature[0], "-300"),
        card(DCGM.xid, "-1"), card(DCGM.activity, "0.5"),
    )  # fmt: skip
    assert (gpu.memory, gpu.power, gpu.temperature, gpu.xid, gpu.activity) == (None, None, None, None, 0.5)
    uses = {}
    for figure in ("-100", "1e30"):  # as a whole number no database keeps the second
        add_sums(uses, Measure.RSS, [answer(figure, exported_pod="a")], BY_POD)
    assert uses == {}


def test_a_time_that_no_calendar_has_is_unknown():
    uses = {("team", "a"): PodUse(gpu=1.0, gpus=1.0, gpu_time=1e18)}
    assert sum_of([span()], uses, "P").as_of is None


def test_what_an_exporter_does_not_give_is_not_zero():
    (gpu,) = gpus(card(DCGM.memory_used, "1024"))
    assert (gpu.utilisation, gpu.activity, gpu.memory_total, gpu.power, gpu.xid) == (None,) * 5


def test_instances_of_one_card_are_gpus_of_their_own_and_share_it():
    one, two = gpus(
        card(DCGM.memory_used, "1", GPU_I_ID="7"), card(DCGM.activity, "0.9", GPU_I_ID="7"),
        card(DCGM.memory_used, "2", GPU_I_ID="9"),
    )  # fmt: skip
    assert [(gpu.gpu, gpu.uuid, gpu.shared) for gpu in (one, two)] == [
        ("0/7", "GPU-1", True),
        ("0/9", "GPU-1", True),
    ]
    assert (one.activity, one.utilisation, two.activity) == (0.9, None, None)


def test_a_card_that_others_use_too_is_shared():
    (gpu,) = gpus(card(DCGM.memory_used, "1"), shared=["GPU-1"])
    assert gpu.shared


def test_gpus_are_in_the_order_of_their_numbers():
    found = gpus(*(card(DCGM.memory_used, "1", gpu=n, uuid=f"GPU-{n}") for n in ("10", "9", "0")))
    assert [gpu.gpu for gpu in found] == ["0", "9", "10"]


def test_gpus_of_a_namesake_before_are_not_the_jobs():
    assert gpus(card(DCGM.memory_used, "1"), since=NOW + 3600) == ()


def test_a_share_that_cannot_be_is_none():
    (gpu,) = gpus(card(DCGM.utilisation, "101.5"), card(DCGM.activity, "-1"), card(DCGM.memory_used, "1"))
    assert (gpu.utilisation, gpu.activity) == (None, None)


def test_a_gpu_without_a_number_is_called_by_its_uuid():
    assert gpu_name(FOUND, {"UUID": "GPU-1"}) == "GPU-1"


def told(value, container="", pod="a"):
    return Series({"namespace": "team", "pod": pod, "container": container}, (NOW, value))


def test_containers_are_summed_and_the_pod_itself_is_not_counted_again():
    found = containers_of(
        [told("3"), told("1", "main"), told("0.5", "proxy")],
        [told("30"), told("10", "main"), told("5", "proxy")],
    )
    one = found["team", "a"]
    assert (one.cpu, one.memory) == (1.5, 15)
    assert one.containers == (
        ContainerUsage(name="main", cpu=1.0, memory=10),
        ContainerUsage(name="proxy", cpu=0.5, memory=5),
    )


def test_where_only_the_pod_is_told_of_it_is_taken():
    one = containers_of([told("3")], [])["team", "a"]
    assert (one.cpu, one.memory, one.containers) == (3.0, None, ())


def test_a_container_without_a_figure_leaves_the_sum_unknown():
    one = containers_of([told("1", "main")], [told("1", "main"), told("2", "proxy")])["team", "a"]
    assert (one.cpu, one.memory) == (None, 3)


GRID = (0.0, 60.0, 5)


def points(*values, pod="a", gpu="0", start=0):
    return Series(
        {"exported_namespace": "team", "exported_pod": pod, "gpu": gpu, "UUID": "GPU-1"},
        None,
        tuple((start + 60.0 * at, value) for at, value in enumerate(values) if value is not None),
    )


def test_gaps_stay_gaps():
    (one,) = series_of(Measure.POWER, [points("1", None, "NaN", "0")], [span()], GRID, FOUND)
    assert one.values == (1.0, None, None, 0.0, None)


def test_a_name_that_came_again_belongs_to_whoever_had_it_then():
    later = span(since=130.0 + 60, until=None)
    (one,) = series_of(Measure.POWER, [points("1", "2", "3", "4", "5")], [later], GRID, FOUND)
    assert one.values == (None, None, None, 4.0, 5.0)


def test_nothing_counts_after_the_end_of_a_pod():
    (one,) = series_of(
        Measure.POWER, [points("1", "2", "3", "3", "3")], [span(since=0.0, until=110.0)], GRID, FOUND
    )
    assert one.values == (1.0, 2.0, 3.0, None, None)


def test_a_rank_that_was_started_again_goes_on_in_its_series():
    spans = [span("a", until=50.0), span("b", since=180.0)]
    answers = [points("1", "1"), points("7", "8", pod="b", start=180)]
    (one,) = series_of(Measure.POWER, answers, spans, GRID, FOUND)
    assert one.values == (1.0, 1.0, None, 7.0, 8.0)


def test_a_blank_that_an_exporter_wrote_as_a_number_is_a_gap():
    blank = "9223372036854775794"
    for measure in (Measure.POWER, Measure.TEMPERATURE, Measure.UTILISATION):
        (one,) = series_of(measure, [points("0.5", blank)], [span()], GRID, FOUND)
        assert one.values == (0.5, None, None, None, None)


@given(st.sampled_from(Measure), st.one_of(st.none(), st.floats(allow_nan=False)))
def test_what_is_plausible_is_no_less_than_nothing(measure, value):
    found = plausible(measure, value)
    assert found is None or found >= 0
    assert not (measure is Measure.UTILISATION and found and found > 1)


@pytest.mark.parametrize("measure", [Measure.CPU, Measure.RSS])
def test_of_ranks_there_is_one_series_each(measure):
    answers = [
        Series({"namespace": "team", "pod": pod}, None, ((0.0, "1"),)) for pod in ("a", "b", "stranger")
    ]
    found = series_of(measure, answers, [span("a"), span("b", 1)], GRID)
    assert [(one.rank, one.gpu, one.values[0]) for one in found] == [(0, "", 1.0), (1, "", 1.0)]
