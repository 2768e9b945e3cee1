"""Log in at a server: as oneself again, as somebody else, as somebody new, as the first of all."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from backend_client.errors import BackendError, LoginNeeded
from backend_client.models.secret import Secret
from backend_client.server.accounts import Account
from backend_client.server.address import address, host_of
from backend_client.server.contexts import ServerContexts
from tui.actions import Place
from tui.bindings import ActionPolicy, bindings
from tui.login.entry import LabeledInput
from tui.ui.footer import Footer
from tui.ui.inputs import UNSHOWN
from tui.ui.sanitize import clean, clean_block

if TYPE_CHECKING:
    from backend_client.server.auth_client import AuthClient, ServerInfo


class LoginScreen(ModalScreen[Account | None]):
    """Dismisses with the account that is logged in now, with one that has been logged out, or None.

    `account`: whose server and name to begin with; `why`: what has brought this screen, in words.
    """

    CSS_PATH = "login_screen.tcss"
    where = Place.LOGIN
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.LOGIN),
        # With priority: what is typed right behind them goes to where they lead.
        Binding("enter", "next", show=False, priority=True),
        Binding("tab,down", "app.focus_next", show=False, priority=True),
        Binding("shift+tab,up", "app.focus_previous", show=False, priority=True),
    ]

    @dataclass
    class Looked(Message):
        """What the server at `url` says of itself, or why it says nothing."""

        url: str
        about: "ServerInfo | BackendError"

    @dataclass
    class Ended(Message):
        """How a login or a logout ended."""

        account: Account | None = None
        error: BackendError | None = None
        words: str = ""

    def __init__(
        self, policy: ActionPolicy, servers: ServerContexts, account: Account | None, why: str = ""
    ) -> None:
        super().__init__()
        self._policy = policy
        self._servers = servers
        self._account = account
        self._why = why
        self._about: ServerInfo | None = None
        self._looked = ""
        """The URL that `_about` is of."""
        self._new = False
        """An account is to be made."""
        self._waiting = False
        """To be sent as soon as the server has said who it is."""
        self._busy = False

    # What is on screen

    def compose(self) -> ComposeResult:
        account = self._account or Account(name="", url="")
        with Vertical():
            yield Static(Content.styled("Log in", "bold"), id="title")
            yield Static(Content(clean_block(self._why)), id="why")
            yield LabeledInput("server", "server", account.url, "https://traindeck.example.org")
            yield Static(id="about")
            yield LabeledInput("user", "user", account.user)
            yield LabeledInput("password", "password", unseen=True)
            yield LabeledInput("again", "the same again", unseen=True)
            yield LabeledInput(
                "code", "set-up code", "", "it stands on the server's own terminal", unseen=True
            )
            yield Static(id="problem")
        yield Footer(self._policy)

    def on_mount(self) -> None:
        self._show()
        empty = next((name for name in ("server", "user") if not self._text(name)), "password")
        self.set_focus(self._entry(empty).line)
        self.call_after_refresh(self._look_there)

    def _entry(self, name: str) -> LabeledInput:
        return self.query_one(f"#{name}", LabeledInput)

    def _text(self, name: str) -> str:
        return self._entry(name).line.value.strip()

    @property
    def _first(self) -> bool:
        """The server has nobody yet."""
        return self._about is not None and self._about.setup

    def _show(self, problem: str = "") -> None:
        """What there is to fill in, and what is wrong."""
        self._entry("again").display = self._new or self._first
        self._entry("code").display = self._first
        title = "The first admin" if self._first else "New account" if self._new else "Log in"
        self.query_one("#title", Static).update(Content.styled(title, "bold"))
        self.query_one("#why", Static).display = bool(self._why)
        self._say(problem)

    def _say(self, problem: str, *, quiet: bool = False) -> None:
        shown = self.query_one("#problem", Static)
        shown.set_class(quiet, "quiet")
        shown.update(Content(clean_block(problem)))

    # The server

    def on_labeled_input_left(self, message: LabeledInput.Left) -> None:
        """Who answers there?"""
        if message.entry.id == "server":
            self._look_there()

    def _look_there(self) -> None:
        if not self._text("server"):
            return
        try:
            url = address(self._text("server"))
        except BackendError as error:
            self._waiting = False
            self._wrong("server", error.fields.get("server", error.title))
        else:
            if url != self._looked:
                self._about, self._looked, self._new = None, url, False
                self._told("asking who answers there ...")
                self._show()
                self._look(url)

    def _door(self, url: str) -> "AuthClient":
        from backend_client.server.auth_client import AuthClient  # noqa: PLC0415  httpx, when the first frame is out

        known = next((one for one in self._servers.accounts() if one.url == url), None)
        return AuthClient(self._servers.folder, url, ca=known.ca if known else "")

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self, url: str) -> None:
        try:
            self.post_message(self.Looked(url, await self._door(url).server_info()))
        except BackendError as error:
            self.post_message(self.Looked(url, error))

    def on_login_screen_looked(self, message: Looked) -> None:
        """Say who it is; ask for the set-up code where it has nobody yet."""
        if message.url != self._looked:
            return
        waiting, self._waiting = self._waiting, False
        if isinstance(message.about, BackendError):
            self._looked = ""
            self._say(str(message.about))
            return
        self._about = about = message.about
        can = "f3 makes an account" if about.is_open else "an admin makes accounts"
        self._told(f"{about.name} {about.version}; " + ("it has no admin yet" if about.setup else can))
        self._show()
        if waiting:
            self._send()

    def _told(self, words: str) -> None:
        self.query_one("#about", Static).update(Content(clean(words, 200)))

    # In

    async def action_next(self) -> None:
        """The next one, or (behind the last) in."""
        shown = [entry.line for entry in self.query(LabeledInput) if entry.display]
        at = next((n for n, line in enumerate(shown) if line is self.focused), -1)
        if at + 1 < len(shown):
            self.set_focus(shown[at + 1])
        else:
            await self.action_log_in()

    def action_register(self) -> None:
        """Make an account instead; again: no, log in."""
        if self._about and not self._about.is_open:
            self._say(f"{host_of(self._looked)} takes no registrations: an admin makes accounts there.")
        elif self._about and not self._first:
            self._new = not self._new
            self._show()

    async def action_log_in(self) -> None:
        """Send it, once it is known who answers there. A second press meanwhile does nothing."""
        for entry in self.query(LabeledInput):
            await entry.settle()
        if self._about is None and self._text("server"):
            self._waiting = True
            self._look_there()
        elif not self._busy:
            self._send()

    def _send(self) -> None:
        if fault := self._fault():
            self._wrong(*fault)
            return
        self._busy = True
        self._say("logging in ...", quiet=True)
        code = self._entry("code").secret if self._first else None
        self._enter(self._looked, self._text("user"), self._entry("password").secret, code, new=self._new)

    def _fault(self) -> tuple[str, str] | None:
        """The first entry that cannot be sent, and why."""
        for entry in self.query(LabeledInput):
            if entry.display and not entry.line.value.strip():
                return str(entry.id), f"Fill in: {entry.label}."
            if UNSHOWN in entry.line.value:
                return str(entry.id), f"{entry.label}: it has a character that cannot be shown."
        again = self._entry("again")
        if again.display and again.secret != self._entry("password").secret:
            return "again", "The two passwords differ."
        return None

    def _wrong(self, name: str, words: str) -> None:
        self._say(words)
        self.set_focus(self._entry(name).line)

    @work(group="login", exit_on_error=False)
    async def _enter(self, url: str, user: str, password: Secret, code: Secret | None, *, new: bool) -> None:
        door = self._door(url)
        try:
            made = door.register(user, password, code) if new or code else door.log_in(user, password)
            done = await made
        except BackendError as error:
            self.post_message(self.Ended(error=error))
        else:
            words = f"Logged in as {done.account.user} ({done.role}); the token is in {done.where}."
            self.post_message(self.Ended(done.account, words=words))

    def on_login_screen_ended(self, message: Ended) -> None:
        """In, out, or why not; a wrong password has to be typed anew."""
        self._busy = False
        if message.account:
            for name in ("password", "again", "code"):
                self._entry(name).line.value = ""
            self.app.notify(message.words)
            self.dismiss(message.account)
        elif message.error:
            if isinstance(message.error, LoginNeeded):
                self._entry("password").line.value = ""
            self._wrong("password", str(message.error))

    # Out

    def action_log_out(self) -> None:
        """End the login that this screen began with."""
        account = self._account
        if account is None or not account.store:
            self._say("Nobody is logged in there.")
        elif not self._busy:
            self._busy = True
            self._say("logging out ...", quiet=True)
            self._go_out(account)

    @work(group="login", exit_on_error=False)
    async def _go_out(self, account: Account) -> None:
        try:
            trouble = await self._door(account.url).log_out(account)
        except BackendError as error:
            self.post_message(self.Ended(error=error))
        else:
            words = f"Logged out; the token of {account.user} is forgotten here."
            if trouble:
                words += f" The server was not told ({trouble.title}): there it stays valid."
            self.post_message(self.Ended(msgspec.structs.replace(account, store=""), words=words))

    def action_login_leave(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """The last resort: a defect of ours must not leave this screen stuck."""
        if event.state is WorkerState.ERROR:
            self._busy = False
            self._say(f"A defect of traindeck ({type(event.worker.error).__name__}): try again.")
