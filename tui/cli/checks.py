"""What `doctor` finds out about this terminal and this machine, without any context."""

import ctypes
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from backend_client.local import devices, linger
from backend_client.paths import user_cache_dir, user_config_dir, user_state_dir
from tui.ui.sanitize import over_ssh

OK, NOTE, BAD = "ok", "note", "bad"
_UNSYNCHRONISED = 0x40
_STATUS_AT = 40
"""Where `status` stands in Linux's struct timex, on 64 bits."""


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    about: str
    state: str
    words: str
    mend: str = ""
    """What to do about it: a command, or a line of some file."""


def terminal() -> Iterator[Finding]:
    """What the full-screen program would be shown on."""
    name = os.environ.get("TERM", "")
    if name in ("", "dumb"):
        yield Finding("terminal", BAD, f"TERM is {name or 'not set'}", "export TERM=xterm-256color")
        return
    columns, lines = shutil.get_terminal_size()
    small = columns < 80 or lines < 24
    size = f"{name}, {columns}x{lines}{', over SSH' if over_ssh() else ''}"
    yield Finding("terminal", NOTE if small else OK, size, "80x24 shows all that there is" if small else "")
    yield _colours(name)
    yield _encoding()
    if "TMUX" in os.environ:
        yield from _tmux()
    elif "STY" in os.environ:
        yield Finding("screen", NOTE, "GNU screen lets no copied text through", "tmux does; or save with S")


def _colours(name: str) -> Finding:
    if os.environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return Finding("colours", OK, "16 million")
    if "256color" in name or "direct" in name:
        return Finding("colours", OK, "256")
    mend = 'in tmux.conf: set -g default-terminal "tmux-256color"; else the theme ansi-dark or ansi-light'
    return Finding("colours", NOTE, "16, as far as the terminal says", mend)


def _encoding() -> Finding:
    found = locale.nl_langinfo(locale.CODESET)
    if found.upper() in ("UTF-8", "UTF8"):
        return Finding("encoding", OK, "UTF-8")
    return Finding("encoding", BAD, f"the locale says {found}: lines and dots break", "export LANG=C.UTF-8")


def _tmux() -> Iterator[Finding]:
    names = ("set-clipboard", "allow-passthrough", "escape-time", "client_utf8")
    shown = ",".join(f"#{{{name}}}" for name in names)
    try:
        told = subprocess.run(("tmux", "display", "-p", shown), capture_output=True, timeout=3, check=True)
    except (OSError, subprocess.SubprocessError):
        yield Finding("tmux", NOTE, "it does not answer, so its settings are unknown")
        return
    values = told.stdout.decode(errors="replace").strip().split(",")
    said = dict(zip(names, [*values, *names], strict=False))
    for finding in (_clipboard(said), _passthrough(said), _escape(said), _utf8(said)):
        if finding:
            yield finding


def _clipboard(said: dict[str, str]) -> Finding:
    if said["set-clipboard"] == "on":
        return Finding("tmux", OK, "lets copied text through (set-clipboard)")
    words = f"set-clipboard is {said['set-clipboard']}: Y copies nowhere"
    return Finding("tmux", NOTE, words, "in tmux.conf: set -s set-clipboard on")


def _passthrough(said: dict[str, str]) -> Finding:
    if said["allow-passthrough"] in ("on", "all"):
        return Finding("tmux", OK, "lets notifications through (allow-passthrough)")
    words = "allow-passthrough is off: a job's end rings the bell, and notifies nobody"
    return Finding("tmux", NOTE, words, "in tmux.conf: set -g allow-passthrough on")


def _escape(said: dict[str, str]) -> Finding | None:
    time = said["escape-time"]
    if not time.isdecimal() or int(time) <= 50:
        return None
    return Finding("tmux", NOTE, f"escape waits {time} ms", "in tmux.conf: set -s escape-time 20")


def _utf8(said: dict[str, str]) -> Finding | None:
    if said["client_utf8"] != "0":
        return None
    return Finding("tmux", BAD, "takes the terminal for one without UTF-8", "start it with tmux -u")


def folders() -> Iterator[Finding]:
    """Where settings, logins and jobs are kept."""
    yield _folder("config", user_config_dir())
    yield _folder("state", user_state_dir())
    yield _folder("cache", user_cache_dir())


def _folder(about: str, path: Path) -> Finding:
    there = next(place for place in (path, *path.parents) if place.exists())
    status = there.stat()
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(about, BAD, f"{there} cannot be written", f"chown {os.geteuid()} {there}")
    if there != path:
        return Finding(about, OK, f"{path} (nothing there yet)")
    if status.st_uid != os.geteuid():
        return Finding(about, BAD, f"{path} belongs to another user", f"chown -R {os.geteuid()} {path}")
    if status.st_mode & 0o022:
        mode = f"{status.st_mode & 0o777:04o}"
        return Finding(about, BAD, f"others can write to {path} (mode {mode})", f"chmod 700 {path}")
    return Finding(about, OK, str(path))


def gpus(slots: int) -> Finding:
    """The NVIDIA driver; `slots` is what the settings say where there is none."""
    probe = devices.nvml_probe()
    found = [device.product for device in devices.list_devices(probe, 0)]
    if found:
        counts = ", ".join(f"{found.count(product)} x {product}" for product in dict.fromkeys(found))
        return Finding("GPUs", OK, counts)
    if probe:
        return Finding(
            "GPUs", BAD, "there is an NVIDIA driver that does not answer", "see what nvidia-smi says"
        )
    words = f"no NVIDIA driver; the settings say {slots} slots" if slots else "no NVIDIA driver, no slots"
    mend = "" if slots else "local.gpus says how many there are, where it should be more than none"
    return Finding("GPUs", OK, words, mend)


def clock() -> Finding:
    """Ages and logins are as right as it is."""
    asked = ctypes.create_string_buffer(512)
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(asked)
    except (OSError, AttributeError):
        answer = -1
    if answer < 0:
        return Finding("clock", NOTE, "whether it is kept right cannot be told here")
    if int.from_bytes(asked.raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder) & _UNSYNCHRONISED:
        return Finding(
            "clock", NOTE, "nothing keeps it right, as far as the kernel knows", "timedatectl set-ntp true"
        )
    return Finding("clock", OK, "kept right by the network")


def logout() -> Finding:
    """What becomes of local jobs."""
    if linger.jobs_end_at_logout():
        return Finding("logout", BAD, "ends your processes, local jobs too", linger.COMMAND)
    return Finding("logout", OK, "leaves local jobs alone")
