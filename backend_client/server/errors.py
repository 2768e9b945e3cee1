"""Map the exceptions of httpx to BackendErrors."""

import os
import socket
import ssl
from typing import TYPE_CHECKING

from backend_client.errors import BackendError, Refused, Unreachable, sentence

if TYPE_CHECKING:
    import httpx

_HINT = "Check the address, the network, VPN or tunnel."


class ConnectionBroken(Unreachable):
    """A connection that broke on the way: a retry may help."""


def from_httpx(error: "httpx.HTTPError", label: str, silence: float) -> BackendError:
    """Return the error for a request that failed. `silence`: seconds that it waited for a byte."""
    import httpx  # noqa: PLC0415  it is loaded: it has just failed

    root = _root_cause(error)
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return Unreachable(f"{label} does not answer.", _HINT)
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(f"No answer from {label} for {silence:g} s.")
    if isinstance(root, ssl.SSLCertVerificationError):
        return Unreachable(
            sentence(f"The certificate of {label} is not trusted: {root.verify_message}"),
            "Log in with --ca FILE, the certificate of your site.",
        )
    if isinstance(error, httpx.ConnectError):
        return Unreachable(sentence(f"{label} cannot be reached: {_describe(root)}"), _HINT)
    if isinstance(
        error, httpx.LocalProtocolError | httpx.UnsupportedProtocol
    ):  # its words would quote a header
        return Refused(f"The request to {label} cannot be written as HTTP.")
    return ConnectionBroken(sentence(f"The connection to {label} broke: {_describe(root)}"))


def describe_root(error: BaseException) -> str:
    """Describe what broke a connection: what lies under the exceptions that httpx and httpcore make of it."""
    return _describe(_root_cause(error))


def _root_cause(error: BaseException) -> BaseException:
    """Return the first exception under those that httpx, httpcore and anyio have put around it."""
    while True:
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
        inner = inner or error.__cause__ or error.__context__
        if inner is None:
            return error
        error = inner


def _describe(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return (error.strerror or "no such name").lower()
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
