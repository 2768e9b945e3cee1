"""The receipt as lines: what was not measured has none."""

from backend_client.text.receipt import change_text, heading, receipt_lines
from backend_client.usage_report import Receipt
from tests.support.receipts import JOB, RECEIPT, SPEC


def test_what_was_not_measured_has_no_line():
    lines = dict(receipt_lines(Receipt(job=JOB.ref, spec=SPEC, gpu_hours=1.0, uncertain=0.5, coverage=0.4)))
    assert lines == {"GPU-hours": "~1.0", "GPU use": "not known: 40% of the time was measured"}
    whole = dict(receipt_lines(RECEIPT))
    assert whole["GPU use"] == "mean 83%, 95th percentile 99%, the GPU that did least 71%"
    assert (whole["CPU"], whole["memory"]) == ("asked 8, used 1.3", "asked 64 GiB, peak 12 GiB")
    assert (whole["GPU memory"], whole["waited"], whole["energy"]) == ("peak 76%", "12m 00s", "3.20 kWh")
    assert heading(RECEIPT) == "What it cost"
    assert change_text(RECEIPT) == "cpu 8 -> 3"


def test_little_is_not_nothing():
    little = dict(receipt_lines(Receipt(job=JOB.ref, spec=SPEC, cpu_used=0.01, memory_peak=13 * 2**20)))
    assert (little["CPU"], little["memory"]) == ("used 0.01", "peak 13 MiB")
    none = dict(receipt_lines(Receipt(job=JOB.ref, spec=SPEC, cpu_used=0.0, memory_peak=3)))
    assert (none["CPU"], none["memory"]) == ("used 0", "peak 1 MiB")
