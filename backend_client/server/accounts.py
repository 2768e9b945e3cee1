"""A person's accounts at servers, in servers.json. Holds no token: `Account.store` says where that is."""

from pathlib import Path

import msgspec
from msgspec import Struct

from backend_client.errors import Refused
from backend_client.private_files import WRITERS, read_private, update_private
from backend_client.server.address import host_of


class Account(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One user of one server: a context."""

    name: str
    """The context's name: the server's host, or user@host where that name is taken."""
    url: str
    user: str = ""
    """Empty for a server where nobody has logged in yet."""
    ca: str = ""
    """File with the certificates to trust (PEM); empty: those of the system."""
    store: str = ""
    """Kind of the store that has the token; empty: there is none."""

    @property
    def key(self) -> str:
        """The key of the token in its store."""
        return f"{self.user}@{self.url}"


class _File(Struct):
    servers: list[Account] = []


class Accounts:
    """The accounts of one person, in `servers.json` of the configuration's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "servers.json"

    def all(self) -> list[Account]:
        """Return all accounts, in the order of their first login. Raises Refused for an unsafe file."""
        return self._decode(read_private(self.path, WRITERS))

    def find(self, url: str, user: str) -> Account | None:
        """Return the account of this user at this server, None where there is none."""
        return next((one for one in self.all() if (one.url, one.user) == (url, user)), None)

    def save(self, account: Account) -> Account:
        """Save an account, in place of the one with its key; return it with a name."""
        saved = account

        def change(content: bytes) -> bytes:
            nonlocal saved
            known = self._decode(content)
            saved = _with_name(account, known)
            same = [at for at, one in enumerate(known) if one.key == saved.key]
            known[slice(same[0], same[0] + 1) if same else slice(len(known), None)] = [saved]
            return _encode(known)

        update_private(self.path, change, WRITERS)
        return saved

    def remove(self, account: Account) -> None:
        """Remove an account; one that is not there is no error."""

        def change(content: bytes) -> bytes:
            return _encode([one for one in self._decode(content) if one.key != account.key])

        update_private(self.path, change, WRITERS)

    def _decode(self, content: bytes) -> list[Account]:
        if not content:
            return []
        try:
            return msgspec.json.decode(content, type=_File).servers
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Refused(
                f"{self.path} is damaged.", "Take it away; then `traindeck login` again writes it anew."
            ) from None


def _encode(accounts: list[Account]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(_File(accounts)), indent=2) + b"\n"


def _with_name(account: Account, accounts: list[Account]) -> Account:
    """Return an account with a name: its own, which stays, else its server's host, else user@host."""
    old = next((one.name for one in accounts if one.key == account.key), "")
    taken = {one.name for one in accounts}
    host = host_of(account.url)
    name = old or account.name or (host if host not in taken else f"{account.user}@{host}")
    return msgspec.structs.replace(account, name=name)
