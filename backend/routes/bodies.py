"""Bodies of requests and answers: one rule for which are msgspec structs and which are pydantic models.

- What the client library has a struct for (jobs, access reviews, visible jobs, pages), and a cluster's
  registration, is that msgspec struct. `decode_body` reads it (`jobs.request_body` reads a JobSpec field by
  field), `openapi.struct_body` and `struct_response` describe it, `StructResponse` answers it. So
  both ends of the wire share one type, and a job is encoded once.
- What only the server knows (accounts, logins, passwords, the audit log) is a pydantic model that FastAPI
  reads and describes by itself: a `RequestModel`, its passwords `SecretStr`, so that none reaches a log.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from backend.routes.request_text import read_json
from backend_client.errors import Invalid
from backend_client.server.wire import encode

T = TypeVar("T")


class RequestModel(BaseModel):
    """The body of a request; a field that is not known is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class StructResponse(Response):
    """A msgspec struct (or its JSON, where it is encoded already) as the answer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the struct; JSON is sent as it is."""
        return content if isinstance(content, bytes) else encode(content)


async def decode_body(request: Request, decoder: msgspec.json.Decoder[T], expected: str) -> T:
    """Decode the body of a request. Raises Invalid, which says what was `expected` and what is wrong.

    A field that is not known is refused here too. Its structs cannot say that themselves: a client reads
    answers with them, and a newer server's may have more fields.
    """
    body = await read_json(request)
    try:
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.strip("`.").replace("[...]", "").strip(".")
        raise Invalid({field or "body": f"write {expected}: {message}"}) from None
    if unknown := next(_unknown_fields(msgspec.json.decode(body), value), None):
        raise Invalid({unknown[:80]: "there is no such field"})
    return value


def _unknown_fields(raw: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of what stands in a JSON value, and not in what was decoded from it."""
    if isinstance(value, Struct) and isinstance(raw, dict):
        attributes = dict(zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True))
        for name, inner in raw.items():
            inner_path = f"{path}.{name}" if path else name
            if name in attributes:
                yield from _unknown_fields(inner, getattr(value, attributes[name]), inner_path)
            elif name != value.__struct_config__.tag_field:
                yield inner_path
    elif isinstance(value, tuple | list) and isinstance(raw, list):
        for inner, one in zip(raw, value, strict=True):
            yield from _unknown_fields(inner, one, path)
