"""What people write becomes a JobSpec, is refused in words, and comes back as it was."""

import json
import shlex
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.errors import Invalid
from backend_client.models import JobSpec, Port, Sweep, Toleration, Volume
from backend_client.models.fields import (
    DEFAULTS,
    FIELD_NAMES,
    cross_field_errors,
    duration_text,
    explicit_fields,
    field_text,
    parse_field,
    parse_spec,
    spec_fields,
)
from backend_client.models.parsers import EFFECTS
from backend_client.models.schema import spec_schema

SCHEMA = Path(__file__).parents[3] / "examples" / "job.schema.json"

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
LINE = WORD.map(str.strip)
ENV_NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
CPUS = st.from_regex(r"[1-9][0-9]{0,3}m?", fullmatch=True) | st.just("")
MEMORY = st.from_regex(r"[1-9][0-9]{0,3}(k|Ki|Mi|Gi|G)?", fullmatch=True) | st.just("")
PAIRS = st.dictionaries(LABEL, LABEL, max_size=3)
PORTS = st.builds(
    Port,
    number=st.integers(1, 65535),
    name=st.from_regex(r"[a-z]{1,8}", fullmatch=True) | st.just(""),
    target=st.integers(0, 65535),
    protocol=st.sampled_from(["TCP", "UDP"]),
)
PATH = st.from_regex(r"/[a-z]{1,8}", fullmatch=True)
VOLUMES = (
    st.builds(
        Volume,
        path=PATH,
        claim=LABEL,
        sub_path=st.sampled_from(["", "sets", "sets/a"]),
        read_only=st.booleans(),
    )
    | st.builds(Volume, path=PATH, host_path=PATH, read_only=st.booleans())
    | st.builds(Volume, path=PATH | st.just(""), dataset=st.just("imagenet"), read_only=st.just(True))
)
VALUES = {
    "name": LABEL,
    "kind": st.sampled_from(["job", "deployment"]),
    "image": st.from_regex(r"[a-z]{1,8}/[a-z]{1,8}:[0-9]", fullmatch=True),
    "command": st.lists(WORD, max_size=4).map(tuple).filter(lambda words: not words or words[0]),
    "workdir": LINE,
    "code": st.sampled_from(["", ".", "src", "~/model", f"sha256:{64 * chr(97)}"]),
    "env": st.dictionaries(ENV_NAME, WORD, max_size=3),
    "secrets": st.lists(ENV_NAME, max_size=3, unique=True).map(tuple),
    "gpus": st.integers(0, 1000),
    "gpu_type": LINE,
    "cpu": CPUS,
    "memory": MEMORY,
    "shm_size": MEMORY,
    "nodes": st.integers(1, 1000),
    "replicas": st.integers(1, 1000),
    "ports": st.lists(PORTS, max_size=3, unique_by=(lambda p: (p.number, p.protocol), lambda p: p.name)).map(
        tuple
    ),
    "ingress": st.sampled_from(["auto", "off", "llama.example.org"]),
    "retries": st.integers(0, 100),
    "max_runtime": st.integers(0, 10**7),
    "priority": LABEL,
    "queue": LABEL,
    "queue_priority": LABEL,
    "node_selector": PAIRS,
    "node_names": st.lists(LABEL.filter(bool), max_size=3, unique=True).map(tuple),
    "tolerations": st.lists(
        st.builds(Toleration, st.sampled_from(["gpu", "a.b/c"]), LABEL, st.sampled_from(["", *EFFECTS])),
        max_size=3,
        unique=True,
    ).map(tuple),
    "pod": st.fixed_dictionaries(
        {},
        optional={
            "metadata": st.fixed_dictionaries({}, optional={"labels": PAIRS}),
            "spec": st.dictionaries(LABEL, st.none() | st.integers(0, 9) | LINE | st.lists(LINE, max_size=2)),
        },
    ),
    "labels": PAIRS,
    "annotations": PAIRS,
    "alerts": st.fixed_dictionaries(
        {},
        optional={
            "gpu-idle": st.sampled_from(["2h30m", "on", "off"]),
            "restarts": st.integers(0, 99).map(str),
            "memory": st.sampled_from(["90%", "0.8"]),
            "finished": st.sampled_from(["on", "off"]),
        },
    ),
    "volumes": st.lists(VOLUMES, max_size=3, unique_by=lambda volume: volume.path).map(tuple),
    "outputs": st.sampled_from(["", "results", "results/me", "results:/out", "./runs", "/data/runs"]),
    "image_pull_secrets": st.lists(LABEL, max_size=3, unique=True).map(tuple),
    "sweep": st.builds(Sweep, LABEL.filter(bool), st.dictionaries(ENV_NAME, LINE, max_size=3), LABEL)
    | st.just(Sweep()),
    "namespace": LABEL,
    "cluster": LABEL,
}


def settle(spec):
    """Take out what does not go with the rest."""
    return msgspec.structs.replace(
        spec, **{name: getattr(DEFAULTS, name) for name in cross_field_errors(spec)}
    )


SPECS = st.builds(JobSpec, **VALUES).map(settle)


def test_every_field_is_covered():
    assert set(VALUES) == set(FIELD_NAMES)


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_a_field_shown_and_read_again_is_the_same(name):
    @given(VALUES[name])
    def check(value):
        assert parse_field(name, value) == value
        assert parse_field(name, field_text(name, value)) == value

    check()


@settings(max_examples=40)
@given(SPECS)
def test_a_spec_file_submits_the_same_job(spec):
    plain = spec_fields(spec)
    assert parse_spec(json.loads(json.dumps(plain))) == spec
    assert parse_spec(yaml.safe_load(yaml.safe_dump(plain))) == spec
    assert list(plain) == explicit_fields(spec)
    assert msgspec.convert(msgspec.to_builtins(spec), JobSpec) == spec


def taken(name, raw):
    """(the value, "") or (None, the complaint)."""
    try:
        return parse_field(name, raw), ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_whatever_is_written_is_taken_or_refused_in_words(name):
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=6,
    )

    @given(anything | st.dictionaries(st.sampled_from([*Port.__struct_fields__, "claim", "path"]), anything))
    def check(raw):
        value, complaint = taken(name, raw)
        assert complaint or parse_field(name, field_text(name, value)) == value

    check()


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("command", "python train.py --name 'a b'", ("python", "train.py", "--name", "a b")),
        ("command", ["sh", "-c", "exit 3"], ("sh", "-c", "exit 3")),
        ("command", "", ()),
        ("env", {"LR": 0.1, "N": 3}, {"LR": "0.1", "N": "3"}),
        ("env", "A=1 B='x y'", {"A": "1", "B": "x y"}),
        ("env", ["A=b=c"], {"A": "b=c"}),
        ("max_runtime", "2h30m", 9000),
        ("max_runtime", "1d", 86400),
        ("max_runtime", 90, 90),
        ("gpus", "8", 8),
        ("memory", "64Gi", "64Gi"),
        ("cpu", 0.5, "0.5"),
        ("ports", 8080, (Port(8080),)),
        ("ports", "http=80:8080/tcp, 9000/UDP", (Port(80, "http", 8080), Port(9000, protocol="UDP"))),
        ("ports", [{"number": 1, "name": "a"}], (Port(1, "a"),)),
        (
            "volumes",
            "data:/data:ro /mnt/x:/x",
            (Volume("/data", "data", read_only=True), Volume("/x", "", "/mnt/x")),
        ),
        ("volumes", "~imagenet", (Volume(dataset="imagenet", read_only=True),)),
        ("volumes", ["~imagenet:/data:ro"], (Volume("/data", dataset="imagenet", read_only=True),)),
        ("volumes", "sets/in/1k:/data", (Volume("/data", "sets", sub_path="in/1k"),)),
        ("outputs", "results:/out", "results:/out"),
        ("ingress", False, "off"),
        ("secrets", "HF_TOKEN WANDB_API_KEY HF_TOKEN", ("HF_TOKEN", "WANDB_API_KEY")),
        ("name", None, ""),
        ("nodes", " ", 1),
    ],
)
def test_what_is_taken(name, raw, value):
    assert parse_field(name, raw) == value


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("name", "Bert FT", "use small letters.*: bert-ft"),
        ("name", "a" * 64, "at most 63 characters; this has 64"),
        ("kind", "cron", "job .* or deployment"),
        ("image", "my image", "without spaces"),
        ("command", "echo 'oops", "a quotation mark is not closed"),
        ("command", ["a", None], "every item"),
        ("command", "'' x", "the first word"),
        ("env", "A", "write NAME=VALUE"),
        ("env", "1A=2", "no digit first"),
        ("env", {"A": True}, "A: write text here, not yes or no; put it in quotes"),
        ("secrets", "TOKEN=abc", "TOKEN: give the name alone"),
        ("gpus", -1, "0 or more"),
        ("gpus", "many", "a whole number"),
        ("nodes", 0, "1 or more"),
        ("memory", "64 apples", "write it like 64Gi"),
        ("cpu", "0", "more than 0"),
        ("max_runtime", "soon", "2h30m"),
        ("ports", 70000, "from 1 to 65535"),
        ("ports", "80 80", "stands twice"),
        ("ports", [{"port": 80}], "a port has number"),
        ("volumes", "data", "begin with /|write CLAIM"),
        ("volumes", "a:/x b:/x", "same path"),
        ("volumes", "~imagenet:/data:rw", "~imagenet: a dataset is read-only"),
        ("volumes", "~:/data", "a dataset is a name of the settings"),
        ("volumes", "~a/b", "a dataset is a name of the settings"),
        ("volumes", "/home/imagenet", "a dataset in quotes: '~NAME'"),
        ("volumes", "data/../other:/x", "a folder of a claim, without .."),
        ("volumes", [{"path": "/x", "host_path": "/a", "sub_path": "b"}], "b: a sub_path is a folder of a"),
        ("volumes", [{"path": "/x", "claim": "bobs", "dataset": "a"}], "one of them"),
        ("outputs", ":/out", "begin with a claim"),
        ("outputs", "results:out", "write CLAIM, or CLAIM:/path"),
        ("outputs", "results:/../etc", "write CLAIM, or CLAIM:/path"),
        ("labels", "traindeck.dev/x=1", "traindeck's own"),
        ("labels", {"a": "b c"}, "a value is letters"),
        ("ingress", "host", "auto, off, or a host"),
        ("workdir", "a\x1b[2J", "control character"),
    ],
)
def test_what_is_refused(name, raw, words):
    with pytest.raises(ValueError, match=words):
        parse_field(name, raw)


def test_a_secret_given_by_mistake_is_not_repeated():
    with pytest.raises(ValueError, match="TOKEN") as caught:
        parse_field("secrets", "TOKEN=abc123")
    assert "abc123" not in str(caught.value)


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(Invalid) as caught:
        parse_spec({"gpu": 1, "Max-Runtime": 3, "zzz": 1, "nodes": "x", "kind": "deployment", "retries": 2})
    wrong = caught.value.fields
    assert wrong["gpu"] == "there is no such field; did you mean gpus?"
    assert wrong["Max-Runtime"] == "there is no such field; did you mean max_runtime?"
    assert wrong["zzz"] == "there is no such field"
    assert set(wrong) == {"gpu", "Max-Runtime", "zzz", "nodes", "retries"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"kind": "deployment", "nodes": 2}, "nodes"),
        ({"kind": "deployment", "max_runtime": 2}, "max_runtime"),
        ({"replicas": 2}, "replicas"),
        ({"env": {"A": "1"}, "secrets": ("A",)}, "secrets"),
        ({"gpu_type": "H100"}, "gpu_type"),
        ({"ingress": "a.example.org"}, "ingress"),
        ({"outputs": "results", "volumes": (Volume("/outputs/", "data"),)}, "outputs"),
        ({"outputs": "results:/out", "volumes": (Volume("/out", "data"),)}, "outputs"),
    ],
)
def test_what_does_not_go_together(fields, name):
    assert set(cross_field_errors(JobSpec(**fields))) == {name}


@given(st.integers(1, 10**8))
def test_durations(seconds):
    assert parse_field("max_runtime", duration_text(seconds)) == seconds


@given(VALUES["command"])
def test_a_command_is_shown_as_it_runs(words):
    assert shlex.split(field_text("command", words)) == list(words)


def test_defaults_are_nothing_to_say():
    assert spec_fields(DEFAULTS) == {}
    assert explicit_fields(DEFAULTS) == []


def test_the_schema_of_a_spec_file():
    again = "write it anew: python -m backend_client.models.schema > examples/job.schema.json"
    assert json.loads(SCHEMA.read_text()) == spec_schema(), again
    assert list(spec_schema()["properties"]) == list(FIELD_NAMES)
    assert all(rule["description"] for rule in spec_schema()["properties"].values())
