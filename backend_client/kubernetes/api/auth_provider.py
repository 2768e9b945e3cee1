"""The legacy `auth-provider` users of a kubeconfig, oidc and gcp, resolved by the `kubernetes` package.

It renews what has expired. Where it does not know a token it would ask the cluster as nobody, so a login
without a token is an error here. It also asks an issuer that names no CA without looking at its certificate;
here the system's CAs count then.
"""

import asyncio
import copy
import os
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend_client.errors import BackendError, LoginNeeded, sentence
from backend_client.kubernetes.api.credentials import TOKEN_FILE_SECONDS, Login, bearer
from backend_client.kubernetes.api.kubeconfig_files import Entry, default_file, named_files
from backend_client.private_files import write_private
from backend_client.slow_steps import slow_step

PROVIDERS = ("oidc", "gcp")
PROVIDER_SECONDS = 60.0
_NEW = ("id-token", "refresh-token")
"""What an issuer gives anew; the old refresh token may be worth nothing from then on."""


class AuthProvider:
    """Logins of one user of the kubeconfig, one at a time; asked for again each minute."""

    def __init__(self, context: str, user: str, base: Login, read: Callable[[], Entry]) -> None:
        """`read`: the user's entry as the kubeconfig has it now; other programs renew it too."""
        self._context = context
        self._user = user
        self._base = base
        self._read = read
        self._lock = asyncio.Lock()
        self._current: Login | None = None
        self._asked_at = 0.0

    async def login(self, rejected: Login | None = None) -> Login:
        """Return the current login. Raises LoginNeeded."""
        with slow_step(f"waiting for the login provider of {self._user} ({PROVIDER_SECONDS:.0f} s at most)"):
            async with self._lock:
                now = asyncio.get_running_loop().time()
                if self._current in (None, rejected) or now - self._asked_at > TOKEN_FILE_SECONDS:
                    self._current = Login(bearer(await self._token()), self._base.certificate)
                    self._asked_at = now
                return self._current or self._base

    async def _token(self) -> str:
        try:
            async with asyncio.timeout(PROVIDER_SECONDS):
                token = await _in_thread(self._resolve)
        except TimeoutError:
            raise self._error(f"gave no answer in {PROVIDER_SECONDS:.0f} s") from None
        except BackendError:
            raise
        except Exception as error:  # noqa: BLE001  the package's libraries raise whatever they like
            raise self._error(f"failed: {_words(error)}") from None
        if not token:
            raise self._error("gave no token")
        return token

    def _resolve(self) -> str:
        """Return the token, "" for none; what was renewed is written into the kubeconfig, as kubectl does."""
        entry = self._read()
        before = dict(entry.value["auth-provider"].get("config") or {})
        provider = {"name": entry.value["auth-provider"]["name"], "config": _complete(before, entry.folder)}
        if provider["name"] == "gcp" and not (before.get("cmd-path") or before.get("access-token")):
            raise self._error("names no cmd-path, and no access-token")
        token = _token_of(provider)
        renewed = {key: provider["config"][key] for key in _NEW if provider["config"].get(key)}
        if provider["name"] == "oidc" and any(before.get(key) != value for key, value in renewed.items()):
            _keep(self._user, renewed)
        return token

    def _error(self, reason: str) -> LoginNeeded:
        title = sentence(f"The login provider of the user {self._user} of context {self._context} {reason}")
        return LoginNeeded(title, "Log in again with the program that wrote this kubeconfig.")


def _complete(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a provider's config as the package needs it: paths that stand alone, and always a CA."""
    complete = {"id-token": "", "client-secret": "", **copy.deepcopy(dict(config))}
    if complete.get("idp-certificate-authority-data"):
        return complete
    if path := complete.get("idp-certificate-authority"):
        complete["idp-certificate-authority"] = str(folder / str(path))
    else:
        complete["idp-certificate-authority"] = _system_authorities()
    return complete


def _system_authorities() -> str:
    import certifi  # noqa: PLC0415  comes with the package

    return os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where()


def _token_of(provider: dict[str, Any]) -> str:
    """Return the token of a provider, of whose config it renews what has expired; "" for none."""
    from kubernetes import client, config  # noqa: PLC0415  a second, and few have such users

    kubeconfig = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "clusters": [{"name": "one", "cluster": {"server": "https://none.invalid"}}],
        "users": [{"name": "one", "user": {"auth-provider": provider}}],
    }
    found = client.Configuration()
    load: Any = config.load_kube_config_from_dict
    load(kubeconfig, client_configuration=found, persist_config=False)
    return str(next(iter(found.api_key.values()), "")).removeprefix("Bearer ").strip()


def _keep(user: str, renewed: Mapping[str, str]) -> None:
    """Write what an issuer gave anew into the file that has the user; where that fails, it is used once."""
    import yaml  # noqa: PLC0415  dear, and seldom needed

    for path in named_files() or [default_file()]:
        if path.is_fifo() or not path.is_file():
            continue
        content = yaml.safe_load(path.read_bytes()) or {}
        entry = next((item for item in content.get("users") or () if item.get("name") == user), None)
        if entry is None:
            continue
        entry["user"]["auth-provider"]["config"].update(renewed)
        with suppress(OSError):
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            write_private(path.resolve(), text.encode())
        return


async def _in_thread(call: Callable[[], str]) -> str:
    """Call in a thread that no end of the program waits for: the package's requests have no time limit."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def give(value: str, error: Exception | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error else answer.set_result(value)

    def run() -> None:
        value, failure = "", None
        try:
            value = call()
        except Exception as error:  # noqa: BLE001  told to whoever waits
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(give, value, failure)

    threading.Thread(target=run, name="auth-provider", daemon=True).start()
    return await answer


def _words(error: Exception) -> str:
    """Return what an error says in one printable line; its class where it says nothing."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    words = f"its config has no {text}" if isinstance(error, KeyError) else text
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())[:300]
