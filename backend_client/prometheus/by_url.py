"""A Prometheus by its URL, with a token or a CA of its own where it needs them."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from backend_client.errors import Refused, Unreachable
from backend_client.models.secret import Secret
from backend_client.prometheus.client import MOST_BYTES, Answer


class UrlAsk:
    """Asks a Prometheus by HTTP; opens no connection and reads no file before the first question."""

    def __init__(
        self, url: str, *, token: Secret | None = None, token_file: str = "", ca_file: str = ""
    ) -> None:
        """`token_file`: read each time, as a token may be renewed. `ca_file`: instead of the system's."""
        self._url = url.rstrip("/")
        self._token, self._token_file, self._ca_file = token, token_file, ca_file
        self._client: httpx.AsyncClient | None = None
        self._lock = asyncio.Lock()

    @property
    def host(self) -> str:
        """The host alone, as a URL may hold a password."""
        return urlsplit(self._url).hostname or ""

    async def __call__(self, method: str, path: str, params: Mapping[str, str], seconds: float) -> Answer:
        """Send a request (`client.Ask`). Raises Refused, Unreachable."""
        async with self._lock:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            client = self._client
        headers = await self._headers()
        try:
            async with (
                asyncio.timeout(2 * seconds),
                client.stream(
                    method,
                    self._url + path,
                    params=params if method == "GET" else None,
                    data=params if method == "POST" else None,
                    headers=headers,
                    timeout=seconds,
                ) as response,
            ):
                return Answer(response.status_code, await self._read(response))
        except (httpx.TimeoutException, TimeoutError):
            raise Unreachable(f"The Prometheus at {self.host} gave no answer in {seconds:g} s.") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(f"The Prometheus at {self.host} cannot be reached: {why}.") from None

    async def _read(self, response: httpx.Response) -> bytes:
        """Return a whole body. Raises Refused for one that is larger than any answer to us."""
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MOST_BYTES:
                raise Refused(f"The Prometheus at {self.host} answers more than {MOST_BYTES >> 20} MiB.")
        return bytes(body)

    def _open(self) -> httpx.AsyncClient:
        try:
            verify = ssl.create_default_context(cafile=self._ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise Refused(f"The CA of Prometheus cannot be read from {self._ca_file}: {error}.") from None
        return httpx.AsyncClient(verify=verify, follow_redirects=False, trust_env=True)

    async def _headers(self) -> dict[str, str]:
        token = await asyncio.to_thread(self._read_token) if self._token_file else self._token
        return {"Authorization": f"Bearer {token.reveal()}"} if token else {}

    def _read_token(self) -> Secret:
        try:
            token = Path(self._token_file).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Refused(f"The token of Prometheus cannot be read from {self._token_file}: {why}.") from None
        return Secret(token)

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.aclose()
