"""Ranges over a short replayed trace: about as often right as they say."""

from msgspec.structs import replace

from benchmarks.queue_estimates import measure
from benchmarks.queue_traces import philly


def test_true_starts_lie_in_their_ranges():
    trace = philly()
    measured = measure(replace(trace, jobs=trace.jobs[:420]), estimates=60)
    assert len(measured.futures.ranges) >= 25
    assert 0.6 <= measured.futures.inside <= 1.0
    assert 1.0 < measured.futures.factor < 10
