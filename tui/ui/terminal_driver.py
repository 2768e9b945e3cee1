"""Textual's driver of a terminal: reads whatever comes, gives the terminal to the shell and takes it back."""

import contextlib
import os
import select
import signal
import sys
import termios
import threading
from typing import Any

from textual import events
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from tui.ui.terminal_input import TerminalInput

_TICK_SECONDS = 0.1
_AT_ONCE = 4096
"""Bytes."""


class TerminalDriver(LinuxDriver):
    """Reads with `TerminalInput`; stops as every program of a shell does (ctrl+z, `fg`)."""

    was_stopped = False
    """Whether the last stop was one: nobody stops a program that no shell could bring back."""

    _told_its_size = False
    """Whether the terminal has told a size by itself: it does so first when it is asked to, unchanged."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        if not os.isatty(2) and sys.__stdout__:  # messages go elsewhere; the screen, where the terminal is
            self._file = sys.__stdout__

    def start_application_mode(self) -> None:
        """Take the terminal, whatever another program has made of it."""
        for descriptor in range(3):
            os.set_blocking(descriptor, True)  # else a write that must wait would end the writing
        super().start_application_mode()  # type: ignore[no-untyped-call]

    # What comes in

    def run_input_thread(self) -> None:
        """Read the terminal until the program ends or gives it away."""
        terminal_input = TerminalInput()
        while not self.exit_event.is_set():
            data = self._read()
            for message in terminal_input.feed(data) if data else terminal_input.tick():
                self.process_message(message)

    def _read(self) -> bytes:
        """Return what has come; nothing after a while, or where the terminal is gone: `signals` tells."""
        try:
            if select.select([self.fileno], [], [], _TICK_SECONDS)[0] and (
                data := os.read(self.fileno, _AT_ONCE)
            ):
                return data
        except (OSError, ValueError):
            pass
        else:
            return b""
        self.exit_event.wait(_TICK_SECONDS)
        return b""

    def process_message(self, message: Message) -> None:
        """Send a message to the app. The size is the terminal's own, and no mouse is beside it."""
        size = Size(*self._get_terminal_size())
        if isinstance(message, events.Resize):
            is_first, self._told_its_size = not self._told_its_size, True
            if is_first and size == self._app.size:
                return
            message = events.Resize(size, size, pixel_size=message.pixel_size)
        if not isinstance(message, events.MouseEvent) or size.contains(int(message.x), int(message.y)):
            super().process_message(message)

    # Stopped by the shell, and brought back

    def _sigtstp_application(self, *_: object) -> None:
        """Give the terminal back and stop; when the shell lets this go on, take it again."""
        self.was_stopped = False
        if not self._auto_restart:  # an editor has the terminal
            self._stop()
            return
        self.suspend_application_mode()
        self._stop()
        self._take_terminal()

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again after a stop that could not be seen coming (SIGSTOP)."""
        if self._auto_restart:
            self._wait_for_foreground()
            self.suspend_application_mode()
            self._take_terminal()

    def _stop(self) -> None:
        """Stop until SIGCONT comes. Without a shell that could send it the kernel lets this go on at once."""

        def note(*_: object) -> None:
            self.was_stopped = True

        on_stop, on_go = signal.signal(signal.SIGTSTP, signal.SIG_DFL), signal.signal(signal.SIGCONT, note)
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)  # this thread: it goes no step further
        self._wait_for_foreground()
        signal.signal(signal.SIGTSTP, on_stop)
        signal.signal(signal.SIGCONT, on_go)

    def _wait_for_foreground(self) -> None:
        """Stop again while the shell runs this in the background: who sets a terminal's modes there is."""
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, termios.tcgetattr(self.fileno))

    def _take_terminal(self) -> None:
        self.resume_application_mode()
        self._app.call_later(self._app.refresh, layout=True)
