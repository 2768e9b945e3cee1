"""`compare` in every output."""

import csv
import io
import json

import pytest

from tests.support.scripted import make_job


@pytest.fixture
def told(backend):
    """Two jobs that tell a loss, one with a name that a spreadsheet would run, and one that tells nothing."""
    for n, name in enumerate(("ant", "=bee", "cat")):
        backend.put(make_job(name, uid=f"uid-{name}", command=("t", "--lr", str(n))))
    backend.logs_of["uid-ant"] = [b"step 1 loss 0.5 lr=0.1", b"step 2 loss -0.25 lr=0.1"]
    backend.logs_of["uid-=bee"] = [b"step 1 loss 0.75", b"step 2 loss nan"]
    backend.ended_logs = {"uid-ant", "uid-=bee", "uid-cat"}
    return backend


def test_a_table_of_figures_and_of_differences(cli, told):
    done = cli("compare", "ant", "=bee", "cat", "ant")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == "JOB LAST BEST: LOWEST NOTE"
    assert lines[1:3] == ["A ant -0.25 (2) -0.25 (2)", "B =bee nan since 2 0.75 (1)"]
    assert lines[3].startswith("C cat no output")
    assert lines[5:] == ["DIFFERS JOB VALUE", "command A --lr 0", "command B --lr 1", "command C --lr 2"]
    assert "also told: lr" in done.err
    assert done.code == 0


def test_csv_has_every_point_and_no_formula(cli, told):
    done = cli("compare", "ant", "=bee", "--series", "all", "-o", "csv")
    rows = list(csv.reader(io.StringIO(done.out)))
    assert rows[0] == ["step", "time", "job", "series", "value"]
    assert [(row[0], *row[2:]) for row in rows[1:]] == [
        ("1", "ant", "loss", "0.5"),
        ("2", "ant", "loss", "-0.25"),
        ("1", "ant", "lr", "0.1"),
        ("2", "ant", "lr", "0.1"),
        ("1", "'=bee", "loss", "0.75"),
    ]
    assert "=bee: tells no lr" in done.err


def test_json_has_the_same_and_the_differences(cli, told):
    found = json.loads(cli("compare", "ant", "=bee", "-o", "json").out)
    ant, bee = found["jobs"]
    assert ant["series"]["loss"]["last"] == {"step": 2, "value": -0.25}
    assert bee["series"]["loss"]["not_finite"] == {"step": 2, "value": "nan"}
    assert [one["value"] for one in found["differences"][0]["values"]] == ["--lr 0", "--lr 1"]
    assert cli("compare", "ant", "=bee", "-o", "name").out == "ant\n=bee\n"


def test_what_is_not_there_is_named(cli, told):
    done = cli("compare", "ant", "--series", "lrr")
    assert (done.code, "Did you mean lr?" in done.err) == (3, True)
    assert cli("compare", "ant", "nobody").code == 3
    done = cli("compare", *map(str, range(9)))
    assert (done.code, "At most 8 jobs" in done.err) == (2, True)
