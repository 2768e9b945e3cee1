"""The checks of `doctor` that need no context: terminal, folders, GPUs, clock, logout."""

import ctypes
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from backend_client.local import devices, linger
from backend_client.paths import user_cache_dir, user_config_dir, user_state_dir
from backend_client.ssh import over_ssh

OK, NOTE, BAD = "ok", "note", "bad"
_UNSYNCHRONISED = 0x40
_STATUS_AT = 40
"""Where `status` stands in Linux's struct timex, on 64 bits."""


class Finding(Struct, frozen=True):
    """The result of one check."""

    about: str
    state: str
    message: str = field(name="words")
    fix: str = field(name="mend", default="")
    """What to do about it: a command, or a line of some file."""


def terminal() -> Iterator[Finding]:
    """Check the terminal: its type, size, colours, encoding, tmux or screen."""
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
    fix = 'in tmux.conf: set -g default-terminal "tmux-256color"; else the theme ansi-dark or ansi-light'
    return Finding("colours", NOTE, "16, as far as the terminal says", fix)


def _encoding() -> Finding:
    encoding = locale.nl_langinfo(locale.CODESET)
    if encoding.upper() in ("UTF-8", "UTF8"):
        return Finding("encoding", OK, "UTF-8")
    return Finding(
        "encoding", BAD, f"the locale says {encoding}: lines and dots break", "export LANG=C.UTF-8"
    )


def _tmux() -> Iterator[Finding]:
    names = ("set-clipboard", "allow-passthrough", "escape-time", "client_utf8")
    shown = ",".join(f"#{{{name}}}" for name in names)
    try:
        result = subprocess.run(("tmux", "display", "-p", shown), capture_output=True, timeout=3, check=True)
    except (OSError, subprocess.SubprocessError):
        yield Finding("tmux", NOTE, "it does not answer, so its settings are unknown")
        return
    values = result.stdout.decode(errors="replace").strip().split(",")
    options = dict(zip(names, [*values, *names], strict=False))
    for finding in (_clipboard(options), _passthrough(options), _escape(options), _utf8(options)):
        if finding:
            yield finding


def _clipboard(options: dict[str, str]) -> Finding:
    if options["set-clipboard"] == "on":
        return Finding("tmux", OK, "lets copied text through (set-clipboard)")
    message = f"set-clipboard is {options['set-clipboard']}: Y copies nowhere"
    return Finding("tmux", NOTE, message, "in tmux.conf: set -s set-clipboard on")


def _passthrough(options: dict[str, str]) -> Finding:
    if options["allow-passthrough"] in ("on", "all"):
        return Finding("tmux", OK, "lets notifications through (allow-passthrough)")
    message = "allow-passthrough is off: a job's end rings the bell, and notifies nobody"
    return Finding("tmux", NOTE, message, "in tmux.conf: set -g allow-passthrough on")


def _escape(options: dict[str, str]) -> Finding | None:
    time = options["escape-time"]
    if not time.isdecimal() or int(time) <= 50:
        return None
    return Finding("tmux", NOTE, f"escape waits {time} ms", "in tmux.conf: set -s escape-time 20")


def _utf8(options: dict[str, str]) -> Finding | None:
    if options["client_utf8"] != "0":
        return None
    return Finding("tmux", BAD, "takes the terminal for one without UTF-8", "start it with tmux -u")


def folders() -> Iterator[Finding]:
    """Check the folders of settings, state and cache: who owns them and who can write there."""
    yield _folder("config", user_config_dir())
    yield _folder("state", user_state_dir())
    yield _folder("cache", user_cache_dir())


def _folder(about: str, path: Path) -> Finding:
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    status = existing.stat()
    if not os.access(existing, os.W_OK | os.X_OK):
        return Finding(about, BAD, f"{existing} cannot be written", f"chown {os.geteuid()} {existing}")
    if existing != path:
        return Finding(about, OK, f"{path} (nothing there yet)")
    if status.st_uid != os.geteuid():
        return Finding(about, BAD, f"{path} belongs to another user", f"chown -R {os.geteuid()} {path}")
    if status.st_mode & 0o022:
        mode = f"{status.st_mode & 0o777:04o}"
        return Finding(about, BAD, f"others can write to {path} (mode {mode})", f"chmod 700 {path}")
    return Finding(about, OK, str(path))


def gpus(slots: int) -> Finding:
    """Check the NVIDIA driver; `slots` is the number of GPUs in the settings, for where there is none."""
    probe = devices.nvml_probe()
    products = [device.product for device in devices.list_devices(probe, 0)]
    if products:
        counts = ", ".join(f"{products.count(product)} x {product}" for product in dict.fromkeys(products))
        return Finding("GPUs", OK, counts)
    if probe:
        return Finding(
            "GPUs", BAD, "there is an NVIDIA driver that does not answer", "see what nvidia-smi says"
        )
    message = f"no NVIDIA driver; the settings say {slots} slots" if slots else "no NVIDIA driver, no slots"
    fix = "" if slots else "local.gpus says how many there are, where it should be more than none"
    return Finding("GPUs", OK, message, fix)


def clock() -> Finding:
    """Check that the clock is kept right: ages and the end of logins depend on it."""
    timex = ctypes.create_string_buffer(512)
    try:
        result = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    except (OSError, AttributeError):
        result = -1
    if result < 0:
        return Finding("clock", NOTE, "whether it is kept right cannot be told here")
    if int.from_bytes(timex.raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder) & _UNSYNCHRONISED:
        return Finding(
            "clock", NOTE, "nothing keeps it right, as far as the kernel knows", "timedatectl set-ntp true"
        )
    return Finding("clock", OK, "kept right by the network")


def logout() -> Finding:
    """Check what a logout does to local jobs."""
    if linger.jobs_end_at_logout():
        return Finding("logout", BAD, "ends your processes, local jobs too", linger.COMMAND)
    return Finding("logout", OK, "leaves local jobs alone")
