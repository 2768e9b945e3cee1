"""Where tokens and accounts are kept: real files, and the real keyring library over keyrings for tests."""

import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import keyring
import pytest

from backend_client import private_files
from backend_client.errors import BackendError, Invalid, LoginNeeded, Refused
from backend_client.models.secret import Secret
from backend_client.server import token_store
from backend_client.server.accounts import Account, Accounts
from backend_client.server.address import parse_address
from backend_client.server.token_store import FileTokenStore, KeyringTokenStore, choose_store, store_of_kind
from tests.backend_client.server.support import keyrings

KEY = "ada@https://lab.example.org"
TOKEN = Secret("td_" + "x" * 49)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return tmp_path / "config" / "traindeck"


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch):
    """ring(class) makes the real library use one of the keyrings for tests."""
    before = keyring.get_keyring()

    def use(kind):
        made = kind()
        keyring.set_keyring(made)
        return made

    yield use
    keyring.set_keyring(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_kept_found_replaced_and_forgotten(folder: Path):
    file = FileTokenStore(folder)
    assert file.get(KEY) is None
    file.put(KEY, TOKEN)
    file.put("bob", Secret("b"))
    assert file.get(KEY) == TOKEN
    file.put(KEY, Secret("new"))
    assert file.get(KEY) == Secret("new")
    file.drop(KEY)
    file.drop(KEY)
    assert file.get(KEY) is None
    assert file.get("bob") == Secret("b")


def test_the_file_is_for_its_owner_alone_whatever_the_umask(folder: Path):
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    old = os.umask(0)
    try:
        FileTokenStore(folder).put(KEY, TOKEN)
    finally:
        os.umask(old)
    assert mode(folder) == 0o700
    assert mode(folder / "credentials.json") == 0o600
    assert [path.name for path in folder.iterdir()] == ["credentials.json"]


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_can_use_is_refused_with_what_mends_it(folder: Path, bits: int):
    file = FileTokenStore(folder)
    file.put(KEY, TOKEN)
    file.path.chmod(bits)
    for use in (lambda: file.get(KEY), lambda: file.put(KEY, TOKEN), lambda: choose_store(folder)):
        with pytest.raises(Refused) as refused:
            use()
        assert str(file.path) in refused.value.title
        assert f"{bits:04o}" in refused.value.title
        assert f"chmod 600 {file.path}" in refused.value.hint
        assert TOKEN.reveal() not in str(refused.value)
    file.path.chmod(0o600)
    assert file.get(KEY) == TOKEN


def test_a_link_a_pipe_and_a_foreign_folder_are_refused(folder: Path, tmp_path: Path):
    file = FileTokenStore(folder)
    file.put(KEY, TOKEN)
    folder.chmod(0o777)
    with pytest.raises(Refused, match="Others can change what lies in"):
        file.get(KEY)
    folder.chmod(0o700)
    file.path.rename(tmp_path / "elsewhere")
    file.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="is a link"):
        file.get(KEY)
    file.path.unlink()
    os.mkfifo(file.path, 0o600)
    with pytest.raises(Refused, match="no plain file"):
        file.get(KEY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(folder: Path):
    file = FileTokenStore(folder)
    file.put(KEY, TOKEN)
    os.chown(file.path, 12345, -1)
    with pytest.raises(Refused, match="belongs to another user"):
        file.get(KEY)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"tokens": 3}', b"{}"])
def test_a_damaged_file_is_said_to_be_damaged(folder: Path, content: bytes):
    file = FileTokenStore(folder)
    file.put(KEY, TOKEN)
    file.path.write_bytes(content)
    with pytest.raises(Refused, match="is damaged"):
        file.get(KEY)


def _put_many(folder: str, number: int) -> None:
    file = FileTokenStore(Path(folder))
    for n in range(10):
        file.put(f"{number}-{n}", Secret(f"{n}"))


def test_writers_at_the_same_time_lose_nothing(folder: Path):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_put_many, args=(str(folder), number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    file = FileTokenStore(folder)
    assert [(n, m) for n in range(4) for m in range(10) if file.get(f"{n}-{m}") != Secret(str(m))] == []


def test_a_writer_that_died_does_not_stop_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(private_files, "WRITER_SECONDS", 0.1)
    file = FileTokenStore(folder)
    file.put(KEY, TOKEN)
    (folder / ".credentials.json.new").write_text("half")
    file.put("bob", Secret("b"))
    assert file.get(KEY) == TOKEN
    assert file.get("bob") == Secret("b")


def test_a_folder_that_takes_no_file_is_known_before_a_login(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written: not a directory"):
        choose_store(tmp_path / "file" / "traindeck")


# The keyring


def test_a_keyring_that_answers_takes_the_token(folder: Path, ring):
    kept = ring(keyrings.Good)
    chosen = choose_store(folder)
    assert chosen.kind == "keyring"
    assert kept.values == {}  # the probe has gone
    chosen.put(KEY, TOKEN)
    assert store_of_kind("keyring", folder).get(KEY) == TOKEN
    chosen.drop(KEY)
    assert store_of_kind("keyring", folder).get(KEY) is None
    assert not (folder / "credentials.json").exists()


@pytest.mark.parametrize("kind", [keyrings.Unprotected, keyrings.Locked, keyrings.Forgetful])
def test_one_that_cannot_keep_it_is_known_before_a_login(folder: Path, ring, kind):
    ring(kind)
    assert choose_store(folder).kind == "file"


def test_one_that_hangs_is_given_a_limit(folder: Path, ring, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(token_store, "KEYRING_SECONDS", 0.2)
    hanging = ring(keyrings.Hanging)
    assert choose_store(folder).kind == "file"
    with pytest.raises(Refused, match="does not answer within"):
        KeyringTokenStore().get(KEY)
    hanging.go.set()


def test_over_ssh_it_is_never_asked(folder: Path, ring, monkeypatch: pytest.MonkeyPatch):
    kept = ring(keyrings.Good)
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    assert choose_store(folder).kind == "file"
    with pytest.raises(LoginNeeded, match="not asked over SSH"):
        KeyringTokenStore().get(KEY)
    assert kept.calls == 0


def test_where_there_is_no_service_the_file_is_used(folder: Path):
    """The real library with nothing behind it, as on a head node."""
    code = "import pathlib, sys; from backend_client.server.token_store import choose_store as new; "
    code += "print(new(pathlib.Path(sys.argv[1])).kind)"
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder.parent)}
    line = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(line, capture_output=True, text=True, env=clean, check=True)
    assert done.stdout == "file\n"


# Accounts


def test_accounts_have_names_that_stay(tmp_path: Path):
    accounts = Accounts(tmp_path)
    ada = accounts.save(Account(name="", url="https://lab.example.org", user="ada", store="file"))
    bob = accounts.save(Account(name="", url="https://lab.example.org", user="bob"))
    other = accounts.save(Account(name="", url="http://127.0.0.1:8642", user="ada"))
    assert [ada.name, bob.name, other.name] == ["lab.example.org", "bob@lab.example.org", "127.0.0.1:8642"]
    out = accounts.save(Account(name="", url=ada.url, user="ada", store=""))
    assert out.name == ada.name
    assert [one.user for one in accounts.all()] == ["ada", "bob", "ada"]
    assert accounts.find(ada.url, "ada") == out
    assert mode(accounts.path) == 0o600


def test_accounts_that_others_can_change_are_refused(tmp_path: Path):
    accounts = Accounts(tmp_path)
    accounts.save(Account(name="", url="https://lab.example.org", user="ada"))
    accounts.path.chmod(0o644)
    assert len(accounts.all()) == 1
    accounts.path.chmod(0o664)
    with pytest.raises(Refused, match="Others can change"):
        accounts.all()
    accounts.path.chmod(0o600)
    accounts.path.write_text("nothing")
    with pytest.raises(Refused, match="is damaged"):
        accounts.all()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lab.example.org", "https://lab.example.org"),
        (" https://Lab.Example.org/ ", "https://lab.example.org"),
        ("https://lab.example.org:443", "https://lab.example.org"),
        ("lab.example.org:8443", "https://lab.example.org:8443"),
        ("localhost:8642", "http://localhost:8642"),
        ("127.0.0.1:8642", "http://127.0.0.1:8642"),
        ("http://[::1]:8642", "http://[::1]:8642"),
        ("https://127.0.0.1:8642", "https://127.0.0.1:8642"),
        ("https://lab.example.org/tools/traindeck/", "https://lab.example.org/tools/traindeck"),
        ("unix:/run/td/sock", "unix:///run/td/sock"),
        ("unix:///run/td/sock", "unix:///run/td/sock"),
    ],
)
def test_an_address_as_it_is_meant(written: str, meant: str):
    assert parse_address(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "http://lab.example.org",
        "http://127.0.0.1.example.org",
        "http://10.0.0.1:80",
        "ftp://lab",
        "https://",
        "https://ada:pw@lab.example.org",
        "https://lab.example.org/a/../b",
        "https://lab.example.org//a",
        "https://lab.example.org/a b",
        "https://lab.example.org?x=1",
        "https://lab:port",
        "https://lab example",
        "https://[::1",
        "https://a\x1b[2J",
        "file:///etc/passwd",
    ],
)
def test_no_address(written: str):
    with pytest.raises(Invalid) as wrong:
        parse_address(written)
    assert isinstance(wrong.value, BackendError)
    assert "server" in wrong.value.fields
