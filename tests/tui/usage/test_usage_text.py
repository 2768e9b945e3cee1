"""The use of one job as lines: the figures, the extremes of many ranks, the gaps, the sources."""

from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from backend_client.text.sanitize import UNSAFE
from backend_client.usage import (
    GpuUsage,
    Measure,
    RankUsage,
    Usage,
    UsageHistory,
    UsageSeries,
    UsageSource,
)
from backend_client.usage_reading import Reading
from tests.support.hostile import TEXTS
from tests.support.usages import make_history, make_usage
from tui.usage.usage_plots import usage_plots
from tui.usage.usage_text import usage_lines

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = Usage()


def lines(usage: Usage = NOTHING, history: UsageHistory | None = None, width: int = 76, **more) -> list[str]:
    reading = Reading(usage=usage, history=history, **more)
    return [line.text for line in usage_lines(reading, width, NOW)]


def words(usage: Usage = NOTHING, history: UsageHistory | None = None, **more) -> list[list[str]]:
    return [line.split() for line in lines(usage, history, **more)]


def test_nothing_is_said_where_nothing_is_known():
    assert lines() == []
    empty = UsageHistory(
        start=NOW, step=30.0, series=(UsageSeries(measure=Measure.MEMORY, values=(None,) * 9),)
    )
    assert lines(history=empty) == []


def test_each_measure_has_its_line_with_now_least_mean_and_most():
    history = make_history(values=lambda _r, _g, step: 0.5 if step < 60 else 1.0, steps=120)
    told = words(make_usage(), history)
    assert told[0] == ["now", "min", "mean", "max"]
    assert told[1][0] == "util"
    assert told[1][-4:] == ["87%", "50%", "75%", "100%"]
    assert told[2][:2] == ["GPU", "memory"]
    assert told[2][-4:] == ["61Gi/80Gi", "61Gi", "61Gi", "61Gi"]
    assert told[3][-4:] == ["310W", "200W", "300W", "400W"]
    assert [line[0] for line in told[4:6]] == ["CPU", "memory"]


def test_what_nobody_told_now_is_empty_and_not_0():
    usage = Usage(ranks=(RankUsage(gpus=(GpuUsage(gpu="0"),)),))
    told = words(usage, make_history(values=lambda *_: 0.5))
    assert told[1][-3:] == ["50%", "50%", "50%"]
    assert "%" not in told[1][-4]
    assert words(usage)[1:] == []


def test_a_time_of_which_nothing_is_known_is_a_gap():
    history = make_history(values=lambda _r, _g, step: None if 40 <= step < 80 else 0.0)
    line = lines(history=history, width=200)[1]
    spark = line[13 : 13 + 60]
    assert spark == "▁" * 20 + " " * 20 + "▁" * 20


def test_a_sum_without_one_of_its_parts_is_a_gap_and_no_smaller_sum():
    series = (
        UsageSeries(measure=Measure.POWER, gpu="0", values=(100.0, 100.0)),
        UsageSeries(measure=Measure.POWER, gpu="1", values=(100.0, None)),
    )
    told = words(history=UsageHistory(start=NOW, step=30.0, series=series))
    assert told[1] == ["power", "█", "200W", "200W", "200W"]


def test_the_one_idle_gpu_that_a_mean_hides_has_a_line():
    history = make_history(1, 8, lambda _r, gpu, _s: 0.0 if gpu == 3 else 0.9)
    told = words(make_usage(1, 8), history)
    assert told[1][-3:] == ["0%", "79%", "90%"]
    assert told[2][:2] == ["GPU", "3"]
    assert told[2][-3:] == ["0%", "0%", "0%"]
    assert not [line for line in words(history=make_history(1, 8)) if line[:2] == ["GPU", "3"]]


def test_of_many_ranks_the_first_and_the_extremes_are_shown_and_the_rest_is_counted():
    def use(rank: int, gpu: int, _step: int) -> float:
        return 0.0 if (rank, gpu) == (40, 7) else 0.95 if rank == 50 else 0.8

    told = lines(make_usage(64, 8), make_history(64, 8, use))
    assert [line.split()[1] for line in told if line.strip().startswith("rank")] == ["0", "1", "40", "50"]
    assert "… 60 more alike  (R shows all)" in told
    assert len(told) < 14


def test_ranks_that_are_not_alike_are_not_said_to_be():
    told = lines(history=make_history(10, 1, lambda rank, *_: rank / 10))
    assert [line for line in told if line.startswith("…")] == [
        "… 7 more, utilisation 20% to 80%  (R shows all)"
    ]


def test_errors_of_gpus_and_strangers_on_them_are_said():
    gpus = (GpuUsage(gpu="0", xid=79), GpuUsage(gpu="1", strangers=True), GpuUsage(gpu="2", xid=0))
    told = "\n".join(lines(Usage(ranks=(RankUsage(gpus=gpus),))))
    assert "GPU 0 has reported the error XID 79" in told
    assert "GPU 1 is used by processes that are not the job's own" in told
    assert "GPU 2" not in told
    many = tuple(GpuUsage(gpu=str(number), xid=79) for number in range(9))
    assert lines(Usage(ranks=(RankUsage(gpus=many),)))[-1] == "… 5 more"


@pytest.mark.parametrize("width", [30, 76, 100, 200])
@pytest.mark.parametrize("text", TEXTS)
def test_no_line_is_wider_than_the_screen_and_nothing_hostile_is_in_it(width, text):
    hostile = TEXTS[text]
    gpus = (GpuUsage(gpu=hostile, product=hostile, xid=3), GpuUsage(gpu="b", utilisation=1.0))
    sources = (UsageSource(name=hostile), UsageSource(name=hostile, missing=hostile))
    usage = Usage(ranks=(RankUsage(gpus=gpus, node=hostile),), sources=sources)
    series = tuple(
        UsageSeries(measure=Measure.UTILISATION, gpu=gpu, values=(share,) * 9)
        for gpu, share in ((hostile, 0.0), ("b", 1.0))
    )
    history = UsageHistory(start=NOW, step=30.0, series=series)
    for line in lines(usage, history, width, trouble=hostile):
        assert cell_len(line) <= max(width, 43)
        assert not UNSAFE.search(line)


@pytest.mark.parametrize(("width", "height"), [(30, 7), (60, 20), (98, 47)])
def test_plots_fit_their_room_and_leave_gaps_open(width, height):
    history = make_history(8, 8, lambda _r, _g, step: None if 40 <= step < 80 else 0.5)
    drawn = usage_plots(history, width, height).split("\n")
    assert len(drawn) <= height
    assert all(cell_len(line) <= width for line in drawn)
    assert drawn[0] == " GPU utilisation: lowest, mean and highest of 64 GPUs"[:width] or width < 60
    middle = [line[width // 2 + 2] for line in drawn[2:5]]
    assert set(middle) <= {" "}


def test_nothing_is_plotted_where_there_is_no_room_or_nothing_is_known():
    assert usage_plots(make_history(), 20, 40) == usage_plots(make_history(), 90, 5) == ""
    assert usage_plots(UsageHistory(start=NOW, step=30.0), 90, 40) == ""
    assert usage_plots(make_history(values=lambda *_: None), 90, 40) == ""
