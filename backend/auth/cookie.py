"""The login of a browser: a cookie that holds an ordinary token, and which token a request shows.

`__Host-`: a browser takes it from this host alone, over TLS or from loopback, and sends it nowhere else.
"""

from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.responses import Response

NAME = "__Host-traindeck"


def set_login_cookie(response: Response, token: str, expires: datetime) -> None:
    """Give a browser its login. Lax, not Strict: who follows the link in a mail would arrive logged out."""
    seconds = max(0, int((expires - datetime.now(UTC)).total_seconds()))
    response.set_cookie(NAME, token, seconds, path="/", secure=True, httponly=True, samesite="lax")


def clear_login_cookie(response: Response) -> None:
    """Take the login from a browser."""
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="lax")


def clear_site_data(response: Response) -> None:
    """Let a browser forget what it kept of the pages: who sits there next sees nothing by going back."""
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def token_of(headers: Headers) -> str | None:
    """Return the token that a request shows, which may be none of ours; None where it shows nothing.

    An Authorization header wins over the cookie, whatever it holds: who sends one means it.
    """
    if "authorization" in headers:
        scheme, _, token = headers["authorization"].partition(" ")
        return (token.strip() if scheme.lower() == "bearer" else "") if scheme else None
    return _cookie_token(headers)


def has_login_cookie(headers: Headers) -> bool:
    """Tell whether a request carries our cookie, with whatever value."""
    return bool(_cookie_values(headers))


def _cookie_token(headers: Headers) -> str | None:
    """Return what the cookie holds, "" where it comes twice: no browser sends that, so none is chosen."""
    values = _cookie_values(headers)
    if len(values) > 1:
        return ""
    return values[0] or None if values else None


def _cookie_values(headers: Headers) -> list[str]:
    """Return the values of our cookie, as they stand there: ours needs no quotes, so none are taken off."""
    pairs = (
        part.strip(" \t").partition("=") for line in headers.getlist("cookie") for part in line.split(";")
    )
    return [value for name, equals, value in pairs if equals and name == NAME]
