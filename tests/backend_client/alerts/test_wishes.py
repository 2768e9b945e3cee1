"""Wishes about alerts: what may be written, what weighs more, which jobs wait for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.alerts.wishes import DEFAULTS, problems, thresholds_for, waits_for_people, wishes_for
from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec, JobState
from backend_client.models.alert_thresholds import THRESHOLDS, parse_threshold
from backend_client.models.fields import parse_spec
from backend_client.yaml_reader import read_one
from tests.backend_client.alerts.support.story import REF, START


def job(**spec: object) -> Job:
    asked = JobSpec(**{"command": ("python", "train.py"), **spec})  # type: ignore[arg-type]
    return Job(ref=REF, state=JobState.RUNNING, spec=asked, created=START)


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        ("failed", "on", 0.0),
        ("failed", "off", None),
        ("finished", "yes", 0.0),
        ("pending", "on", 4 * 3600),
        ("pending", "90m", 5400),
        ("gpu-idle", "30m", 1800),
        ("gpu-idle", " 1H ", 3600),
        ("silent", "never", None),
        ("restarts", "5", 5),
        ("restarts", "0", 0),
        ("memory", "90%", 0.9),
        ("memory", "0.9", 0.9),
        ("max-runtime", "20%", 0.2),
        ("max-runtime", "2h", 7200),
    ],
)
def test_thresholds_are_read(rule: str, text: str, value: float | None):
    assert parse_threshold(rule, text) == value


@pytest.mark.parametrize(
    ("rule", "text", "sentence"),
    [
        ("gpu-idle", "soon", "gpu-idle: soon is no time; write gpu-idle=30m, or gpu-idle=off"),
        ("gpu-idle", "5s", "gpu-idle: 2m is the least; with less it would fire at what is usual"),
        ("restarts", "2.5", "restarts: 2.5 is no number; write restarts=3, or restarts=off"),
        ("memory", "120%", "memory: 120% is no share; write memory=95%, or memory=off"),
        ("memory", "nan%", "memory: nan% is no share; write memory=95%, or memory=off"),
        ("failed", "3", "failed has no threshold; write failed=on or failed=off"),
        ("gpu-idel", "30m", "there is no alert gpu-idel; did you mean gpu-idle?"),
    ],
)
def test_what_cannot_be_read_names_the_rule_and_a_way_out(rule: str, text: str, sentence: str):
    assert problems({rule: text}) == {rule: sentence}
    with pytest.raises(Invalid) as refused:
        parse_spec({"alerts": {rule: text}})
    assert refused.value.fields == {"alerts": sentence}


@pytest.mark.parametrize(
    ("alerts", "sentence"),
    [
        (False, "name each rule: gpu-idle=1h finished=on silent=off"),  # YAML's `alerts: off`
        (5, "name each rule: gpu-idle=1h finished=on silent=off"),
        (["finished"], "finished: write finished=on, or finished=off"),
        ("silent=off gpu-idle", "gpu-idle: write gpu-idle=30m, or gpu-idle=off"),
        ("gpu-idel", "there is no alert gpu-idel; did you mean gpu-idle?"),
    ],
)
def test_a_value_that_names_no_rule_or_says_nothing_of_it(alerts: object, sentence: str):
    with pytest.raises(Invalid) as refused:
        parse_spec({"alerts": alerts})
    assert refused.value.fields == {"alerts": sentence}


@given(st.sampled_from(list(THRESHOLDS)), st.text(max_size=20))
def test_any_text_is_read_or_refused_in_words(rule: str, text: str):
    if wrong := problems({rule: text}):
        assert rule in wrong[rule]
    else:
        assert (parse_threshold(rule, text) or 0) >= 0


def test_the_job_weighs_more_than_the_person_and_the_person_more_than_the_site():
    site = {"pending": "1h", "gpu-idle": "1h", "silent": "1h"}
    person = {"gpu-idle": "2h", "silent": "2h"}
    wishes = wishes_for(job(alerts={"silent": "3h"}), person, site)
    assert wishes == {**DEFAULTS, "pending": "1h", "gpu-idle": "2h", "silent": "3h"}


def test_a_wish_that_cannot_be_read_leaves_the_layer_below():
    assert wishes_for(job(), {"pending": "soon", "new-rule": "1h"}, {"pending": "1h"})["pending"] == "1h"


@pytest.mark.parametrize(
    ("command", "waits"),
    [
        (("python", "train.py"), False),
        (("torchrun", "train.py"), False),
        (("bash",), True),
        (("bash", "-l"), True),
        (("bash", "train.sh"), False),
        (("bash", "-c", "python train.py"), False),
        (("bash", "-c", "pip install x && python train.py; echo done"), False),
        (("sh", "-c", "sleep infinity"), True),
        (("bash", "-lc", "pip install x && exec jupyter lab"), True),
        (("/usr/bin/sleep", "1d"), True),
        (("jupyter", "lab"), True),
        ((), False),
    ],
)
def test_shells_and_notebooks_wait_for_people(command: tuple[str, ...], waits: bool):
    assert waits_for_people(JobSpec(command=command)) is waits


def test_what_waits_for_people_is_watched_where_it_asks_for_it_itself():
    assert "gpu-idle" not in thresholds_for(job(kind="deployment"), {"gpu-idle": "1h"})
    assert thresholds_for(job(kind="deployment", alerts={"gpu-idle": "1h"}))["gpu-idle"] == 3600


@pytest.mark.parametrize(
    "written",
    [
        {"gpu-idle": "1h", "finished": True, "restarts": 5, "silent": False},
        ["gpu-idle=1h", "finished=on", "restarts=5", "silent=off"],
        "gpu-idle=1h finished=on restarts=5 silent=off",
    ],
)
def test_a_spec_file_flags_and_a_form_say_the_same(written: object):
    wanted = {"gpu-idle": "1h", "finished": "on", "restarts": "5", "silent": "off"}
    assert parse_spec({"alerts": written}).alerts == wanted


def test_on_and_off_need_no_quotes_in_a_spec_file():
    written = read_one(b"alerts: {finished: on, silent: off, gpu-idle: 1h, restarts: 5}")
    wanted = {"finished": "on", "silent": "off", "gpu-idle": "1h", "restarts": "5"}
    assert parse_spec(written).alerts == wanted
    with pytest.raises(Invalid, match="env"):
        parse_spec(read_one(b"env: {A: on}"))
