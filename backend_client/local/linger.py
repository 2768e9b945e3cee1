"""Find out whether logind ends a person's processes when they log out: local jobs would end with them."""

import os
from pathlib import Path

from backend_client.local.store import current_user

CGROUP = Path("/proc/self/cgroup")
LINGERING = Path("/var/lib/systemd/linger")
"""Has a file for each user whose processes stay."""
COMMAND = "loginctl enable-linger"
ANSWER_SECONDS = 3.0
"""Seconds for logind to answer."""


def jobs_end_at_logout() -> bool:
    """Return True where jobs end with the login, as far as that can be found out. Blocks for a moment."""
    return (
        os.geteuid() != 0
        and _in_a_login()
        and not (LINGERING / current_user()).exists()
        and _kills_user_processes()
    )


def _in_a_login() -> bool:
    """Services, containers and batch systems are none of logind's business."""
    try:
        return "/user.slice/" in CGROUP.read_text()
    except OSError:
        return False


def _kills_user_processes() -> bool:
    """KillUserProcesses, asked of logind itself: its files leave the default to whoever built it."""
    import subprocess  # noqa: PLC0415  dear, and only where there is a logind

    place = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    command = ("busctl", "--system", "get-property", *place, "KillUserProcesses")
    try:
        answer = subprocess.run(command, capture_output=True, timeout=ANSWER_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.split() == [b"b", b"true"]
