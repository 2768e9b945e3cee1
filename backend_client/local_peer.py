"""Who is at the other end of a connection within this machine, before a password or a token goes there.

Every user of a machine can listen at a free port of its loopback, and at a free name in /tmp. So the
*connected* socket is asked whose program has taken the connection: what is true of it stays true, whoever
listens next.
Standard library alone.
"""

import ipaddress
import os
import pwd
import socket
import struct
import sys
import time
from pathlib import Path

from backend_client.errors import Refused, Unreachable

ACCEPT_SECONDS = 3.0
"""Seconds for the other program to accept a connection: until then it belongs to nobody."""
_PAUSE = 0.01
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_UID, _INODE = 7, 9
"""Columns of the tables, proc_net(5)."""
_WRITERS = 0o022


def check_local_peer(connected: socket.socket, label: str) -> None:
    """Check that a connection within this machine ends in a program of this user or of root.

    A unix socket may also be of the account that its folder belongs to. `label`: the other side, for
    messages. May block. Raises Refused, Unreachable.
    """
    uid = _peer_uid(connected, label)
    if uid in (0, os.geteuid()) or _vouches_for(connected, uid):
        return
    raise Refused(
        f"The program that listens at {label} is {_user_name(uid)}'s, not yours: nothing was sent to it.",
        "Start your own server (traindeck serve --local). A lab's, of an account of its own, is reached by "
        "https, or by a socket in a folder of that account: docs/SERVER.md, Backup and upgrade.",
    )


def is_within_this_machine(connected: socket.socket) -> bool:
    """Tell whether a connection over TCP ends on this machine, by whichever address."""
    here, there = (_unmapped(name[0]) for name in (connected.getsockname(), connected.getpeername()))
    return there.is_loopback or here == there


def _unmapped(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address


def unix_peer_uid(connected: socket.socket) -> int:
    """Return the uid of the program at the other end of a unix socket."""
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def _peer_uid(connected: socket.socket, label: str) -> int:
    if connected.family == socket.AF_UNIX and hasattr(socket, "SO_PEERCRED"):
        return unix_peer_uid(connected)
    deadline = time.monotonic() + ACCEPT_SECONDS
    while (uid := _tcp_peer_uid(connected, label)) is None:
        if time.monotonic() > deadline:
            raise Unreachable(f"{label} does not answer.")
        time.sleep(_PAUSE)
    return uid


def _tcp_peer_uid(connected: socket.socket, label: str) -> int | None:
    """Return the uid of the socket at the other end, None while it waits to be accepted.

    A connection that waits has the inode 0 and, whoever listens, the uid 0: that is no root.
    """
    if connected.family == socket.AF_UNIX:  # where the system has no SO_PEERCRED
        raise _unknown(label)
    try:
        here, there = connected.getsockname(), connected.getpeername()
        # Spelled before the search: a busy machine has tens of thousands of rows.
        ends = zip(_spellings(*there[:2]), _spellings(*here[:2]), strict=True)
        sought = [f" {local} {remote} " for local, remote in ends]
        rows = (
            row.split()
            for table in _TABLES
            if table.exists()
            for row in table.read_text().splitlines()
            if any(words in row for words in sought)
        )
        row = next(rows, None)
    except OSError:
        raise Unreachable(f"The connection to {label} broke.") from None
    if row is None:
        raise _unknown(label)
    return int(row[_UID]) if row[_INODE] != "0" else None


def _unknown(label: str) -> Refused:
    return Refused(
        f"It cannot be told whose program listens at {label}, so nothing was sent to it.",
        "Use https, or on Linux a socket of the server (unix:///path).",
    )


def _spellings(host: str, port: int) -> list[str]:
    """Spell an address as the tables do: words of 32 bits in the machine's order, IPv4 also within IPv6."""
    packed = _unmapped(host).packed
    forms = [packed] if len(packed) > 4 else [packed, bytes(10) + b"\xff\xff" + packed]
    return [f"{_words(form)}:{port:04X}" for form in forms]


def _words(packed: bytes) -> str:
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def _vouches_for(connected: socket.socket, uid: int) -> bool:
    """Tell whether a unix socket lies where nobody but root and this account can put one."""
    if connected.family != socket.AF_UNIX:
        return False
    folder = Path(os.fsdecode(connected.getpeername())).parent.resolve()
    status = [place.stat() for place in (folder, *folder.parents)]
    return all(one.st_uid in (0, uid) and not one.st_mode & _WRITERS for one in status)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
