"""The hour that is remembered: where nobody looked there is no value."""

from hypothesis import given
from hypothesis import strategies as st

from backend_client.local.usage.history import LENGTH, STEP, SeenUsage
from backend_client.usage import GpuUsage, Measure, RankUsage

HOUR = 3600.0
T0 = 1_700_000_010.0  # begins a step


def rank(cpu: float, **gpu: float) -> RankUsage:
    return RankUsage(cpu=cpu, memory=100, gpus=(GpuUsage(gpu="3", **gpu),) if gpu else ())


def values(history, measure, gpu=""):
    return next(s.values for s in history.series if (s.measure, s.gpu) == (measure, gpu))


def test_a_gap_is_a_gap():
    seen = SeenUsage(T0)
    for step, cpu in ((0, 1.0), (1, 2.0), (4, 0.0)):
        seen.add("a", T0 + step * STEP, rank(cpu, utilisation=cpu / 2))
    history = seen.history("a", T0, T0 + 5 * STEP)
    assert (history.start.timestamp(), history.step) == (T0, STEP)
    assert values(history, Measure.CPU) == (1.0, 2.0, None, None, 0.0, None)
    assert values(history, Measure.UTILISATION, "3") == (0.5, 1.0, None, None, 0.0, None)
    assert {series.measure for series in history.series} == {Measure.CPU, Measure.RSS, Measure.UTILISATION}
    assert seen.history("b", T0, T0 + 5 * STEP).series == ()


def test_of_two_readings_in_one_step_the_last_counts():
    seen = SeenUsage(T0)
    seen.add("a", T0 + 1, rank(1.0))
    seen.add("a", T0 + 29, rank(3.0))
    assert values(seen.history("a", T0, T0 + 29), Measure.CPU) == (3.0,)


@given(st.lists(st.integers(0, 300), max_size=80), st.integers(0, 300), st.integers(0, 300))
def test_an_hour_is_kept_and_no_more(steps: list[int], since: int, now: int):
    seen = SeenUsage(T0)
    for step in sorted(steps):
        seen.add("a", T0 + step * STEP, rank(float(step)))
        seen.forget_old(T0 + step * STEP)
    history = seen.history("a", T0 + since * STEP, T0 + now * STEP)
    first = round((history.start.timestamp() - T0) / STEP)
    for series in history.series:
        assert len(series.values) == now - first + 1 <= LENGTH
        told = [n for n, value in enumerate(series.values, first) if value is not None]
        assert told == sorted(
            step for step in set(steps) if step > max(steps) - LENGTH and first <= step <= now
        )
