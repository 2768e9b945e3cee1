"""Errors as answers in problem+json (RFC 9457): our own, the framework's, and defects, which tell nothing."""

import logging
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.requests import HTTPConnection
from starlette.exceptions import HTTPException
from starlette.routing import Match

from backend.auth.caller import request_id
from backend.auth.password_guard import TooMany
from backend.jobs.code_store import NoRoom, TooLarge
from backend_client.errors import BackendError, Invalid, LoginNeeded, NotFound, Refused, Unreachable
from backend_client.server.bodies import PROBLEM, problem_of
from backend_client.server.wire import encode

log = logging.getLogger("traindeck.problems")
_REF = {"schema": {"$ref": "#/components/schemas/Problem"}}
SCHEMA = {"description": "What failed, and what to do next.", "content": {PROBLEM: _REF}}
COMPRESSED = Refused("The body is compressed.", "Send it as it is, without Content-Encoding.")
"""415."""
_STATUS = {TooMany: 429, TooLarge: 413, NoRoom: 507}
"""Errors with a status of their own."""
PROBLEMS: dict[int | str, dict[str, Any]] = {"default": SCHEMA}
"""The `responses=` of the app: every error is a Problem."""


def status_of(error: BackendError) -> int:
    """Return the HTTP status of an error."""
    own = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 0)
    return own or problem_of(error, "").status


def problem_response(error: BackendError, request: str, status: int = 0) -> Response:
    """Return the response for an error; `status` where it is not the status of the error's kind."""
    problem = msgspec.structs.replace(problem_of(error, request), status=status or status_of(error))
    return Response(encode(problem), problem.status, headers_of(error), PROBLEM)


def headers_of(error: BackendError) -> dict[str, str]:
    """Return what the headers of an answer tell of an error: how long to wait, that a login is needed."""
    wait = getattr(error, "retry_after", None)
    headers = {"Retry-After": str(max(1, math.ceil(wait)))} if wait else {}
    if isinstance(error, LoginNeeded):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


Answer = Callable[[Request, BackendError, int], Response]
"""Answers a request with an error; a status of 0 is that of the error's kind."""
AnyAnswer = Callable[[HTTPConnection, BackendError, int], Response]
"""Answers a WebSocket that is not open yet, too."""


def answering(pages_or: Callable[[Request, Answer], Answer]) -> AnyAnswer:
    """Return what answers every error.

    `pages_or` chooses how: by a page for who asked for one, else by the problem it is given.
    """

    def answer(request: HTTPConnection, error: BackendError, status: int) -> Response:
        if isinstance(request, Request):
            return pages_or(request, _problem)(request, error, status)
        return _problem(request, error, status)

    return answer


def install_error_handlers(app: FastAPI, answer: AnyAnswer) -> None:
    """Install the handlers of all errors of `app`."""

    async def backend_error(request: HTTPConnection, error: BackendError) -> Response:
        if isinstance(error, Unreachable) and error.__cause__:
            log.warning(error.title, extra={"request_id": request_id(request)}, exc_info=error.__cause__)
        return answer(request, error, 0)

    async def validation_error(
        request: HTTPConnection, error: RequestValidationError | WebSocketRequestValidationError
    ) -> Response:
        return answer(request, Invalid(dict(map(_field_error, error.errors()))), 0)

    async def http_exception(request: HTTPConnection, error: HTTPException) -> Response:
        response = answer(request, _error_of_status(request, error.status_code), error.status_code)
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and isinstance(request, Request):
            response.headers["Allow"] = ", ".join(_methods(request))
        return response

    app.exception_handler(BackendError)(backend_error)
    app.exception_handler(RequestValidationError)(validation_error)
    app.exception_handler(WebSocketRequestValidationError)(validation_error)
    app.exception_handler(HTTPException)(http_exception)


def _problem(request: HTTPConnection, error: BackendError, status: int) -> Response:
    return problem_response(error, request_id(request), status)


def _field_error(part: Any) -> tuple[str, str]:
    """Return (field, message) of one error of pydantic's."""
    if part["type"] == "json_invalid":
        return "body", f"is no JSON: {part['ctx']['error']}"
    return ".".join(map(str, part["loc"][1:])) or "body", part["msg"].removeprefix("Value error, ")


def _methods(request: Request) -> list[str]:
    """Return the methods that any route takes at a request's path."""

    def is_taken(method: str) -> bool:
        scope = dict(request.scope, method=method)
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    taken = [method for method in ("DELETE", "GET", "PATCH", "POST", "PUT") if is_taken(method)]
    return sorted([*taken, "HEAD"] if "GET" in taken else taken)


def _error_of_status(request: HTTPConnection, status: int) -> BackendError:
    path = request.url.path[:200]
    is_api = path.startswith("/api")
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(
            f"There is nothing at {path}.", "/api/openapi.json lists what there is." if is_api else ""
        )
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        hint = "/api/openapi.json lists what it takes." if is_api else "It is where a form is sent to."
        return Refused(f"{path} does not take {request.scope['method']}.", hint)
    if status == HTTPStatus.UPGRADE_REQUIRED:
        return Refused(
            f"{path} is for a WebSocket, and this request asks for none.",
            "A proxy in front of the server has to let Upgrade and Connection through.",
        )
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        return COMPRESSED
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(request.app.state.settings.max_body)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unreachable(f"{HTTPStatus(status).phrase}.")
    return Refused("The request cannot be read.", "Its body must be JSON.", fields={"body": "is no JSON"})


def too_large(limit: int) -> BackendError:
    """Return the error for a body of more than `limit` bytes."""
    return Refused("The request is too large.", f"At most {limit} bytes.")
