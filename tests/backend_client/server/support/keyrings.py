"""Keyrings for tests, as the real library takes them: one that works, and those that people meet."""

import threading

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class Good(KeyringBackend):
    """Keeps values for as long as it lives."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], str] = {}
        self.calls = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.calls += 1
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls += 1
        self.values[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.calls += 1
        del self.values[service, username]


class Unprotected(Good):
    """Writes plain text somewhere, as `keyrings.alt` does."""

    priority = 0.5


class Locked(Good):
    """Fails at the first write."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("locked")


class Forgetful(Good):
    """Takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.values[service, username] = ""


class Hanging(Good):
    """Waits for somebody to unlock it."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.go.wait(60)
        return None

    set_password = get_password  # type: ignore[assignment]
