"""The time zone of this machine by its IANA name: a day of a report ends at its midnight."""

import os
from pathlib import Path

_ZONES = "zoneinfo/"


def local_zone() -> str:
    """Return the zone of TZ, else of /etc/localtime; UTC where neither has a name."""
    named = os.environ.get("TZ", "").lstrip(":")
    if named:
        return _name_in(named) if named.startswith("/") else named
    try:
        return _name_in(str(Path("/etc/localtime").resolve()))
    except OSError:
        return "UTC"


def _name_in(path: str) -> str:
    """Return Europe/Berlin of /usr/share/zoneinfo/Europe/Berlin."""
    _, found, name = path.rpartition(_ZONES)
    return name.removeprefix("posix/").removeprefix("right/") if found and name else "UTC"
