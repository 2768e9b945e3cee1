"""The program on the screen: owns the session, opens the screens, switches the context."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePath
from typing import ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from backend_client.contexts import Contexts
from backend_client.disk_errors import cannot_write
from backend_client.models import Job
from backend_client.ssh import over_ssh
from backend_client.text.sanitize import clean
from tui.actions import ACTIONS, Place, actions
from tui.bindings import bindings
from tui.jobs.main_screen import MainScreen
from tui.messages import (
    AppRequest,
    OpenLogin,
    OpenScreen,
    OpenShell,
    RecheckPermissions,
    SendToTerminal,
    SwitchContext,
    SwitchNamespace,
)
from tui.safe_app import SafeApp
from tui.screen_router import screen_for
from tui.session import Session
from tui.settings.model import Settings
from tui.ui import signals
from tui.ui.footer import Footer, place_of
from tui.ui.terminal_driver import TerminalDriver
from tui.ui.themes import DARK

_HERE = Path(__file__).parent
_WIDGETS = (
    *("jobs/main_screen", "ui/filter_line", "ui/footer", "jobs/header", "jobs/job_list"),
    *("log/bars", "log/tiles", "log/view"),
)
"""Stylesheets of widgets; a screen names its own."""


_BASE = 2
"""Screens that are always on the stack: Textual's own empty one, and a `MainScreen`."""


class TraindeckApp(SafeApp, inherit_bindings=False):
    """Shows one context at a time, on a `MainScreen`; all other screens lie above it.

    Textual's ctrl+q, which leaves at once, is not taken over: it is what goes on after ctrl+s in a terminal.
    """

    CSS_PATH: ClassVar[list[str | PurePath]] = [
        _HERE / "app.tcss",
        *(_HERE / f"{name}.tcss" for name in _WIDGETS),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.APP),
        Binding("ctrl+c", "help_quit", show=False, system=True),
    ]
    TITLE = "traindeck"

    def __init__(
        self,
        contexts: Contexts,
        *,
        context: str,
        namespace: str = "",
        all_namespaces: bool = False,
        read_only: bool = False,
        settings: Settings | None = None,
        note: str = "",
    ) -> None:
        """Show `context`, or ask for one where it is "". `note`: why it is, or what to say at the start."""
        super().__init__()
        self._note = note
        self.session = Session(
            contexts,
            context=context,
            namespace=namespace,
            all_namespaces=all_namespaces,
            read_only=read_only,
            settings=settings,
            request=self._answer,
        )
        self._signals = contextlib.ExitStack()
        self._begin_with_own_theme()

    def _begin_with_own_theme(self) -> None:
        """Set our theme before the stylesheets are read: a later change would read all of them again."""
        self.register_theme(DARK)
        self.set_reactive(TraindeckApp.theme, DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())

    def on_mount(self) -> None:
        self.animation_level = "none"
        if self.session.settings.theme in self.available_themes:
            self.theme = self.session.settings.theme
        self.set_keymap(dict(self.session.keys))
        if not self.is_headless:
            self._signals = signals.watch(lambda code: self.exit(return_code=code))
        if self.session.context:
            self._begin_in(self.session.context)
            if self._note:
                self.notify(self._note, timeout=15)
        else:
            self._ask_context(self._begin_in, self._note)

    def _begin_in(self, name: str | None) -> None:
        """Begin in a context; without one there is nothing to show."""
        if name is None:
            self.last_words = clean(self._note, 4000)
            self.exit(return_code=1)
        else:
            self.session.context = name
            self.push_screen(MainScreen(name))

    async def on_unmount(self) -> None:
        self._signals.close()
        await self.session.forwards.aclose()

    @property
    def is_opening(self) -> bool:
        """True before there is a main screen with its context."""
        screen = self.screen
        return len(self.screen_stack) < _BASE or (isinstance(screen, MainScreen) and screen.is_opening)

    # Requests of the screens

    def _answer(self, request: AppRequest) -> None:
        """Answer the request of a screen, at once."""
        match request:
            case SwitchContext(name, remember):
                self.switch_to(name)
                if remember:  # as `traindeck login` does: who logs in wants to work there
                    self._remember_context()
            case SwitchNamespace(name):
                self.session.use_namespace(name)
                self.call_later(self._show_context)
            case RecheckPermissions():
                self._recheck_permissions()
            case SendToTerminal(sequence):
                self._send(sequence)
            case OpenShell(job):
                self._open_shell(job)
            case OpenLogin() if any(place_of(screen) is Place.LOGIN for screen in self.screen_stack):
                pass
            case OpenScreen():
                self.push_screen(*screen_for(request, self.session))

    @work(exclusive=True, group="permissions", exit_on_error=False)
    async def _recheck_permissions(self) -> None:
        if await self.session.load_permissions():
            for screen in self.screen_stack:
                screen.query(Footer).refresh()

    @work(exclusive=True, group="shell", exit_on_error=False)
    async def _open_shell(self, job: Job) -> None:
        from tui.jobs.shell import open_shell

        await open_shell(self, job, self.session.context)

    def switch_to(self, name: str) -> None:
        """Switch to a context, which a new main screen opens. Other shells keep theirs."""
        self.session.use_context(self.session.contexts.usable(name).name)
        self.call_later(self._show_context)  # the screen that it was chosen on is still on its way out

    def _remember_context(self) -> None:
        try:
            self.session.contexts.set_current(self.session.context)
        except OSError as error:
            words = f"The choice is not kept for the next start: {cannot_write(error).title}"
            self.notify(clean(words), severity="warning", markup=False)

    async def _show_context(self) -> None:
        while len(self.screen_stack) > _BASE:
            await self.pop_screen()
        await self.switch_screen(MainScreen(self.session.context))

    def _send(self, sequence: str) -> None:
        if self._driver and not self.is_headless:
            self._driver.write(sequence)

    # Actions

    def action_help(self) -> None:
        from tui.ui.help import HelpScreen

        place = place_of(self.screen)
        self.push_screen(HelpScreen(place, self.session))

    def action_help_quit(self) -> None:
        """Say which key leaves the program: ctrl+c, which kills other programs, does not."""
        key = next(action.shown_key for action in ACTIONS if action.id == "quit")
        self.notify(f"{self.session.keys.get('quit', key)} leaves traindeck; jobs go on.")

    def action_suspend(self) -> None:
        """Stop as every program of a shell does, with all that was started as one job with it (a wrapper)."""
        if not isinstance(self._driver, TerminalDriver):
            return
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        if not self._driver.was_stopped:
            self.notify("No shell is waiting here that could bring traindeck back, so it goes on.")

    def action_context(self) -> None:
        self._ask_context(self._switch_context)

    def _ask_context(self, use: Callable[[str | None], None], note: str = "") -> None:
        from tui.ui.pick_screen import Pick, PickScreen

        picks = [
            Pick(info.name, info.unavailable or info.about, not info.unavailable)
            for info in self.session.contexts.list_contexts()
        ]
        self.push_screen(PickScreen("Where jobs run", picks, self.session.context, note=note), use)

    def _switch_context(self, name: str | None) -> None:
        if name and name != self.session.context:
            self.switch_to(name)

    def action_account(self) -> None:
        if not self.session.login_prompt.show():
            self.notify("There is no way to a traindeck server here.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Forbid to switch the context or the account over a form: what was typed there would be lost."""
        if action in ("context", "account") and place_of(self.screen) in (Place.FORM, Place.PLAN):
            return False
        return super().check_action(action, parameters)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield what the palette offers: the actions that have a key now, and the themes."""
        offered = {
            action.id: action
            for action in actions(place_of(screen), read_only=self.session.read_only)
            if action.id != "command_palette"
        }
        for node, binding, _, _ in screen.active_bindings.values():
            action = offered.pop(binding.id or "", None)
            if action:
                do: Callable[[], object] = partial(self.run_action, binding.action, node)
                yield SystemCommand(action.label, action.help, do)
        yield SystemCommand("theme", "Choose other colours.", self.action_change_theme)


def run(app: TraindeckApp, say: Callable[[str], None]) -> int:
    """Run the app until a person leaves it; return the exit code. `say` prints what it says at its end."""
    if over_ssh():
        os.environ.setdefault("ESCDELAY", "250")
    app.run()
    if app.last_words:
        say(app.last_words)
    return app.return_code or 0
