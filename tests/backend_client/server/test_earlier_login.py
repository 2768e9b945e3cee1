"""A login shows an earlier one of the same user: nobody who guesses from the same address holds it up."""

from backend_client.models.secret import Secret
from backend_client.server.accounts import Accounts
from backend_client.server.auth_client import AuthClient
from backend_client.server.contexts import ServerContexts
from backend_client.server.token_store import KeyringTokenStore
from tests.backend_client.server.support.scripted import answer

FIRST, SECOND = "td_first", "td_second"


def grant(token):
    return answer({"token": token, "user": "ann", "role": "viewer", "expires": None})


async def test_a_login_shows_the_one_before(server, tmp_path, monkeypatch):
    monkeypatch.setattr(KeyringTokenStore, "works", lambda self: False)
    client = AuthClient(tmp_path / "config", server.url)
    server.script = [grant(FIRST), grant(SECOND), answer(status="204 No Content"), grant(FIRST), grant(FIRST)]
    await client.log_in("ann", Secret("right"))
    again = await client.log_in("ann", Secret("right"))
    assert await client.log_out(again.account) is None
    await client.log_in("ann", Secret("right"))
    await client.log_in("bob", Secret("right"))
    shown = [asked.headers.get("authorization", "").removeprefix("Bearer ") for asked in server.asked]
    assert shown == ["", FIRST, SECOND, SECOND, ""]


async def test_a_forgotten_account_leaves_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(KeyringTokenStore, "works", lambda self: False)
    folder = tmp_path / "config"
    client = AuthClient(folder, server.url)
    server.script = [grant(FIRST), answer(status="204 No Content")]
    done = await client.log_in("ann", Secret("right"))
    await client.log_out(done.account)
    (account,) = Accounts(folder).all()
    ServerContexts(folder, tmp_path / "cache").forget(account)
    assert FIRST not in (folder / "credentials.json").read_text()
    assert Accounts(folder).all() == []
