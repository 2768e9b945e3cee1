"""The program on the screen: owns the session, opens the screens, switches the context."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path, PurePath
from typing import ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from backend_client.contexts import Contexts
from backend_client.ssh import over_ssh
from tui.actions import ACTIONS, Place, actions
from tui.bindings import bindings
from tui.jobs.main_screen import MainScreen
from tui.messages import AppRequest, OpenLogin, OpenScreen, RecheckPermissions, SendToTerminal, SwitchContext
from tui.safe_app import SafeApp
from tui.screen_router import screen_for
from tui.session import Session
from tui.settings.model import Settings
from tui.ui import signals
from tui.ui.footer import Footer, place_of
from tui.ui.themes import DARK

_HERE = Path(__file__).parent
_WIDGETS = (
    *("jobs/main_screen", "jobs/filter_line", "ui/footer", "jobs/header", "jobs/job_list"),
    *("log/bars", "log/tiles", "log/view"),
)
"""Stylesheets of widgets; a screen names its own."""


_BASE = 2
"""Screens that are always on the stack: Textual's own empty one, and a `MainScreen`."""


class TraindeckApp(SafeApp):
    """Shows one context at a time, on a `MainScreen`; all other screens lie above it."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [
        _HERE / "app.tcss",
        *(_HERE / f"{name}.tcss" for name in _WIDGETS),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.APP)]
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
    ) -> None:
        super().__init__()
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
        self.push_screen(MainScreen(self.session.context))

    def on_unmount(self) -> None:
        self._signals.close()

    # Requests of the screens

    def _answer(self, request: AppRequest) -> None:
        """Answer the request of a screen, at once."""
        match request:
            case SwitchContext(name):
                self.switch_to(name)
            case RecheckPermissions():
                self._recheck_permissions()
            case SendToTerminal(sequence):
                self._send(sequence)
            case OpenLogin() if any(place_of(screen) is Place.LOGIN for screen in self.screen_stack):
                pass
            case OpenScreen():
                self.push_screen(*screen_for(request, self.session))

    @work(exclusive=True, group="permissions", exit_on_error=False)
    async def _recheck_permissions(self) -> None:
        if await self.session.load_permissions():
            for screen in self.screen_stack:
                screen.query(Footer).refresh()

    def switch_to(self, name: str) -> None:
        """Switch to a context, which a new main screen opens, and remember it as the current one."""
        with contextlib.suppress(OSError):  # a home that takes no file forgets the choice
            name = self.session.contexts.set_current(name).name
        self.session.context = name
        self.call_later(self._show_context)  # the screen that it was chosen on is still on its way out

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

    def action_context(self) -> None:
        from tui.ui.contexts import ContextsScreen

        contexts = [
            (info.name, info.unavailable or info.about, not info.unavailable)
            for info in self.session.contexts.list_contexts()
        ]
        self.push_screen(ContextsScreen(contexts, self.session.context), self._switch_context)

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


def run(app: TraindeckApp) -> int:
    """Run the app until a person leaves it; return the exit code of the process."""
    if over_ssh():
        os.environ.setdefault("ESCDELAY", "250")
    app.run()
    if app.last_words:
        sys.stderr.write(app.last_words + "\n")
    return app.return_code or 0
