"""Credentials for an API server: a fixed login, a token file that is renewed, or an exec plugin.

Without a login no request is sent: every failure here raises LoginNeeded with a sentence.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from backend_client.errors import BackendError, LoginNeeded, sentence
from backend_client.models.secret import Secret
from backend_client.slow_steps import slow_step

TOKEN_FILE_SECONDS = 60.0
"""Seconds that a token of a file is used before it is read again (client-go: transport/token_source.go)."""
PLUGIN_SECONDS = 60.0
_RENEW_BEFORE_EXPIRY = timedelta(seconds=60)
_FAILURE_SECONDS = 5.0
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Login(Struct, frozen=True):
    """What a request authenticates with: an Authorization header, a client certificate with its key (PEM)."""

    authorization: Secret | None = None
    certificate: Secret | None = None


class Credentials(Protocol):
    """A source of logins."""

    async def login(self, rejected: Login | None = None) -> Login:
        """Return the current login. Raises LoginNeeded.

        `rejected`: the login that the server answered with 401; it is not returned again if that can be
        helped.
        """
        ...


def bearer(token: str) -> Secret:
    """Return the Authorization header of a token. Raises LoginNeeded for a token that no header can hold."""
    token = token.strip()
    if not token.isascii() or not token.isprintable():
        raise LoginNeeded("The token of this context holds characters that no token has.", "Log in again.")
    return Secret(f"Bearer {token}")


class Fixed:
    """A login that never changes."""

    def __init__(self, login: Login) -> None:
        self._login = login

    async def login(self, rejected: Login | None = None) -> Login:  # noqa: ARG002  the Protocol's
        return self._login


class TokenFile:
    """A token file that another program renews (in a cluster: the kubelet)."""

    def __init__(self, path: Path, base: Login) -> None:
        self._path = path
        self._base = base
        self._current: Login | None = None
        self._read_at = 0.0

    async def login(self, rejected: Login | None = None) -> Login:
        now = asyncio.get_running_loop().time()
        if self._current in (None, rejected) or now - self._read_at > TOKEN_FILE_SECONDS:
            self._current = Login(self._read(), self._base.certificate)
            self._read_at = now
        return self._current or self._base

    def _read(self) -> Secret:
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise LoginNeeded(f"The token file {self._path} cannot be read: {error.strerror}.") from None
        if not token:
            raise LoginNeeded(f"The token file {self._path} is empty.")
        return bearer(token)


class Plugin(Struct, frozen=True):
    """An `exec` entry of a kubeconfig, and the context it belongs to."""

    command: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    api_version: str
    interactive: str
    """Never, IfAvailable or Always."""
    hint: str
    """The kubeconfig's `installHint`."""
    cluster: Mapping[str, Any] | None
    """The cluster as the program gets it (provideClusterInfo)."""
    context: str


class _ExecCredentialStatus(Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _ExecCredential(Struct, rename="camel"):
    api_version: str
    status: _ExecCredentialStatus | None = None


class ExecPlugin:
    """Logins from an exec plugin, one run at a time; a token is used until 60 s before its expiry.

    Rules of client-go: plugin/pkg/client/auth/exec/exec.go.
    """

    def __init__(self, plugin: Plugin, base: Login) -> None:
        self._plugin = plugin
        self._base = base
        self._lock = asyncio.Lock()
        self._current: Login | None = None
        self._expires: datetime | None = None
        self._failure: tuple[float, BackendError] | None = None

    async def login(self, rejected: Login | None = None) -> Login:
        program = Path(self._plugin.command).name
        with slow_step(f"waiting for {program} to log in ({PLUGIN_SECONDS:.0f} s at most)"):
            async with self._lock:
                if self._current is None or self._current is rejected or self._expired():
                    self._current = await self._renew()
                return self._current

    def _expired(self) -> bool:
        return self._expires is not None and datetime.now(UTC) >= self._expires - _RENEW_BEFORE_EXPIRY

    async def _renew(self) -> Login:
        """Run the plugin. Those who waited for a run that failed get its error, not a run each."""
        now = asyncio.get_running_loop().time()
        if self._failure and now - self._failure[0] < _FAILURE_SECONDS:
            raise self._failure[1]
        try:
            granted = _parse_credential(self._plugin, await _run_plugin(self._plugin))
        except BackendError as error:
            self._failure = (asyncio.get_running_loop().time(), error)
            raise
        self._failure = None
        self._expires = granted.expiration_timestamp
        pair = f"{granted.client_certificate_data}\n{granted.client_key_data}"
        return Login(
            bearer(granted.token) if granted.token else self._base.authorization,
            Secret(pair) if granted.client_key_data else self._base.certificate,
        )


async def _run_plugin(plugin: Plugin) -> bytes:
    """Run an exec plugin and return its output. It gets no terminal: none of our keys, no escape codes."""
    if plugin.api_version not in _VERSIONS:
        raise _plugin_error(
            plugin, f"speaks {plugin.api_version or 'no version'}; known are {' and '.join(_VERSIONS)}"
        )
    if plugin.interactive == "Always":
        raise _plugin_error(
            plugin, "asks questions (interactiveMode: Always); log in outside, or let it not ask"
        )
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.arguments,
            env=os.environ | dict(plugin.environment) | {"KUBERNETES_EXEC_INFO": _exec_info(plugin)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise _plugin_error(plugin, f"cannot be started: {(error.strerror or 'failed').lower()}") from None
    try:
        async with asyncio.timeout(PLUGIN_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        raise _plugin_error(plugin, f"gave no answer in {PLUGIN_SECONDS:.0f} s") from None
    finally:
        if process.returncode is None:
            _kill_group(process.pid)
            await process.wait()
    if process.returncode:
        raise _plugin_error(plugin, f"failed with exit code {process.returncode}: {_last_line(err)}")
    return out


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _exec_info(plugin: Plugin) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    return msgspec.json.encode(info).decode()


def _parse_credential(plugin: Plugin, out: bytes) -> _ExecCredentialStatus:
    """Return the credential that a plugin printed. No error quotes its output, which holds a token."""
    try:
        credential = msgspec.json.decode(out, type=_ExecCredential)
    except msgspec.DecodeError:
        raise _plugin_error(plugin, "did not print an ExecCredential") from None
    if credential.api_version != plugin.api_version:
        raise _plugin_error(plugin, f"was to speak {plugin.api_version} and spoke another version")
    granted = credential.status
    if granted is None or not (
        granted.token or (granted.client_certificate_data and granted.client_key_data)
    ):
        raise _plugin_error(plugin, "granted neither a token nor a certificate with its key")
    return granted


def _last_line(stderr: bytes) -> str:
    """Return the last line that a program wrote to stderr, without controls: the cause stands there."""
    lines = [
        "".join(c if c.isprintable() else " " for c in line)
        for line in stderr.decode(errors="replace").split("\n")
    ]
    printable = [" ".join(line.split()) for line in lines]
    return next((line[:300] for line in reversed(printable) if line), "it said nothing")


def _plugin_error(plugin: Plugin, reason: str) -> LoginNeeded:
    title = sentence(f"The login program {Path(plugin.command).name} of context {plugin.context} {reason}")
    return LoginNeeded(title, sentence(plugin.hint) or "Run it in a shell, then try again.")
