"""The login screen over the work: the whole app against a real server on a loopback port."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from textual import events

from backend_client.contexts import Contexts
from backend_client.errors import LoginNeeded
from backend_client.models.fields import parse_spec
from backend_client.models.secret import Secret
from backend_client.protocol import FreshnessState, JobBackend
from backend_client.server.auth_client import AuthClient
from backend_client.server.contexts import ServerContexts
from backend_client.server.token_store import FileTokenStore
from tests.backend_client.server.support.running import PASSWORD, Running, running
from tests.support.scripted import ScriptedBackend, Way, make_job
from tests.tui.support.deck import Deck, Recorder, deck
from tui.app import TraindeckApp
from tui.log.view import LogView
from tui.login import login_prompt
from tui.login.entry import LabeledInput
from tui.login.login_screen import LoginScreen

PEOPLE = {"root": "admin", "ada": "researcher", "eve": "viewer"}
TICKS = ("sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done")


@pytest.fixture(autouse=True)
def config_dir(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")  # no keyring of whoever runs the tests
    return home / "config" / "traindeck"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """This machine takes its jobs."""
    with running(tmp_path / "server", people=PEOPLE, local=True) as made:
        yield made


def way(config_dir: Path, **options: str) -> ServerContexts:
    return ServerContexts(config_dir, config_dir / "cache", **options)


@contextlib.asynccontextmanager
async def program(
    servers: ServerContexts, context: str, tmp_path: Path, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Deck]:
    """The app over these servers, and beside them the context `scripted`."""
    contexts = Contexts([servers, Way(ScriptedBackend())], tmp_path / "chosen")
    app = TraindeckApp(contexts, context=context)
    app.driver_class = Recorder
    app.session.tick = 0.02
    async with app.run_test(headless=False, size=size, notifications=True) as pilot:
        yield Deck(app, pilot, None)


async def logged_in(config_dir: Path, server: Running, user: str) -> str:
    """A login as from the command line; the name of its context."""
    return (await AuthClient(config_dir, server.url).log_in(user, Secret(PASSWORD))).account.name


@contextlib.asynccontextmanager
async def job(config_dir: Path, context: str, name: str = "tick") -> AsyncIterator[JobBackend]:
    """A job that prints a line each 50 ms."""
    backend = way(config_dir).open(context)
    made = await backend.create(parse_spec({"name": name, "command": TICKS}), key=name, secrets={})
    try:
        yield backend
    finally:
        with contextlib.suppress(LoginNeeded):
            async for _ in backend.delete(made.ref):
                pass
        await backend.aclose()


def token(config_dir: Path, server: Running, user: str) -> Secret | None:
    return FileTokenStore(config_dir).get(f"{user}@{server.url}")


async def asked(running: Deck, why: str = "") -> None:
    """Wait for the login screen, and until it knows who answers."""
    await running.until(lambda: isinstance(running.app.screen, LoginScreen))
    await running.until("an admin makes accounts")
    assert why in running.shown


def gone(running: Deck) -> bool:
    return not isinstance(running.app.screen, LoginScreen)


def line(running: Deck, name: str) -> str:
    return running.app.screen.query_one(f"#{name}", LabeledInput).line.value


async def fill(running: Deck, name: str, text: str) -> None:
    """Write over what stands in a line."""
    entry = running.app.screen.query_one(f"#{name}", LabeledInput)
    entry.line.focus()
    await running.pilot.pause()
    await running.press("ctrl+u", *text)


async def test_without_a_token_the_program_starts_with_the_login(
    config_dir: Path, server: Running, tmp_path: Path
):
    async with program(way(config_dir, site=server.url), server.context, tmp_path) as running:
        await asked(running)
        assert f"You are not logged in at {server.context}." in running.shown
        assert line(running, "server") == server.url
        await running.press(*"ada", "enter", *"not it at all", "enter")
        await running.until("The user or the password is wrong.")
        assert line(running, "password") == ""
        assert line(running, "user") == "ada"
        await running.press(*PASSWORD, "enter")
        await running.until("No jobs yet.")
        await running.until("Logged in as ada (researcher)")
        assert f" traindeck  {server.context}" in running.shown
        assert token(config_dir, server, "ada")
        assert PASSWORD not in running.sent
        assert token(config_dir, server, "ada").reveal() not in running.sent


async def test_the_login_can_be_left_and_brought_back(config_dir: Path, server: Running, tmp_path: Path):
    async with program(way(config_dir, site=server.url), server.context, tmp_path) as running:
        await asked(running)
        await running.press("escape")
        await running.until("cannot be read: you are not logged in")
        for key in ("n", "h", "a"):
            await running.quiet()
            assert gone(running)
            await running.press(key)
            await asked(running)
            await running.press("escape")
        await running.quiet()
        await running.press("a")
        await asked(running)
        await running.press(*"ada", "enter", *PASSWORD, "enter")
        await running.until("No jobs yet.")


async def test_an_ended_login_comes_over_the_form_and_what_was_typed_is_there_afterwards(
    config_dir: Path, server: Running, tmp_path: Path
):
    context = await logged_in(config_dir, server, "ada")
    async with program(way(config_dir), context, tmp_path) as running:
        await running.until("No jobs yet.")
        await running.press("n")
        await running.until("New job")
        await running.press(*"kept-name", "tab")
        server.end_logins("ada")
        await asked(running, "This login has ended.")
        assert line(running, "user") == "ada"
        await running.press(*PASSWORD, "enter")
        await running.until(lambda: gone(running))
        await running.until("kept-name")
        assert "New job" in running.shown
        running.app.screen.list.fields["command"].line.focus()
        await running.pilot.pause()
        await running.press("ctrl+u", *"sleep 60", "f2")
        await running.until("Run it here")
        await running.press("y")
        await running.until("kept-name        Running")
        await running.press("d")
        await running.until("Delete kept-name?")
        await running.press("y")
        await running.until("No jobs yet.")


async def test_the_log_goes_on_where_it_was_each_line_once(config_dir: Path, server: Running, tmp_path: Path):
    context = await logged_in(config_dir, server, "ada")
    async with job(config_dir, context), program(way(config_dir), context, tmp_path) as running:
        # Not one line: on a busy machine many come at once, and most are never in sight.
        await running.until(
            lambda: any(int(number) >= 60 for number in re.findall(r"line (\d+)", running.shown))
        )
        await running.press("l")
        await running.until("following")
        await running.press("pageup", "pageup")
        await running.until("scrolled")
        view = running.app.screen.query_one(LogView)
        top = running.shown.splitlines()[3]
        server.end_logins("ada")
        await asked(running, "This login has ended.")
        await running.press(*PASSWORD, "enter")
        await running.until(lambda: gone(running))
        end = view.buffer.end
        await running.until(lambda: view.buffer.end > end + 20)
        assert running.shown.splitlines()[3] == top
        numbers = [int(text.split()[-1]) for text in lines_of(view)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def lines_of(view: LogView) -> list[str]:
    buffer = view.buffer
    texts = [line.text for line in buffer.lines(buffer.first, buffer.closed)]
    return [text for text in texts if text.startswith("line ")]


async def test_the_list_stays_below_the_login_and_the_cursor_on_its_job(
    config_dir: Path, server: Running, tmp_path: Path
):
    context = await logged_in(config_dir, server, "ada")
    async with (
        job(config_dir, context, "one"),
        job(config_dir, context, "two"),
        program(way(config_dir), context, tmp_path) as running,
    ):
        await running.until("two ")
        await running.press("j")
        chosen = running.app.screen.job.name
        server.end_logins("ada")
        await asked(running, "This login has ended.")
        assert f" > {chosen}" in running.shown
        await running.press(*PASSWORD, "enter")
        await running.until(lambda: gone(running))
        await running.until(lambda: running.app.screen.store.freshness.state is FreshnessState.LIVE)
        assert running.app.screen.job.name == chosen


async def test_somebody_else_sees_nothing_of_the_first(config_dir: Path, server: Running, tmp_path: Path):
    context = await logged_in(config_dir, server, "ada")
    async with job(config_dir, context), program(way(config_dir), context, tmp_path) as running:
        await running.until("tick ")
        await running.press("a")
        await asked(running)
        await fill(running, "user", "eve")
        await fill(running, "password", PASSWORD)
        await running.press("enter")
        await running.until(f" traindeck  eve@{server.context}")
        await running.until("No jobs yet.")
        assert "tick " not in running.shown
        assert running.app.session.contexts.default() == f"eve@{server.context}"
        assert token(config_dir, server, "ada")


async def test_a_logout_ends_the_token_and_clears_the_screen(
    config_dir: Path, server: Running, tmp_path: Path
):
    context = await logged_in(config_dir, server, "ada")
    old = token(config_dir, server, "ada")
    async with job(config_dir, context), program(way(config_dir), context, tmp_path) as running:
        await running.until("tick ")
        await running.press("a")
        await asked(running)
        await running.press("f4")
        await running.until("You are not logged in at")
        assert "tick " not in running.shown
        assert token(config_dir, server, "ada") is None
        with pytest.raises(LoginNeeded):
            await way(config_dir, named=context, token=old).open(context).whoami()
        await logged_in(config_dir, server, "ada")


async def test_a_login_on_another_terminal_is_taken_up(
    config_dir: Path, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(login_prompt, "LOOK_AGAIN_SECONDS", 0.2)
    context = await logged_in(config_dir, server, "ada")
    async with program(way(config_dir), context, tmp_path) as running:
        await running.until("No jobs yet.")
        server.end_logins("ada")
        await asked(running, "This login has ended.")
        await running.press("escape")
        await running.until("cannot be read")
        await logged_in(config_dir, server, "ada")
        await running.until("No jobs yet.")


async def test_the_first_admin_by_the_set_up_code_typed_ahead(config_dir: Path, tmp_path: Path):
    with running(tmp_path / "server") as server:
        async with program(way(config_dir), "scripted", tmp_path) as screen:
            await screen.press("a")
            await screen.until("https://traindeck.example.org")
            burst(screen, *server.context, "enter", *"root", "enter", *PASSWORD, "enter")
            await screen.until("it has no admin yet")
            await screen.until(lambda: screen.app.focused is screen.app.screen._entry("again").line)
            burst(screen, *PASSWORD, "enter", *server.code, "enter")
            await screen.until("Logged in as root (admin)")
            await screen.until(f" traindeck  {server.context}")
            assert server.code not in screen.sent
            assert PASSWORD not in screen.sent


def burst(running: Deck, *keys: str) -> None:
    """All at once, as a paste or a slow link brings them."""
    for key in keys:
        running.app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_an_account_of_ones_own_where_registration_is_open(config_dir: Path, tmp_path: Path):
    with running(tmp_path / "server", people={"root": "admin"}, registration="open") as server:
        async with program(way(config_dir, site=server.url), server.context, tmp_path) as screen:
            await screen.until("f3 makes an account")
            await screen.press("f3")
            await screen.until("the same again")
            await fill(screen, "user", "new")
            await fill(screen, "password", PASSWORD)
            await fill(screen, "again", "something else")
            await screen.press("enter")
            await screen.until("The two passwords differ.")
            await fill(screen, "again", PASSWORD)
            await screen.press("f2")
            await screen.until("Logged in as new (viewer)")


async def test_words_for_what_can_be_wrong(config_dir: Path, server: Running, tmp_path: Path):
    async with program(way(config_dir), "scripted", tmp_path) as running:
        await running.press("a")
        await running.until("https://traindeck.example.org")
        for written, words in (
            ("http://lab.example.org", "a password goes to lab.example.org by https only"),
            ("https://a?b", "has more than a host, a port and a path"),
            ("127.0.0.1:1", "127.0.0.1:1 cannot be reached: connection refused"),
        ):
            await fill(running, "server", written)
            await running.press("enter")
            await running.until(words)
        await fill(running, "server", server.context)
        await running.press("f2")
        await running.until("Fill in: user.")
        await running.press("f3")
        await running.until("takes no registrations: an admin makes accounts there.")
        await running.press("f4")
        await running.until("Nobody is logged in there.")
        await running.press("f1")
        await running.until("Make the login invalid")


async def test_another_contexts_login_is_none_of_ours(tmp_path: Path):
    """A cluster's own login program failed: a server's login screen would not help."""
    backend = ScriptedBackend([make_job("bert-ft")])
    async with deck(backend, tmp_path=tmp_path) as running:
        backend.fail["stop"] = LoginNeeded("Your login at the cluster has ended.", "aws sso login")
        await running.press("x")
        await running.until("Stop bert-ft?")
        await running.press("y")
        await running.until("aws sso login")
        await running.press("escape")
        await running.until(lambda: len(running.app.screen_stack) == 2)
        await running.press("a")
        await running.until("There is no way to a traindeck")


async def test_a_server_that_goes_away_leaves_the_list_and_asks_for_no_login(
    config_dir: Path, tmp_path: Path
):
    with running(tmp_path / "server", people=PEOPLE, local=True) as server:
        context = await logged_in(config_dir, server, "ada")
        async with program(way(config_dir), context, tmp_path, (120, 24)) as screen:
            await screen.until("No jobs yet.")
            await asyncio.to_thread(server.stop)
            await screen.until("stale")
            assert not isinstance(screen.app.screen, LoginScreen)
