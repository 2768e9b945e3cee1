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

from backend_client.accounts import HasAccounts
from backend_client.errors import BackendError, LoginNeeded, fragment
from backend_client.models.secret import Secret
from backend_client.server.accounts import Account
from backend_client.server.address import host_of, parse_address
from backend_client.text.sanitize import clean, clean_block
from tui.actions import Place
from tui.bindings import ActionPolicy, bindings
from tui.login.entry import LabeledInput
from tui.ui.footer import Footer
from tui.ui.inputs import REPLACEMENT

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

    @dataclass(eq=False)
    class ServerInfoLoaded(Message):
        """The info of the server at `url`, or why there is none."""

        url: str
        info: "ServerInfo | BackendError"

    @dataclass(eq=False)
    class Ended(Message):
        """How a login or a logout ended."""

        account: Account | None = None
        error: BackendError | None = None
        message: str = ""

    def __init__(
        self, policy: ActionPolicy, source: HasAccounts, account: Account | None, why: str = ""
    ) -> None:
        super().__init__()
        self._policy = policy
        self._source = source
        self._account = account
        self._reason = why
        self._info: ServerInfo | None = None
        self._info_url = ""
        """The URL that `_info` belongs to."""
        self._registering = False
        """A new account is wanted, not a login."""
        self._send_when_loaded = False
        """To be sent as soon as the server's info is loaded."""
        self._busy = False

    # What is on screen

    def compose(self) -> ComposeResult:
        account = self._account or Account(name="", url="")
        with Vertical():
            yield Static(Content.styled("Log in", "bold"), id="title")
            yield Static(Content(clean_block(self._reason)), id="why")
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
        self.call_after_refresh(self._check_server)

    def _entry(self, name: str) -> LabeledInput:
        return self.query_one(f"#{name}", LabeledInput)

    def _text(self, name: str) -> str:
        return self._entry(name).line.value.strip()

    @property
    def _is_setup(self) -> bool:
        """The server has nobody yet."""
        return self._info is not None and self._info.setup

    def _show(self, problem: str = "") -> None:
        """Show the entries that apply now, and the problem."""
        self._entry("again").display = self._registering or self._is_setup
        self._entry("code").display = self._is_setup
        title = "The first admin" if self._is_setup else "New account" if self._registering else "Log in"
        self.query_one("#title", Static).update(Content.styled(title, "bold"))
        self.query_one("#why", Static).display = bool(self._reason)
        self._show_problem(problem)

    def _show_problem(self, problem: str, *, quiet: bool = False) -> None:
        shown = self.query_one("#problem", Static)
        shown.set_class(quiet, "quiet")
        shown.update(Content(clean_block(problem)))

    # The server

    def on_labeled_input_blurred(self, message: LabeledInput.Blurred) -> None:
        """Check the server, once its address is typed."""
        if message.entry.id == "server":
            self._check_server()

    def _check_server(self) -> None:
        if not self._text("server"):
            return
        try:
            url = parse_address(self._text("server"))
        except BackendError as error:
            self._send_when_loaded = False
            self._blame("server", error.fields.get("server", error.title))
        else:
            if url != self._info_url:
                self._info, self._info_url, self._registering = None, url, False
                self._show_server("asking who answers there ...")
                self._show()
                self._load_server_info(url)

    def _client(self, url: str) -> "AuthClient":
        account = next((account for account in self._source.accounts() if account.url == url), None)
        return self._source.auth_client(url, ca=account.ca if account else "")

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _load_server_info(self, url: str) -> None:
        try:
            self.post_message(self.ServerInfoLoaded(url, await self._client(url).server_info()))
        except BackendError as error:
            self.post_message(self.ServerInfoLoaded(url, error))

    def on_login_screen_server_info_loaded(self, message: ServerInfoLoaded) -> None:
        """Show who answers at the address; ask for the set-up code where the server has nobody yet."""
        if message.url != self._info_url:
            return
        waiting, self._send_when_loaded = self._send_when_loaded, False
        if isinstance(message.info, BackendError):
            self._info_url = ""
            self._show_problem(str(message.info))
            return
        self._info = about = message.info
        can = "f3 makes an account" if about.is_open else "an admin makes accounts"
        self._show_server(f"{about.name} {about.version}; " + ("it has no admin yet" if about.setup else can))
        self._show()
        if waiting:
            self._send()

    def _show_server(self, words: str) -> None:
        self.query_one("#about", Static).update(Content(clean(words, 200)))

    # In

    async def action_next(self) -> None:
        """Go to the next entry, or (behind the last) log in."""
        shown = [entry.line for entry in self.query(LabeledInput) if entry.display]
        at = next((n for n, line in enumerate(shown) if line is self.focused), -1)
        if at + 1 < len(shown):
            self.set_focus(shown[at + 1])
        else:
            await self.action_log_in()

    def action_register(self) -> None:
        """Switch between a login and a new account."""
        if self._info and not self._info.is_open:
            self._show_problem(
                f"{host_of(self._info_url)} takes no registrations: an admin makes accounts there."
            )
        elif self._info and not self._is_setup:
            self._registering = not self._registering
            self._show()

    async def action_log_in(self) -> None:
        """Send the login, once the server is known. A second press meanwhile does nothing."""
        for entry in self.query(LabeledInput):
            await entry.settle()
        if self._info is None and self._text("server"):
            self._send_when_loaded = True
            self._check_server()
        elif not self._busy:
            self._send()

    def _send(self) -> None:
        if fault := self._fault():
            self._blame(*fault)
            return
        self._busy = True
        self._show_problem("logging in ...", quiet=True)
        code = self._entry("code").secret if self._is_setup else None
        self._log_in(
            self._info_url, self._text("user"), self._entry("password").secret, code, new=self._registering
        )

    def _fault(self) -> tuple[str, str] | None:
        """Return the first entry that cannot be sent, and why; None where all can."""
        for entry in self.query(LabeledInput):
            if entry.display and not entry.line.value.strip():
                return str(entry.id), f"Fill in: {entry.label}."
            if REPLACEMENT in entry.line.value:
                return str(entry.id), f"{entry.label}: it has a character that cannot be shown."
        again = self._entry("again")
        if again.display and again.secret != self._entry("password").secret:
            return "again", "The two passwords differ."
        return None

    def _blame(self, name: str, words: str) -> None:
        self._show_problem(words)
        self.set_focus(self._entry(name).line)

    @work(group="login", exit_on_error=False)
    async def _log_in(self, url: str, user: str, password: Secret, code: Secret | None, *, new: bool) -> None:
        client = self._client(url)
        try:
            login = client.register(user, password, code) if new or code else client.log_in(user, password)
            done = await login
        except BackendError as error:
            self.post_message(self.Ended(error=error))
        else:
            words = f"Logged in as {done.account.user} ({done.role}); the token is in {done.where}."
            self.post_message(self.Ended(done.account, message=words))

    def on_login_screen_ended(self, message: Ended) -> None:
        """Close the screen, or show why it failed; a wrong password has to be typed anew."""
        self._busy = False
        if message.account:
            for name in ("password", "again", "code"):
                self._entry(name).line.value = ""
            self.app.notify(message.message)
            self.dismiss(message.account)
        elif message.error:
            if isinstance(message.error, LoginNeeded):
                self._entry("password").line.value = ""
            self._blame("password", str(message.error))

    # Out

    def action_log_out(self) -> None:
        """End the login that this screen began with."""
        account = self._account
        if account is None or not account.store:
            self._show_problem("Nobody is logged in there.")
        elif not self._busy:
            self._busy = True
            self._show_problem("logging out ...", quiet=True)
            self._log_out(account)

    @work(group="login", exit_on_error=False)
    async def _log_out(self, account: Account) -> None:
        try:
            trouble = await self._client(account.url).log_out(account)
        except BackendError as error:
            self.post_message(self.Ended(error=error))
        else:
            words = f"Logged out; the token of {account.user} is forgotten here."
            if trouble:
                words += f" The server was not told ({fragment(trouble.title)}): there it stays valid."
            self.post_message(self.Ended(msgspec.structs.replace(account, store=""), message=words))

    def action_login_leave(self) -> None:
        """Leave the screen without a login."""
        self.dismiss(None)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show a defect of a worker as a problem, the last resort: it must not leave this screen stuck."""
        if event.state is WorkerState.ERROR:
            self._busy = False
            self._show_problem(f"A defect of traindeck ({type(event.worker.error).__name__}): try again.")
