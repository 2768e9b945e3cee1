"""Accounts as contexts: which there are, and which token goes where."""

from pathlib import Path

import pytest

from backend_client.contexts import Contexts, LocalContext
from backend_client.errors import LoginNeeded, NotFound, Refused
from backend_client.models.secret import Secret
from backend_client.protocol import Feature
from backend_client.server.accounts import Account, Accounts
from backend_client.server.capabilities import UNKNOWN, merge
from backend_client.server.capabilities_cache import CapabilitiesCache
from backend_client.server.contexts import ServerContexts, TokenSession
from backend_client.server.token_store import FileTokenStore

LAB, OTHER = "https://lab.example.org", "https://other.example.org"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TRAINDECK_TOKEN", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "traindeck"


def logged_in(home: Path, url: str, user: str, token: str) -> Account:
    account = Accounts(home).save(Account(name="", url=url, user=user, store="file"))
    FileTokenStore(home).put(account.key, Secret(token))
    return account


def servers(home: Path, **options) -> ServerContexts:
    return ServerContexts(home, home / "cache", **options)


def names(way: ServerContexts) -> list[str]:
    return [info.name for info in way.contexts()]


def test_without_any_there_is_no_context_and_nothing_is_made(home: Path):
    way = servers(home)
    assert names(way) == []
    assert way.current() == ""
    assert not home.exists()


def test_several_accounts_stand_beside_each_other(home: Path):
    logged_in(home, LAB, "ada", "a")
    logged_in(home, LAB, "bob", "b")
    logged_in(home, OTHER, "ada", "c")
    way = servers(home)
    assert names(way) == ["lab.example.org", "bob@lab.example.org", "other.example.org"]
    assert [info.about for info in way.contexts()][1] == f"server {LAB}, as bob"
    tokens = [TokenSession(way, name)().reveal() for name in names(way)]
    assert tokens == ["a", "b", "c"]
    assert way.current() == ""


def test_the_sites_server_is_a_context_before_a_login(home: Path):
    way = servers(home, site="Lab.example.org/")
    assert names(way) == ["lab.example.org"]
    assert way.current() == "lab.example.org"
    assert Contexts([way, LocalContext()], home / "chosen").default() == "lab.example.org"
    with pytest.raises(LoginNeeded, match=r"You are not logged in at lab.example.org") as needed:
        TokenSession(way, "lab.example.org")()
    assert f"traindeck login {LAB}" in needed.value.hint
    logged_in(home, LAB, "ada", "a")
    assert names(way) == ["lab.example.org"]
    assert TokenSession(way, way.current())() == Secret("a")


def test_a_site_with_a_wrong_address_says_so(home: Path):
    way = servers(home, site="http://lab.example.org")
    assert "by https only" in way.contexts()[0].unavailable
    with pytest.raises(Refused, match=r"The site's server cannot be used: .*by https only"):
        way.current()


def test_a_token_from_outside_goes_only_to_the_context_that_is_named(home: Path, monkeypatch):
    logged_in(home, LAB, "ada", "a")
    logged_in(home, OTHER, "ada", "b")
    monkeypatch.setenv("TRAINDECK_TOKEN", "outside")
    for named in ("other.example.org", "server:other.example.org"):
        way = servers(home, named=named, token=Secret("outside"))
        assert TokenSession(way, "other.example.org")() == Secret("outside")
        assert TokenSession(way, "lab.example.org")() == Secret("a")
    way = servers(home, named="", token=Secret("outside"))
    assert [TokenSession(way, name)().reveal() for name in names(way)] == ["a", "b"]
    Accounts(home).save(Account(name="", url=LAB, user="ada"))
    with pytest.raises(LoginNeeded) as needed:
        TokenSession(way, "lab.example.org")()
    assert "TRAINDECK_TOKEN goes only to a context that --context or TRAINDECK_CONTEXT names" in str(
        needed.value
    )
    assert "outside" not in str(needed.value)


def test_a_server_can_be_named_by_its_url_with_a_token_alone(home: Path):
    way = servers(home, named="https://ci.example.org", token=Secret("t"))
    assert names(way) == ["https://ci.example.org"]
    assert TokenSession(way, "https://ci.example.org")() == Secret("t")
    assert not home.exists()


def test_a_login_elsewhere_is_taken_up_and_a_logout_too(home: Path):
    account = logged_in(home, LAB, "ada", "old")
    session = TokenSession(servers(home), account.name)
    assert session() == Secret("old")
    FileTokenStore(home).put(account.key, Secret("new"))
    Accounts(home).save(account)
    assert session() == Secret("new")
    Accounts(home).save(Account(name="", url=LAB, user="ada"))
    with pytest.raises(LoginNeeded):
        session()


def test_a_token_that_others_can_read_is_not_used(home: Path):
    account = logged_in(home, LAB, "ada", "a")
    (home / "credentials.json").chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        TokenSession(servers(home), account.name)()


def test_accounts_that_cannot_be_read_are_a_context_that_says_why(home: Path):
    logged_in(home, LAB, "ada", "a")
    (home / "servers.json").write_text("{")
    way = servers(home)
    assert [info.name for info in way.contexts()] == ["servers"]
    assert "is damaged" in way.contexts()[0].unavailable
    with pytest.raises(Refused, match="is damaged"):
        way.account("lab.example.org")


def test_opening_contacts_nobody(home: Path):
    logged_in(home, "http://127.0.0.1:1", "ada", "a")
    backend = servers(home).open("127.0.0.1:1")
    assert backend.context == "127.0.0.1:1"
    with pytest.raises(NotFound, match="no account"):
        servers(home).open("nobody")


def test_before_the_first_answer_nothing_is_refused(home: Path):
    assert UNKNOWN.missing_features == {}


def test_rules_are_kept_for_the_next_start(home: Path):
    kept = CapabilitiesCache(home / "cache", "ada@lab/../x")
    assert kept.read() is UNKNOWN
    rules = merge([])
    kept.write(rules)
    again = CapabilitiesCache(home / "cache", "ada@lab/../x").read()
    assert again.fields == rules.fields
    # What an admin can switch on at any time is not taken for absent because it once was.
    assert again.missing_features.keys() == rules.missing_features.keys() - {Feature.EXEC, Feature.PORTS}
    assert kept.path.parent == home / "cache"
    kept.path.write_text("{")
    assert kept.read() is UNKNOWN
