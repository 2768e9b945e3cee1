"""Sweeps: values as people write them, and the jobs that come of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.errors import Invalid
from backend_client.models.fields import field_text, parse_field
from backend_client.sweeps import SweepRequest, expand, filled, job_key, last_of_each, parse_each, parse_sweep
from tests.support.scripted import make_job

GRID = {"lr": ("1e-4", "3e-4"), "seed": ("1", "2", "3")}
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def named(name, each, **fields):
    return expand({"name": name, "command": "python t.py"} | fields, SweepRequest(each=parse_each(each)))


@pytest.mark.parametrize(
    ("written", "each"),
    [
        (["lr=1e-4,3e-4", "seed=1..3"], GRID),
        ({"lr": ["1e-4", "3e-4"], "seed": "1..3"}, GRID),
        ({"seed": [7, "1..2"], "p": 0.5}, {"seed": ("7", "1", "2"), "p": ("0.5",)}),
        (["path=../a,./b", "t=-1..1"], {"path": ("../a", "./b"), "t": ("-1", "0", "1")}),
    ],
)
def test_values(written, each):
    assert parse_each(written) == each


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (["lr"], "lr: write KEY=VALUES"),
        (["lr="], "lr has no values"),
        ({"lr": []}, "lr has no values"),
        (["lr=1,,2"], "lr has an empty value"),
        (["lr=1,1"], "lr has 1 twice"),
        (["lr=1", "lr=2"], "lr is given twice"),
        (["seed=3..1"], "seed: 3..1 counts down; write 1..3"),
        (["seed=1.."], "seed: 1.. is no range"),
        (["lr=0.1..0.5"], "lr: 0.1..0.5 is no range; a range is of whole numbers"),
        (["seed=1..999999999"], "seed has more than 500 values"),
        (["a=1..30", "b=1..30"], "900 jobs; a sweep has at most 500"),
        (["1a=2"], "1a: a key is letters"),
        ({"a": [True]}, "a: write text here, not yes or no"),
        ({"a": ["x\ny"]}, "a: has a control character"),
        ("lr", "each: name a key"),
        ({}, "name a key and its values"),
    ],
)
def test_what_is_no_sweep(written, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_each(written)


def test_the_sweep_of_a_file():
    raw = {"each": {"lr": "1,2"}, "name": "lrs", "at_once": 2}
    assert parse_sweep(raw) == SweepRequest(each={"lr": ("1", "2")}, name="lrs", at_once=2)
    for wrong in ({"each": {"a": "1"}, "at_one": 2}, {"each": {"a": "1"}, "at_once": -1}, {"each": None}):
        with pytest.raises(Invalid) as error:
            parse_sweep(wrong)
        assert set(error.value.fields) == {"sweep"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("--lr {lr}", "--lr 1e-4"),
        ('{"lr": {lr}, "a": {"b": 1}}', '{"lr": 1e-4, "a": {"b": 1}}'),
        ("{{lr}} {{{lr}}} ${lr} ${HOME} {} {0} {a,b}", "{lr} {{lr}} ${lr} ${HOME} {} {0} {a,b}"),
        ("a{{b", "a{{b"),
    ],
)
def test_places(text, says):
    assert filled(text, {"lr": "1e-4"}) == says


@given(st.text(st.characters(exclude_characters="{")))
def test_a_text_without_places_stays(text):
    assert filled(text, {"lr": "1"}) == text


@given(st.text())
def test_a_value_is_never_read_again(value):
    assert filled("<{a}>", {"a": value, "b": "x"}) == f"<{value}>"


def test_the_jobs_of_a_grid():
    raw = {"name": "bert-{lr}", "command": ["t.py", "{lr}"], "env": {"SEED": "{seed}"}, "gpus": 2}
    jobs = expand(raw, SweepRequest(each=GRID, at_once=2))
    assert [job.name for job in jobs][:4] == ["bert-1e-4-1", "bert-1e-4-2", "bert-1e-4-3", "bert-3e-4-4"]
    assert [(job.command[1], job.env["SEED"]) for job in jobs] == [
        (lr, seed) for lr in GRID["lr"] for seed in GRID["seed"]
    ]
    assert {(job.sweep.name, job.gpus) for job in jobs} == {("bert", 2)}
    turns = [job.sweep.turn for job in jobs]
    assert turns[::2] == turns[:1] * 3
    assert turns[1::2] == turns[1:2] * 3
    assert len(set(turns)) == 2
    assert expand(raw, SweepRequest(each=GRID, at_once=2)) == jobs
    assert not expand(raw, SweepRequest(each=GRID, at_once=6))[0].sweep.turn
    for job in jobs:
        assert parse_field("sweep", field_text("sweep", job.sweep)) == job.sweep


def test_names():
    assert [job.name for job in named("b-{lr}", ["lr=1E-4,0.5,-1"])] == ["b-1e-4", "b-0-5", "b-1"]
    assert [job.name for job in named("b-{s}", {"s": ["", "--amp"]})] == ["b", "b-amp"]
    new = expand({"command": "python t.py {a}"}, SweepRequest(each={"a": ("1", "2")}), ["t-1"], ["t-2"])
    assert [(job.name, job.sweep.name) for job in new] == [("t-3-1", "t-3"), ("t-3-2", "t-3")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "b-{x}"}, "name"),
        ({"name": "B-{lr}"}, "name"),
        ({"name": "b" * 63}, "name"),
        ({"name": ["b"]}, "name"),
        ({"command": ["t.py", "{x}"]}, "command"),
        ({"env": {"A": "{x}"}}, "env"),
        ({"gpus": "{lr}"}, "gpus"),
    ],
)
def test_a_fault_is_told_at_its_field(fields, field):
    with pytest.raises(Invalid) as error:
        named(fields.pop("name", "b"), ["lr=1,2"], **fields)
    assert set(error.value.fields) == {field}


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True),
        min_size=1,
    )
)
def test_names_are_unique_and_labels(each):
    request = SweepRequest(each={key: tuple(values) for key, values in each.items()})
    template = "run-" + "-".join(f"{{{key}}}" for key in each)
    names = [job.name for job in expand({"name": template, "command": "x"}, request)]
    assert len(set(names)) == len(names)
    assert all(map(LABEL.fullmatch, names))


def test_keys_of_jobs_come_of_one():
    assert len({job_key("k", number) for number in range(500)} | {job_key("j", 0)}) == 501
    assert job_key("k", 1) == job_key("k", 1)


def test_of_each_combination_the_newest_counts():
    first, second = expand({"name": "a", "command": "x"}, SweepRequest(each={"s": ("1", "2")}))
    old, other = make_job("a-1", spec=first), make_job("a-2", spec=second)
    again = make_job("a-1-again", spec=first)
    assert {job.name for job in last_of_each([again, old, other])} == {"a-2", "a-1-again"}
