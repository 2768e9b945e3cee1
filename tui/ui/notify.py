"""Notifies a person who looks elsewhere: the bell, and a notification where the terminal knows one.

Imports no Textual.
"""

import asyncio
import os
from collections.abc import Mapping

from backend_client.text.sanitize import clean

_OSC_9 = ("iterm", "wezterm", "ghostty", "kitty")
_OSC_777 = ("foot", "rxvt-unicode")
_NAMES = ("TERM_PROGRAM", "LC_TERMINAL", "TERM")
"""What a terminal is called by itself, and what of that comes through ssh."""
_PATIENCE_SECONDS = 3.0


def notification(message: str, terminal: str) -> str:
    """Return the sequence that notifies, for a terminal by its names; "" where it knows none."""
    name = terminal.lower()
    text = clean(message, 250).replace(";", ",")
    if any(terminal_name in name for terminal_name in _OSC_9):
        return f"\x1b]9;traindeck: {text}\x07"
    if any(terminal_name in name for terminal_name in _OSC_777):
        return f"\x1b]777;notify;traindeck;{text}\x07"
    return ""


def through_tmux(sequence: str) -> str:
    """Wrap a sequence so that tmux hands it on to the terminal around it."""
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\" if sequence else ""


async def bell_and_notification(message: str, env: Mapping[str, str] = os.environ) -> str:
    """Return what to send to the terminal: the bell, and a notification where it knows one."""
    if env.get("TMUX"):
        return "\x07" + through_tmux(notification(message, await _beyond_tmux()))
    if env.get("STY"):
        return "\x07"
    return "\x07" + notification(message, " ".join(env.get(name, "") for name in _NAMES))


async def _beyond_tmux() -> str:
    """Ask tmux for the names of the terminal around it; "" where it hands nothing on, or does not say."""
    shown = "#{allow-passthrough} #{client_termname} #{client_termtype}"
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            process = await asyncio.create_subprocess_exec(
                "tmux",
                "display",
                "-p",
                shown,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            output, _ = await process.communicate()
    except (OSError, TimeoutError):
        return ""
    allowed, _, names = output.decode(errors="replace").partition(" ")
    return names if allowed in ("on", "all") else ""
