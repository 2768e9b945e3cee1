"""Who tells what a job uses, how old that is, and what is not known."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.text.usage import SourceLine, age_text, source_lines
from backend_client.usage import (
    GpuUsage,
    Measure,
    RankUsage,
    Usage,
    UsageSource,
)
from backend_client.usage_reading import Reading

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GPU_SOURCE = UsageSource(name="Prometheus", gives=(Measure.UTILISATION,))


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ((GPU_SOURCE,), ["from Prometheus, 12 s ago"]),
        (
            (GPU_SOURCE, UsageSource(name="metrics.k8s.io", gives=(Measure.CPU, Measure.RSS))),
            ["from Prometheus, 12 s ago, metrics.k8s.io, 3m ago"],
        ),
        (
            (UsageSource(name="Prometheus", missing="it does not answer", since=NOW),),
            [f"use from Prometheus unknown since {NOW.astimezone():%H:%M}: it does not answer"],
        ),
        (
            (UsageSource(name="P", gives=(Measure.UTILISATION,), missing="it is gone"),),
            ["utilisation unknown: it is gone"],
        ),
        (
            (UsageSource(name="m", gives=(Measure.CPU,), missing="it is gone"),),
            ["CPU and memory unknown: it is gone"],
        ),
    ],
)
def test_who_tells_it_and_how_old_it_is(sources, told):
    gpu = GpuUsage(gpu="0", as_of=NOW - timedelta(seconds=12))
    rank = RankUsage(gpus=(gpu,), as_of=NOW - timedelta(minutes=3))
    reading = Reading(usage=Usage(ranks=(rank,), sources=sources))
    assert [text for text, _ in source_lines(reading, NOW)] == told


def test_a_failed_reading_says_since_when_nothing_is_known():
    reading = Reading(trouble="no answer", since=NOW)
    said = SourceLine(f"use unknown since {NOW.astimezone():%H:%M}: no answer", is_trouble=True)
    assert [*source_lines(reading, NOW)] == [said]


def test_an_age():
    assert [age_text(seconds) for seconds in (-3, 12.7, 59, 60, 7300)] == [
        "0 s ago",
        "12 s ago",
        "59 s ago",
        "1m ago",
        "2h ago",
    ]
