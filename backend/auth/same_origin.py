"""Whether a browser sends a request from our own pages: nobody else's may act with the login of a visitor."""

import re

from starlette.datastructures import Headers
from starlette.types import Scope

from backend.auth.cookie import has_login_cookie

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, ever."""
_OWN_SITES = ("same-origin", "none")
"""Of Sec-Fetch-Site, which no page can set. `same-site` is foreign: others have host names beside ours."""
_NO_PAGES = re.compile(r"/(api(/.*)?|metrics|livez|readyz)", re.DOTALL)
"""Paths of programs; all others are pages."""
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)", re.IGNORECASE)
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def is_own(scope: Scope, headers: Headers) -> bool:
    """Tell whether a request or a WebSocket may act with a login: no other site's page sends it.

    A page cannot make a browser send its Authorization header here, so with one the API asks no more. The
    forms of the pages are asked always: that of the login comes without a cookie, and logs somebody in.
    """
    if scope["type"] == "websocket":
        return "authorization" in headers or _has_own_origin(scope, headers)
    if scope["method"] in SAFE_METHODS:
        return True
    if _NO_PAGES.fullmatch(scope["path"]) and ("authorization" in headers or not has_login_cookie(headers)):
        return True
    site = headers.get("sec-fetch-site")
    return site in _OWN_SITES if site is not None else _has_own_origin(scope, headers)


def _has_own_origin(scope: Scope, headers: Headers) -> bool:
    """Tell whether Origin names scheme, host and port as the client sees them; `null` and none do not."""
    origin = _ORIGIN.fullmatch(headers.get("origin", ""))
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"]) or str(scope["scheme"])
    own = _normal(scheme, headers.get("host", ""))
    return origin is not None and _normal(origin[1].lower(), origin[2]) == own


def _normal(scheme: str, host: str) -> tuple[str, str]:
    return scheme, host.lower().removesuffix(_DEFAULT_PORT[scheme])
