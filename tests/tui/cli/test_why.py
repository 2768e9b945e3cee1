"""`why`: the page of the screen as text, the commands that take an offer, and the data."""

import json
import shlex

import pytest
import yaml
from msgspec import convert

from backend_client.models import JobState
from backend_client.models.fields import DEFAULTS, FIELD_NAMES, field_text, parse_field
from backend_client.why import Explanation, Offer
from tests.support.scripted import make_job
from tests.tui.why.test_why_text import FOUND, RAW
from tui.cli.submit import flag_words


@pytest.fixture
def waiting(backend):
    job = make_job("bert", JobState.PENDING, gpus=8, reason="no node has 8 free GPUs")
    backend.put(job)
    backend.explanations["uid-bert"] = FOUND
    return job


def test_the_page_of_the_screen_with_the_commands_that_take_the_offers(cli, waiting):
    result = cli("why", "bert")
    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert lines[:3] == ["bert  Pending", " no node has 8 free GPUs", ""]
    assert "   1  4 GPUs fit on gpu-12 now" in lines
    assert "      traindeck again bert --gpus 4" in lines
    assert "      traindeck again bert --queue team-b" in lines
    assert "3 Insufficient" not in result.out


def test_wide_adds_what_the_objects_say_themselves(cli, waiting):
    assert f"│ {RAW.splitlines()[0]}" in cli("why", "bert", "-o", "wide").out


def test_the_commands_lead_to_the_same_place(cli, waiting, backend):
    backend.put(make_job("lab", JobState.QUEUED, uid="u2", namespace="team-a", gpus=8))
    backend.explanations["u2"] = FOUND
    out = cli("--context", "local", "-n", "team-a", "why", "lab").out
    assert "traindeck again --context local -n team-a lab --gpus 4" in out


def test_the_command_does_what_the_offer_says(cli, waiting, backend):
    line = next(line for line in cli("why", "bert").out.splitlines() if "--gpus 4" in line)
    assert cli(*shlex.split(line)[1:]).code == 0
    assert backend.jobs["uid-bert-2"].spec.gpus == 4


def test_an_empty_text_leaves_a_field_to_its_default(cli, waiting, backend):
    spec = backend.jobs["uid-bert"].spec
    backend.change("uid-bert", spec=type(spec)(name="bert", command=spec.command, gpus=8, queue="team-a"))
    offer = Offer(id="x", sentence="no queue is needed", changes={"queue": "", "gpus": "4"})
    backend.explanations["uid-bert"] = Explanation(sentence="s", offers=(offer,))
    line = next(line for line in cli("why", "bert").out.splitlines() if "again" in line)
    assert line.strip() == "traindeck again bert --queue '' --gpus 4"
    assert cli(*shlex.split(line)[1:]).code == 0
    assert (backend.jobs["uid-bert-2"].spec.queue, backend.jobs["uid-bert-2"].spec.gpus) == ("", 4)


def test_where_no_flag_says_it_no_command_stands(cli, waiting, backend):
    offer = Offer(id="x", sentence="another command helps", changes={"command": "true"})
    backend.explanations["uid-bert"] = Explanation(sentence="s", offers=(offer,))
    assert "again" not in cli("why", "bert").out


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_as_data_it_is_the_explanation(cli, waiting, output, read):
    assert convert(read(cli("why", "bert", "-o", output).out), Explanation, strict=False) == FOUND


def test_where_all_is_well_it_says_so(cli, backend):
    backend.put(make_job("bert"))
    assert cli("why", "bert").out.splitlines() == [
        "bert  Running",
        " It runs, and nothing is known to be wrong.",
    ]
    assert cli("why", "bert", "-o", "name").out == "bert\n"


def test_no_such_job(cli, waiting):
    result = cli("why", "bret")
    assert (result.code, result.out) == (3, "")
    assert "Did you mean bert?" in result.err


def test_describe_says_where_there_is_more(cli, waiting, backend):
    assert "`traindeck why bert` says more of the reason." in cli("describe", "bert").err
    backend.change("uid-bert", reason="")
    assert "why" not in cli("describe", "bert").err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gpus", "4", ["--gpus", "4"]),
        ("gpu_type", "", ["--gpu-type", ""]),
        ("memory", "-1", ["--memory=-1"]),
        ("env", "A=1 'B=two words'", ["--env", "A=1", "--env", "B=two words"]),
        ("volumes", "data:/data scratch:/s:ro", ["--volume", "data:/data", "--volume", "scratch:/s:ro"]),
        ("volumes", "~imagenet", ["--volume", "~imagenet"]),
        ("outputs", "results:/out", ["--outputs", "results:/out"]),
        ("ports", "", ["--port", ""]),
        ("command", "true", []),
        ("namespace", "x", []),
        ("nope", "x", []),
    ],
)
def test_a_field_as_a_flag(name, text, words):
    assert flag_words(name, text) == words


def test_every_other_field_has_a_flag():
    fields = [name for name in FIELD_NAMES if flag_words(name, "x")]
    assert {*FIELD_NAMES} - {*fields} == {"command", "namespace", "pod"}
    for name in fields:
        assert parse_field(name, field_text(name, getattr(DEFAULTS, name))) == getattr(DEFAULTS, name)
