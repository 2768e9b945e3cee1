"""What crosses the wire comes out as it went in."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client import errors
from backend_client.models import JobSpec
from backend_client.models.fields import parse_spec
from backend_client.models.secret import Secret
from backend_client.protocol import Closed, FreshnessState, Gap, Lines, LogSource, Opened, Synced
from backend_client.server import bodies, wire

SOURCE = LogSource(2, 3, "pod-3")


def parts(frame):
    """(event, data, id) of one frame."""
    fields = dict(line.split(b": ", 1) for line in frame.removesuffix(b"\n\n").split(b"\n"))
    assert frame.count(b"\n") == len(fields) + 1
    return fields[b"event"].decode(), fields[b"data"], fields.get(b"id", b"").decode()


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b""))), st.booleans(), st.booleans())
def test_lines_of_any_bytes(lines, open_, continues):
    item = Lines(
        source=SOURCE,
        lines=lines,
        times=[1764031701123456789] * len(lines),
        open=open_,
        continues=continues,
        cursor="1;0=k",
    )
    assert wire.read_log(*parts(wire.log_frame(item))) == item


@pytest.mark.parametrize("item", [Opened(SOURCE), Gap(SOURCE, "rotated\nin two"), Closed("Succeeded")])
def test_other_log_items(item):
    assert wire.read_log(*parts(wire.log_frame(item))) == item


def test_text_is_readable_on_the_wire_and_only_odd_lines_are_not():
    item = Lines(source=SOURCE, lines=["é".encode(), b"\xff"], times=[1, 2])
    assert '"lines":["é",{"base64":"/w=="}]' in wire.log_frame(item).decode()


@pytest.mark.parametrize(
    "told",
    [
        Synced(),
        wire.ClusterLink("lab", FreshnessState.STALE, datetime(2026, 1, 2, tzinfo=UTC), "no answer"),
        wire.Step("u", "waits for its pods"),
        wire.Lagged("1,000 events behind"),
        wire.Bye("the server stops"),
    ],
)
def test_watch_events(told):
    event, data, mark = parts(wire.watch_frame(told, "e-7"))
    assert (wire.read_watch(event, data), mark) == (told, "e-7")


def test_what_is_not_known_yet_is_left_out():
    assert wire.read_watch("weather", b"{}") is None
    assert wire.read_log("weather", b"{}") is None


@pytest.mark.parametrize(
    "error",
    [
        errors.Invalid({"gpus": "write a number"}),
        errors.Refused("no", "do that", fields={"image": "why"}),
        errors.Conflict("taken"),
        errors.NotFound("gone"),
        errors.Forbidden("not yours"),
        errors.LoginNeeded("log in"),
        errors.Unreachable("down", "wait", retry_after=3.0),
    ],
)
def test_errors(error):
    sent = msgspec.json.encode(bodies.problem_of(error, "r1"))
    problem = msgspec.json.decode(sent, type=bodies.Problem)
    back = bodies.error_of(problem, problem.status, getattr(error, "retry_after", None))
    assert type(back) is type(error)
    assert vars(back) == vars(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.LoginNeeded), (418, errors.Refused), (429, errors.Unreachable), (502, errors.Unreachable)],
)
def test_errors_of_somebody_else(status, kind):
    assert type(bodies.error_of(bodies.Problem(), status)) is kind


def test_a_create_body_is_the_spec_and_its_secrets():
    spec = JobSpec(command=("sh", "-c", "x"), secrets=("A", "B"), max_runtime=60, gpus=2)
    raw, values = bodies.split_secrets(msgspec.json.decode(bodies.create_body(spec, {"A": Secret("s")})))
    assert parse_spec(raw) == spec
    assert values == {"A": Secret("s")}
    with pytest.raises(errors.Invalid):
        bodies.split_secrets({"secrets": {"A": 3}})
