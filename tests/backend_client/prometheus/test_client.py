"""The client of Prometheus: what it sends, and what answers it takes."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.errors import BackendError, Forbidden, NotFound, Refused, Unreachable
from backend_client.prometheus.client import MOST_IN_URL, Answer, PrometheusClient, number_of


class Asked:
    """Answers the same to everything; keeps what was asked."""

    def __init__(self, status=200, body=b""):
        self.answer = Answer(status, body)
        self.requests = []

    async def __call__(self, method, path, params, seconds):
        self.requests.append((method, path, dict(params), seconds))
        return self.answer


def vector(*values, kind="vector"):
    result = [{"metric": {"pod": f"p{at}"}, "value": [1.5, value]} for at, value in enumerate(values)]
    return msgspec.json.encode({"status": "success", "data": {"resultType": kind, "result": result}})


async def test_a_value_that_is_no_number_is_none():
    client = PrometheusClient(Asked(body=vector("0", "1e3", "NaN", "+Inf", "-Inf", "")))
    assert [one.number for one in await client.instant("x")] == [0.0, 1000.0, None, None, None, None]


@given(st.one_of(st.text(), st.floats().map(str)))
def test_any_text_is_a_finite_number_or_none(text):
    number = number_of(text)
    assert number is None or math.isfinite(number)


async def test_missing_points_stay_missing():
    series = [{"metric": {}, "values": [[0, "1"], [60, "NaN"], [180, "3"]]}]
    body = {"status": "success", "data": {"resultType": "matrix", "result": series}}
    (one,) = await PrometheusClient(Asked(body=msgspec.json.encode(body))).query_range("x", 0, 180, 60)
    assert [(time, number_of(text)) for time, text in one.values] == [(0, 1.0), (60, None), (180, 3.0)]


async def test_an_empty_answer_is_no_series():
    assert await PrometheusClient(Asked(body=vector())).instant("x") == []


async def test_a_long_query_goes_by_post():
    asked = Asked(body=vector())
    client = PrometheusClient(asked)
    await client.instant("x")
    await client.instant("|".join(f"pod-{n}" for n in range(MOST_IN_URL // 4)))
    assert [request[0] for request in asked.requests] == ["GET", "POST"]


async def test_a_query_has_two_seconds():
    asked = Asked(body=vector())
    await PrometheusClient(asked).instant("x")
    ((_, path, params, seconds),) = asked.requests
    assert (path, params, seconds) == ("/api/v1/query", {"query": "x", "timeout": "2s"}, 2.0)


ERROR = '{"status":"error","errorType":"%s","error":"%s"}'


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, ERROR % ("bad_data", "parse error"), Refused, "parse error"),
        (422, ERROR % ("execution", "too many samples"), Refused, "too many samples"),
        (503, ERROR % ("timeout", "query timed out"), Unreachable, "query timed out"),
        (500, ERROR % ("internal", "tsdb"), Unreachable, "tsdb"),
        (200, "<html>log in</html>", Refused, "would not"),
        (302, "", Refused, "302"),
        (401, "Unauthorized", Forbidden, "let you in"),
        (403, "{}", Forbidden, "let you in"),
        (404, "404 page not found", NotFound, "404"),
        (502, "bad gateway", Unreachable, "502"),
        (200, '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}', Refused, "scalar"),
        (200, '{"status":"success","data":{"resultType":"vector","result":[1]}}', Refused, "would not"),
        (200, '{"status":"success"}', Refused, "nothing"),
        (200, "[]", Refused, "would not"),
    ],
)
async def test_what_is_no_answer_is_a_sentence(status, body, kind, words):
    with pytest.raises(kind) as raised:
        await PrometheusClient(Asked(status, body.encode()), "Prometheus lab/prom").instant("x")
    assert words in raised.value.title
    assert raised.value.title.startswith("Prometheus lab/prom")
    assert raised.value.title.endswith(".")


@given(st.binary(), st.sampled_from([200, 400, 404, 500]))
def test_any_bytes_are_an_error_of_a_backend(body, status):
    import asyncio  # noqa: PLC0415  hypothesis runs no coroutines

    with pytest.raises(BackendError):
        asyncio.run(PrometheusClient(Asked(status, body)).instant("x"))
