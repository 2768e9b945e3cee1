"""The two queries of Prometheus' HTTP API, whoever carries them: an API server's proxy, or HTTP by URL.

A value that is no number (NaN, infinite) is None, as nobody told one; points that are missing stay missing.
"""

import math
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from backend_client.errors import BackendError, Forbidden, NotFound, Refused, Unreachable, sentence

MOST_IN_URL = 8192
"""Bytes of parameters that go in a URL; proxies refuse longer ones with 400, 414 or 431."""
MOST_BYTES = 32 * 2**20
"""Of an answer: beyond what thousands of GPUs give for any of our queries."""
TIMEOUT_SECONDS = 2.0
"""A figure that takes longer is not worth waiting for: then it is unknown."""


class Answer(Struct, frozen=True):
    """A whole answer, whatever its status; the body is decompressed."""

    status: int
    body: bytes


class Ask(Protocol):
    """Carries one request to a Prometheus. Raises a BackendError where no Prometheus answers."""

    async def __call__(self, method: str, path: str, params: Mapping[str, str], seconds: float) -> Answer:
        """Send a GET with the parameters in its URL, or a POST with them as a form.

        `path`: "/api/v1/query". `seconds`: for its head, and as many for its body.
        """
        ...


class Series(Struct, frozen=True, gc=False):
    """One series of an answer: its labels and its points."""

    metric: dict[str, str]
    value: tuple[float, str] | None = None
    """Of an instant vector: Unix time, and the value as text."""
    values: tuple[tuple[float, str], ...] = ()
    """Of a range."""

    @property
    def number(self) -> float | None:
        """The value of an instant vector."""
        return number_of(self.value[1]) if self.value else None


class _Data(Struct, frozen=True, rename="camel"):
    result_type: str = ""
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Body(Struct, frozen=True, rename="camel"):
    status: str = ""
    data: _Data = _Data()
    error_type: str = ""
    error: str = ""


_BODY = msgspec.json.Decoder(_Body)
_SERIES = msgspec.json.Decoder(list[Series])
_NO_ANSWER = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for that which no Prometheus says, whatever it is."""
_LONGEST_WHY = 200


def number_of(text: str) -> float | None:
    """Return a value as a number; None for NaN and the infinite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


class PrometheusClient:
    """Queries of one Prometheus."""

    def __init__(self, ask: Ask, name: str = "Prometheus") -> None:
        """`name`: as errors call it."""
        self._ask = ask
        self.name = name

    async def instant(self, query: str, *, seconds: float = TIMEOUT_SECONDS) -> list[Series]:
        """Return what a query gives now: a vector, or raw points. Raises a BackendError."""
        return await self._query("/api/v1/query", {"query": query}, seconds)

    async def query_range(
        self, query: str, start: float, end: float, step: float, *, seconds: float = TIMEOUT_SECONDS
    ) -> list[Series]:
        """Return what a query gave, each `step` seconds from `start` to `end` (Unix times).

        Raises a BackendError.
        """
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return await self._query("/api/v1/query_range", {"query": query, **times}, seconds)

    async def _query(self, path: str, params: Mapping[str, str], seconds: float) -> list[Series]:
        params = {**params, "timeout": f"{seconds:g}s"}
        method = "POST" if len(urlencode(params)) > MOST_IN_URL else "GET"
        answer = await self._ask(method, path, params, seconds)
        try:
            body = _BODY.decode(answer.body)
        except _NO_ANSWER:
            raise self._no_prometheus(answer.status) from None
        if answer.status != 200 or body.status != "success":
            raise self._refusal(answer.status, body)
        if body.data.result_type not in ("vector", "matrix"):
            raise Refused(f"{self.name} answered a query with a {body.data.result_type or 'nothing'}.")
        try:
            return _SERIES.decode(body.data.result)
        except _NO_ANSWER:
            raise self._no_prometheus(answer.status) from None

    def _no_prometheus(self, status: int) -> BackendError:
        """Return the error for an answer that is no Prometheus': a login page, a gateway's error."""
        hint = "Is it the address of a Prometheus?"
        if status in (401, 403):
            return Forbidden(f"{self.name} does not let you in (status {status}).", "It may need a token.")
        if status == 404:
            return NotFound(f"{self.name} does not answer queries (status 404).", hint)
        if status >= 500:
            return Unreachable(f"{self.name} does not work (status {status}).")
        return Refused(f"{self.name} answered what Prometheus would not (status {status}).", hint)

    def _refusal(self, status: int, body: _Body) -> BackendError:
        if not body.error_type:
            return self._no_prometheus(status)
        message = sentence(
            f"{self.name} did not answer the query: {(body.error or body.error_type)[:_LONGEST_WHY]}"
        )
        if body.error_type in ("timeout", "canceled", "unavailable", "internal"):
            return Unreachable(message)
        return Refused(message)
