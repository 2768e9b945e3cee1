"""The text of a request, checked before a route reads it: what cannot be kept, and what JSON leaves open.

PostgreSQL keeps no NUL, nothing that is sent onwards is UTF-8 with half a surrogate pair in it, and of a key
that stands there twice JSON does not say which counts. Each is refused by the name of its field.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import HTTPException, Query, Request
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute
from pydantic import AfterValidator

from backend_client.errors import Invalid

MAX_DEPTH = 32
"""Objects and lists within each other."""
_INT64 = 2**63
_BAD_TEXT = "has a character that cannot be kept (NUL, or half of a surrogate pair)"
_BAD_SIGN = re.compile("[\0\ud800-\udfff]")
_GZIP = b"\x1f\x8b"


def in_range(moment: datetime) -> datetime:
    """Return a moment in UTC, which it is where it names no zone. Raises ValueError."""
    if not 1970 < moment.year < 2262:
        raise ValueError("write a moment after 1970 and before 2262")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(in_range)]
"""A time in a query: aware, in UTC, and such that its nanoseconds are a number of 64 bits."""
Count = Annotated[int | None, Query(ge=0, le=2**31 - 1)]
"""A number in a query, from 0."""


async def check_request(request: HTTPConnection) -> None:
    """Check the parameters of a request, and the body that FastAPI reads. Raises Invalid."""
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        if not _is_clean(f"{name}{value}"):
            raise Invalid({_printable(name): _BAD_TEXT})
    route = request.scope.get("route")
    if not isinstance(request, Request) or not isinstance(route, APIRoute) or not route.body_field:
        return
    if body := await request.body():
        check_json(body)


async def read_json(request: Request) -> bytes:
    """Return the body of a request, which is JSON that can be kept. Raises Invalid, HTTPException."""
    body = await request.body()
    if body.startswith(_GZIP):
        raise HTTPException(415, headers={"Accept-Encoding": "identity"})
    check_json(body)
    return body


def check_json(body: bytes) -> None:
    """Check that bytes are JSON in UTF-8, with texts and numbers that can be kept. Raises Invalid."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        raise Invalid({"body": f"at most {MAX_DEPTH} objects and lists within each other"}) from None
    except UnicodeDecodeError:
        raise Invalid({"body": "is no UTF-8"}) from None
    except ValueError as error:
        raise Invalid({"body": f"is no JSON: {error}"}) from None
    for path, found in _walk(value):
        if message := _objection(found, len(path)):
            raise Invalid({_printable(".".join(path)) or "body": message})


def _walk(value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (path, value) of a JSON value and all in it; a key is a value beside its own."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        yield path, found
        if len(path) > MAX_DEPTH:
            continue
        if isinstance(found, dict):
            waiting += [(path, key) for key in found]
            waiting += [((*path, key), part) for key, part in found.items()]
        elif isinstance(found, list):
            waiting += [((*path, str(index)), part) for index, part in enumerate(found)]


def _objection(value: Any, depth: int) -> str:
    if depth > MAX_DEPTH:
        return f"at most {MAX_DEPTH} objects and lists within each other"
    if isinstance(value, str):
        return "" if _is_clean(value) else _BAD_TEXT
    if isinstance(value, bool):
        return ""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return "is no number of 64 bits"
    return "is too large a number" if isinstance(value, float) and math.isinf(value) else ""


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise Invalid({_printable(next(key for key in keys if keys.count(key) > 1)): "stands there twice"})
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is none of its numbers")


def _is_clean(text: str) -> bool:
    return not _BAD_SIGN.search(text)


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")[:80]
