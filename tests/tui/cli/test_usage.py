"""`usage` in every output, and the receipt in `describe`."""

import json

from backend_client.errors import Refused
from backend_client.protocol import Feature
from tests.support.scripted import make_job
from tests.tui.jobs.test_receipt import RECEIPT
from tests.tui.usage.test_report_screen import report, row


def count(backend, monkeypatch):
    asked = []

    async def usage_report(query):
        asked.append(query)
        return report(row("=ann", idle=0.25), row("bob"), by=query.by)

    async def receipt(ref):
        raise Refused("This server does not tell what jobs have cost.")

    monkeypatch.setattr(backend, "usage_report", usage_report, raising=False)
    monkeypatch.setattr(backend, "receipt", receipt, raising=False)
    return asked


def test_a_table_with_a_total(cli, backend, monkeypatch):
    asked = count(backend, monkeypatch)
    done = cli("usage", "--by", "gpu-type", "--zone", "Europe/Berlin", "--user", "ann")
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == "GPU TYPE HELD RAN IDLE PREEMPTED FAILED WAITED JOBS".split()
    assert [line[0] for line in lines[1:]] == ["=ann", "bob", "total"]
    assert "GPU-hours of" in done.err
    assert (asked[0].by, asked[0].zone, asked[0].user) == ("gpu_type", "Europe/Berlin", "ann")


def test_csv_and_json(cli, backend, monkeypatch):
    count(backend, monkeypatch)
    lines = cli("usage", "-o", "csv").out.splitlines()
    assert lines[0].startswith("user,since,until,held_gpu_hours,")
    assert lines[1].startswith("'=ann,2026-11-23T12:00:00+00:00,")
    found = json.loads(cli("usage", "-o", "json").out)
    assert [one["group"] for one in found["rows"]] == ["=ann", "bob"]
    assert found["total"]["coverage"] == 0.0
    assert cli("usage", "-o", "name").out == "=ann\nbob\n"
    assert cli("jobs", "-o", "csv").code == 2  # of this verb alone


def test_where_nobody_counts_it_says_so(cli, backend):
    backend.missing_features = {Feature.ACCOUNTING: "only a server counts what jobs cost"}
    backend.features = frozenset(Feature) - {Feature.ACCOUNTING}
    done = cli("usage")
    assert done.code == 1
    assert "only a server counts" in done.err


def test_describe_has_the_receipt(cli, backend, monkeypatch):
    count(backend, monkeypatch)
    backend.jobs = {"u": make_job("bert-ft", uid="u")}

    async def receipt(ref):
        assert ref.uid == "u"
        return RECEIPT

    monkeypatch.setattr(backend, "receipt", receipt)
    done = cli("describe", "bert-ft")
    assert "What it cost\n  GPU-hours    12.3 of H100 in 2 attempts" in done.out
    assert "cpu 8 -> 3: traindeck again bert-ft --cpu 3" in done.out

    async def none(ref):
        raise Refused("This server does not tell what jobs have cost.")

    monkeypatch.setattr(backend, "receipt", none)
    assert "What it cost" not in cli("describe", "bert-ft").out
