"""Token stores: the desktop's keyring, or a file that nobody else can read.

The keyring is probed before a login, with a real write, and never over SSH: one without a session, or a
locked one, hangs or fails at the first write, which would lose a new token. Which store has a token is
written in the account; nothing falls from one to the other by itself.
"""

import queue
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from backend_client.errors import LoginNeeded, Refused
from backend_client.models.secret import Secret
from backend_client.private_files import read_private, update_private
from backend_client.ssh import over_ssh

Answer = TypeVar("Answer")

SERVICE = "traindeck"
KEYRING_SECONDS = 3.0
"""Seconds for the keyring: it may wait for ever for somebody to unlock it."""


class TokenStore(Protocol):
    """Keeps tokens by their account's key. Every method may raise Refused, and block."""

    kind: str

    @property
    def where(self) -> str:
        """Where the tokens are, as text."""
        ...

    def get(self, key: str) -> Secret | None: ...

    def put(self, key: str, token: Secret) -> None: ...

    def drop(self, key: str) -> None:
        """Remove a token; one that is not there is no error."""
        ...


class FileTokenStore:
    """`credentials.json` in the configuration's folder."""

    kind = "file"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "credentials.json"

    @property
    def where(self) -> str:
        home = str(Path.home())
        shown = str(self.path).replace(home, "~", 1) if str(self.path).startswith(f"{home}/") else self.path
        return f"{shown}, readable by you alone"

    def get(self, key: str) -> Secret | None:
        token = self._decode(read_private(self.path)).get(key)
        return Secret(token) if token else None

    def put(self, key: str, token: Secret) -> None:
        self._change(lambda tokens: tokens.update({key: token.reveal()}))

    def drop(self, key: str) -> None:
        if self.get(key):
            self._change(lambda tokens: tokens.pop(key, None))

    def check_writable(self) -> None:
        """Raise Refused now where a token could not be written later."""
        self._change(lambda _: None)

    def _change(self, change: Callable[[dict[str, str]], object]) -> None:
        def changed(content: bytes) -> bytes:
            tokens = self._decode(content)
            change(tokens)
            return msgspec.json.encode({"tokens": tokens})

        update_private(self.path, changed)

    def _decode(self, content: bytes) -> dict[str, str]:
        try:
            return msgspec.json.decode(content, type=dict[str, dict[str, str]])["tokens"] if content else {}
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            hint = "Take it away and log in again."
            raise Refused(f"{self.path} is damaged, so its tokens cannot be read.", hint) from None


class KeyringTokenStore:
    """The keyring of the desktop: Secret Service, KWallet, macOS."""

    kind = "keyring"
    where = "the keyring of your desktop"

    def works(self) -> bool:
        """Return True where the keyring stores a value, reads it and deletes it, within the limit."""
        try:
            return not over_ssh() and _with_time_limit(self._probe)
        except Refused:
            return False

    def _probe(self) -> bool:
        import keyring  # noqa: PLC0415  not on the way of a start

        if keyring.get_keyring().priority < 1:  # its words for: none, or one that does not protect
            return False
        name, value = f"probe-{secrets.token_hex(4)}", secrets.token_hex(8)
        keyring.set_password(SERVICE, name, value)
        try:
            return keyring.get_password(SERVICE, name) == value
        finally:
            keyring.delete_password(SERVICE, name)

    def get(self, key: str) -> Secret | None:
        import keyring  # noqa: PLC0415  as above

        if over_ssh():
            raise LoginNeeded(
                "The token is in this machine's keyring, which is not asked over SSH.",
                "`traindeck login` over SSH keeps one in a file.",
            )
        token = _with_time_limit(lambda: keyring.get_password(SERVICE, key))
        return Secret(token) if token else None

    def put(self, key: str, token: Secret) -> None:
        import keyring  # noqa: PLC0415  as above

        _with_time_limit(lambda: keyring.set_password(SERVICE, key, token.reveal()))

    def drop(self, key: str) -> None:
        if self.get(key):
            import keyring  # noqa: PLC0415  as above

            _with_time_limit(lambda: keyring.delete_password(SERVICE, key))


def ended_key(key: str) -> str:
    """Return the key under which an account's token stays after a logout.

    It opens nothing any more: at the next login it shows the server who is no stranger.
    """
    return f"ended {key}"


def store_of_kind(kind: str, folder: Path) -> TokenStore:
    """Return the store of a kind (`Account.store`)."""
    return KeyringTokenStore() if kind == KeyringTokenStore.kind else FileTokenStore(folder)


def choose_store(folder: Path) -> TokenStore:
    """Choose the store for a new token: the keyring where it works, else the file. Raises Refused."""
    ring = KeyringTokenStore()
    if ring.works():
        return ring
    file = FileTokenStore(folder)
    file.check_writable()
    return file


def _with_time_limit(call: Callable[[], Answer]) -> Answer:
    """Call the keyring in a thread, which can be given a time limit. Raises Refused."""
    answers: queue.SimpleQueue[tuple[Answer | None, str]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), ""))
        except Exception as error:  # noqa: BLE001  keyring's backends raise whatever they like
            answers.put((None, type(error).__name__))

    threading.Thread(target=run, daemon=True).start()
    answer, error_text = (
        None,
        f"it does not answer within {KEYRING_SECONDS:.0f} s; it may wait for somebody to unlock it",
    )
    with suppress(queue.Empty):
        answer, error_text = answers.get(timeout=KEYRING_SECONDS)
    if error_text:
        raise Refused(f"The keyring cannot be used: {error_text}.", "Unlock it and try again.")
    return answer  # type: ignore[return-value]  # None is an answer too
