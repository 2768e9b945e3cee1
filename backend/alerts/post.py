"""One request to a receiver of alerts: to a checked address, under its own name, and nowhere else.

No redirect is followed, no proxy of the environment asked, no cookie kept, the answer's body never read.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import httpx

from backend.alerts.address_guard import AddressGuard, Target
from backend_client.errors import Refused, Unreachable

LIMIT_SECONDS = 10.0
"""For all of it, however slowly the other side speaks."""
_CONNECT_SECONDS = 5.0


class Poster:
    """Sends requests."""

    def __init__(self, guard: AddressGuard, ca: Path | None = None) -> None:
        """`ca`: certificates to trust beside the system's. Raises Refused where they cannot be read."""
        self.guard = guard
        self._ca = ca
        if ca:
            _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made for the first receiver with TLS: to read the system's certificates is half of a start."""
        context = ssl.create_default_context()
        if self._ca:
            _trust(context, self._ca)
        return context

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a body. Raises Refused, Unreachable, Invalid, which tell of the URL its host alone."""
        target = self.guard.read(url)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._post_to_any(target, body, headers)
        except TimeoutError:
            raise Unreachable(f"{target.host} has not answered within {LIMIT_SECONDS:g} s.") from None

    async def _post_to_any(self, target: Target, body: bytes, headers: Mapping[str, str]) -> None:
        """Send to the first address that can be connected to."""
        *others, last = await self.guard.addresses(target)
        for address in others:
            try:
                return await self._post_to(address, target, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        try:
            await self._post_to(last, target, body, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(_connect_failure(target, error)) from None

    async def _post_to(self, address: str, target: Target, body: bytes, headers: Mapping[str, str]) -> None:
        """Send to one address. Raises httpx.ConnectError where nothing was sent yet."""
        host = f"[{address}]" if ":" in address else address
        url = f"{'https' if target.tls else 'http'}://{host}:{target.port}{target.path}"
        try:
            async with (
                httpx.AsyncClient(
                    verify=self._tls if target.tls else False,
                    trust_env=False,
                    follow_redirects=False,
                    timeout=httpx.Timeout(LIMIT_SECONDS, connect=_CONNECT_SECONDS),
                ) as client,
                client.stream(
                    "POST",
                    url,
                    content=body,
                    headers={
                        "User-Agent": "traindeck",
                        "Accept-Encoding": "identity",
                        "Connection": "close",
                        **headers,
                        "Host": target.authority,
                    },
                    extensions={"sni_hostname": target.host},
                ) as response,
            ):
                _check(target, response.status_code)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise Unreachable(f"{target.host} broke off before it answered.") from None


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    """Trust the certificates of a file as well. Raises Refused where they cannot be read."""
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", "") or "it has no certificates in PEM"
        raise Refused(f"The setting alert_ca: {ca} cannot be read: {why}.") from None


def _check(target: Target, status: int) -> None:
    """Raise where an answer is no success."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise Refused(f"{target.host} sends us elsewhere ({status}), where alerts do not go.")
    if status == 429 or status >= 500:
        raise Unreachable(f"{target.host} answers {status}.")
    raise Refused(f"{target.host} answers {status}.")


def _connect_failure(target: Target, error: httpx.TransportError) -> str:
    if isinstance(error.__context__ and error.__context__.__context__, ssl.SSLCertVerificationError) or (
        "certificate" in str(error).lower()
    ):
        return f"The certificate of {target.host} is not one to trust."
    return f"{target.host} cannot be reached."
