"""Login and all verbs about a server, as the real program against a real server on a loopback port."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend_client.server.token_store import FileTokenStore
from tests.backend_client.server.support.running import PASSWORD, Running, running
from tests.support.wait import until
from tests.tui.cli.conftest import Result

OTHER = "another long password"


@pytest.fixture
def server(tmp_path: Path):
    """With an admin, a researcher and a viewer."""
    with running(tmp_path / "server", people={"root": "admin", "ada": "researcher", "eve": "viewer"}) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")


def td(*words: str, stdin: str = "", code: int = 0, **env: str) -> Result:
    """The real program, without a terminal; its exit code must be `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", *words],
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, **env},
        timeout=60,
        start_new_session=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def log_in(server: Running, user: str, password: str = PASSWORD, *more: str) -> Result:
    return td("login", server.url, "--user", user, "--password-stdin", *more, stdin=password + "\n")


def token_of(home: Path, server: Running, user: str) -> str:
    return FileTokenStore(home / "config/traindeck").get(f"{user}@{server.url}").reveal()


def everything_under(home: Path) -> str:
    files = [path for path in (home / "config").rglob("*") if path.is_file()]
    files += [path for path in (home / "state").rglob("*") if path.is_file()]
    return "\n".join(path.read_text(errors="replace") for path in files if path.name != "credentials.json")


def test_in_look_and_out(server: Running, home: Path):
    done = log_in(server, "ada")
    assert f"Logged in at {server.url} as ada (researcher) until " in done.err
    assert f"The token is in {home}/config/traindeck/credentials.json, readable by you alone." in done.err
    assert f"Jobs run in {server.context} from now on." in done.err
    assert td("whoami").out == f"ada (researcher) at {server.url}\n"
    assert json.loads(td("whoami", "-o", "json").out)["role"] == "researcher"
    assert f"*  {server.context}" in td("contexts").out
    assert td("jobs", "-o", "json").out == "[]\n"

    token = token_of(home, server, "ada")
    for secret in (token, PASSWORD):
        assert secret not in done.out + done.err
        assert secret not in everything_under(home)
    assert "the token of ada is forgotten here" in td("logout").err
    assert td("jobs", code=5).err.splitlines()[0] == f"You are not logged in at {server.context} as ada."
    used = td("whoami", code=5, TRAINDECK_TOKEN=token, TRAINDECK_CONTEXT=server.context)
    assert "This login has ended." in used.err
    assert "Nobody is logged in" in td("logout").err
    assert token_left(home) == {f"ended ada@{server.url}": token}  # it opens nothing any more


def token_left(home: Path) -> dict:
    return json.loads((home / "config/traindeck/credentials.json").read_text())["tokens"]


def test_a_wrong_password_and_an_unknown_user_are_the_same_in_words(server: Running, home: Path):
    wrong = td("login", server.url, "--user", "ada", "--password-stdin", stdin="nope nope\n", code=5)
    unknown = td("login", server.url, "--user", "nobody", "--password-stdin", stdin="nope nope\n", code=5)
    assert wrong.err == unknown.err
    assert "The user or the password is wrong." in wrong.err
    assert "nope nope" not in wrong.err
    assert not (home / "config/traindeck/servers.json").exists()


def test_two_accounts_side_by_side(server: Running, home: Path):
    log_in(server, "ada")
    log_in(server, "eve")
    eve = f"eve@{server.context}"
    assert td("whoami").out.startswith("eve (viewer)")
    assert td("--context", server.context, "whoami").out.startswith("ada")
    assert td("--context", f"server:{server.context}", "whoami").out.startswith("ada")
    td("--context", eve, "logout")
    assert td("--context", server.context, "whoami").out.startswith("ada")
    listed = {one["name"]: one for one in json.loads(td("contexts", "-o", "json").out)}
    assert listed[eve]["about"].endswith("not logged in")


def test_on_an_empty_server_the_code_makes_the_first_admin(tmp_path: Path):
    with running(tmp_path / "server") as server:
        words = ("login", server.url, "--user", "root", "--password-stdin")
        wrong = td(*words, stdin=f"{PASSWORD}\nNOTTHECODE\n", code=5)
        assert "This set-up code does not hold" in wrong.err
        done = td(*words, stdin=f"{PASSWORD}\n{server.code}\n")
        assert "has no admin yet" in done.err
        assert "as root (admin)" in done.err
        assert server.code not in done.err + done.out
        again = td("register", server.url, "--user", "eve", "--password-stdin", stdin="x\n", code=5)
        assert "takes no registrations" in again.err


def test_register_where_it_is_open(tmp_path: Path):
    with running(tmp_path / "server", people={"root": "admin"}, registration="open") as server:
        words = ("register", server.url, "--user", "new", "--password-stdin")
        assert "as new (viewer)" in td(*words, stdin=PASSWORD + "\n").err
        assert "There is a user new already." in td(*words, stdin=PASSWORD + "\n", code=1).err
        short = td("register", server.url, "--user", "new2", "--password-stdin", stdin="short\n", code=2)
        assert "password" in short.err


def test_with_nobody_to_ask(server: Running):
    assert "User: there is no terminal to ask on." in td("login", server.url, code=2).err
    assert "--password-stdin" in td("login", server.url, "--user", "ada", code=2).err


def test_which_server_is_meant(server: Running, tmp_path: Path):
    assert "Server: there is no terminal" in td("login", code=2).err
    assert "by https only" in td("login", "http://lab.example.org", code=2).err
    log_in(server, "ada")
    assert "User: there is no terminal" in td("login", code=2).err
    td("use", "local")
    assert "User: there is no terminal" in td("login", code=2).err
    closed = td("login", "127.0.0.1:1", "--user", "ada", "--password-stdin", stdin="x\n", code=4)
    assert "127.0.0.1:1 cannot be reached: connection refused" in closed.err


def test_a_logout_that_does_not_reach_the_server_forgets_all_the_same(tmp_path: Path, home: Path):
    with running(tmp_path / "server", people={"ada": "researcher", "root": "admin"}) as server:
        log_in(server, "ada")
    out = td("logout", code=4)
    assert "the token of ada is forgotten here" in out.err
    assert "but the server was not told" in out.err
    assert token_left(home) == {}
    assert "You are not logged in" in td("jobs", code=5).err


def test_an_account_can_be_forgotten(server: Running, home: Path):
    log_in(server, "ada")
    log_in(server, "eve")
    eve = f"eve@{server.context}"
    td("jobs")
    assert f"The account {eve} is forgotten." in td("logout", "--forget").err
    assert eve not in (home / "config/traindeck/servers.json").read_text()
    assert not [path for path in home.rglob("*") if path.name.startswith("eve@")]
    assert f"There is no context {eve}" in td("jobs", code=3).err
    assert td("--context", server.context, "whoami").out.startswith("ada")
    td("--context", server.context, "logout")
    assert "Nobody is logged in" in td("--context", server.context, "logout", "--forget").err
    assert server.context not in td("contexts").out


def test_tokens_from_outside_go_only_to_the_named_context(server: Running, home: Path, tmp_path: Path):
    log_in(server, "ada")
    ada = token_of(home, server, "ada")
    log_in(server, "eve")
    assert td("whoami", TRAINDECK_TOKEN=ada).out.startswith("eve")
    assert td("whoami", TRAINDECK_TOKEN=ada, TRAINDECK_CONTEXT=f"eve@{server.context}").out.startswith("ada")
    assert td("--context", f"eve@{server.context}", "whoami", TRAINDECK_TOKEN=ada).out.startswith("ada")
    assert td("--context", server.url, "whoami", TRAINDECK_TOKEN=ada).out.startswith("ada")
    file = tmp_path / "token"
    file.write_text(ada + "\n")
    assert td("--context", server.url, "--token-file", str(file), "whoami").out.startswith("ada")
    assert "goes only to a context that is named" in td("--token-file", str(file), "whoami", code=1).err
    none = td("--context", server.url, "--token-file", str(file) + "x", "whoami", code=1)
    assert "The token cannot be read from" in none.err
    odd = td("--context", server.url, "whoami", TRAINDECK_TOKEN="td_\x1b[2Jx", code=5)
    assert "\x1b" not in odd.err
    assert "td_" not in odd.err
    assert "is no setting" not in td("config", TRAINDECK_TOKEN=ada).err
    assert "there is no setting" not in td("config", TRAINDECK_SERVER_FOLDER="x").err


def test_a_file_that_others_can_read_is_refused_in_words(server: Running, home: Path):
    log_in(server, "ada")
    path = home / "config/traindeck/credentials.json"
    path.chmod(0o644)
    refused = td("jobs", code=1)
    assert refused.err.splitlines()[0] == f"Others can read {path} (its mode is 0644), so it is not read."
    assert f"chmod 600 {path}" in refused.err
    assert "Others can read" in td("login", "--user", "ada", "--password-stdin", stdin="x\n", code=1).err


def test_a_password_is_changed_and_other_logins_end(server: Running, home: Path):
    log_in(server, "ada")
    old = token_of(home, server, "ada")
    log_in(server, "ada")
    assert "The old password is wrong." in td("passwd", "--password-stdin", stdin=f"x\n{OTHER}\n", code=5).err
    done = td("passwd", "--password-stdin", stdin=f"{PASSWORD}\n{OTHER}\n")
    assert "is changed; your other logins have ended" in done.err
    assert td("whoami").out.startswith("ada")
    assert td("--context", server.url, "whoami", TRAINDECK_TOKEN=old, code=5).code == 5
    assert "is wrong" in td(
        "login", server.url, "--user", "ada", "--password-stdin", stdin=PASSWORD + "\n", code=5
    ).err  # fmt: skip
    log_in(server, "ada", OTHER)


def test_logins_are_listed_and_ended(server: Running, home: Path):
    log_in(server, "ada")
    first = token_of(home, server, "ada")
    log_in(server, "ada")
    listed = json.loads(td("tokens", "-o", "json").out)
    assert [one["current"] for one in listed].count(True) == 1
    assert all(one["name"].startswith("traindeck on ") for one in listed)
    other = next(str(one["id"]) for one in listed if not one["current"])
    assert f"The login {other} has ended." in td("tokens", "revoke", other).err
    assert td("--context", server.url, "whoami", TRAINDECK_TOKEN=first, code=5).code == 5
    assert len(td("tokens", "-o", "name").out.split()) == 1
    assert "You have no login 999." in td("tokens", "revoke", "999", code=3).err
    assert "ID: is missing" in td("tokens", "revoke", code=2).err


def test_an_admin_keeps_the_people(server: Running):
    log_in(server, "root")
    td("users", "add", "bob", "--role", "researcher", "--password-stdin", stdin=OTHER + "\n")
    td("users", "change", "bob", "--gpus", "4", "--jobs", "10")
    people = {one["user"]: one for one in json.loads(td("users", "-o", "json").out)}
    assert (people["bob"]["max_gpus"], people["bob"]["max_jobs"]) == (4, 10)
    quotas = ("--pods", "8", "--cpus", "64", "--memory", "512")
    (bob,) = json.loads(td("users", "change", "bob", "--team", "vision", *quotas, "-o", "json").out)
    assert (bob["team"], bob["max_pods"], bob["max_cpus"], bob["max_memory_gib"]) == ("vision", 8, 64, 512)
    assert "team: letters" in td("users", "change", "bob", "--team", "a b", code=2).err
    td(
        "users",
        "change",
        "bob",
        "--team",
        "",
        "--pods",
        "default",
        "--cpus",
        "default",
        "--memory",
        "default",
    )
    td("users", "change", "bob", "--gpus", "default", "--role", "viewer")
    assert re.search(r"^bob +viewer +10", td("users").out, re.MULTILINE)
    assert "disabled" in td("users", "disable", "bob").out
    assert "The account bob is disabled." in td(
        "login", server.url, "--user", "bob", "--password-stdin", stdin=OTHER + "\n", code=5
    ).err  # fmt: skip
    td("users", "enable", "bob")
    td("users", "password", "bob", "--password-stdin", stdin=PASSWORD + "\n")
    assert "root is the last admin." in td("users", "disable", "root", code=1).err
    assert "say what: --role" in td("users", "change", "bob", code=2).err
    assert "There is no user nobody." in td("users", "disable", "nobody", code=3).err
    assert "read-only" in td("--read-only", "users", "disable", "bob", code=1).err
    assert td("--read-only", "users", "-o", "name").out.split() == ["ada", "bob", "eve", "root"]
    log_in(server, "bob")
    assert "this is for admins" in td("users", code=5).err


def test_verbs_about_a_server_need_one(server: Running):
    for verb in ("users", "tokens", "passwd", "clusters", "logout"):
        none = td(verb, code=1)
        assert "The context local is no traindeck server." in none.err
        assert "`traindeck login URL` logs in at one." in none.err
    assert td("whoami").out.count("this machine") == 1
    assert "There is no history here." in td("history", code=1).err


def test_clusters_out_of_a_kubeconfig(server: Running, tmp_path: Path):
    log_in(server, "root")
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t0p-s3cret"}}, {"name": "x", "user": {"exec": {}}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "lab",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    add = ("clusters", "add", "lab", "--kubeconfig", str(path))
    refused = td(*add, code=4)
    assert "127.0.0.1:1" in refused.err
    assert "t0p-s3cret" not in refused.err
    assert "No context other" in td(*add, "--kube-context", "other", code=3).err
    assert "read-only" in td("--read-only", *add, code=1).err
    assert td("clusters", "-o", "json").out == "[]\n"
    assert "no clusters yet" in td("clusters").err
    assert td("clusters", "remove", "lab", code=3).code == 3
    log_in(server, "ada")
    assert "this is for admins" in td(*add, code=5).err


def test_history_by_state_and_time(tmp_path: Path):
    with running(tmp_path / "server", people={"ada": "researcher", "root": "admin"}, local=True) as server:
        log_in(server, "root")
        td("submit", "--name", "quick", "--", "true")
        td("submit", "--name", "broken", "--", "sh", "-c", "exit 3")
        td("wait", "quick")
        td("wait", "broken", code=3)
        td("delete", "quick", "--yes")
        assert history("-o", "name", expected="quick broken") == {"quick", "broken"}
        assert history("--state", "Failed", "-o", "name", expected="broken") == {"broken"}
        assert td("history", "qui", "--since", "1h", "-o", "name").out == "quick\n"
        assert td("history", "--until", "2020-01-01", "-o", "json").out == "[]\n"
        assert "write 12h, 7d" in td("history", "--since", "soon", code=2).err
        table = td("history").out
        assert re.search(r"quick +Succeeded +root .*deleted", table)
        assert re.search(r"broken +Failed +root .*exit 3", table)


def history(*words: str, expected: str) -> set[str]:
    """Wait for it: the server writes what it sees in batches."""
    names = set(expected.split())
    return until(lambda: set(td("history", *words).out.split()) == names and names)


def test_the_password_is_asked_and_not_seen(server: Running, home: Path):
    with Terminal("login", server.url) as terminal:
        terminal.until("User [")
        terminal.type("ada\n")
        terminal.until("Password: ")
        terminal.type(PASSWORD + "\n")
        terminal.until("from now on")
        assert terminal.wait() == 0
    assert PASSWORD not in terminal.seen
    assert token_of(home, server, "ada").startswith("td_")
    with Terminal("passwd") as terminal:
        for asked, typed in (
            ("Old password: ", PASSWORD),
            ("New password: ", OTHER),
            ("again: ", "something else"),
            ("New password: ", OTHER),
            ("again: ", OTHER),
        ):
            terminal.until(asked)
            terminal.type(typed + "\n")
        assert terminal.wait() == 0
    assert "They differ." in terminal.seen
    assert OTHER not in terminal.seen


class Terminal:
    """The program on a terminal of its own; `seen` is all that came to it."""

    def __init__(self, *words: str) -> None:
        self.seen, self._read = "", 0
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "tui", *words])

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def _more(self) -> bool:
        try:
            data = os.read(self.handle, 4096)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def until(self, text: str) -> None:
        while text not in self.seen[self._read :]:
            assert self._more(), self.seen
        self._read = self.seen.index(text, self._read) + len(text)

    def type(self, text: str) -> None:
        os.write(self.handle, text.encode())

    def wait(self) -> int:
        while self._more():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
