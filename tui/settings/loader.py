"""Load the settings: from a cache if nothing has changed, else through validation."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from backend_client.paths import user_cache_dir
from backend_client.private_files import write_private
from tui.settings.loaded import LoadedSettings
from tui.settings.paths import NOT_SETTINGS, PREFIX, SERVERS_OWN, SITE_FILE, user_file


class _Cached(Struct, frozen=True):
    key: str
    loaded: LoadedSettings


def load(version: str, site_file: Path = SITE_FILE) -> LoadedSettings:
    """Load the settings in force. Never raises: an error is a warning, and its key keeps the default."""
    files = (user_file(), site_file)
    contents = [_read(path) for path in files]
    variables = {name: value for name, value in sorted(os.environ.items()) if _is_setting(name.upper())}
    if contents == [None, None] and not variables:
        return LoadedSettings()
    from hashlib import sha256  # noqa: PLC0415  not needed where nothing is set

    key = sha256(
        msgspec.json.encode([version, [str(path) for path in files], contents, variables])
    ).hexdigest()
    cache = user_cache_dir() / "settings.json"
    return _read_cache(cache, key) or _validate(cache, key, files, variables)


def _is_setting(name: str) -> bool:
    return name.startswith(PREFIX) and name not in NOT_SETTINGS and not name.startswith(SERVERS_OWN)


def _read(path: Path) -> bytes | str | None:
    """Read a file: None if there is none, the reason as text if it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or "it cannot be read"


def _read_cache(path: Path, key: str) -> LoadedSettings | None:
    """Return the cached settings if they are of this very input and nobody else could have written them."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                return None
            cached = msgspec.json.decode(file.read(), type=_Cached)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return cached.loaded if cached.key == key else None


def _validate(cache: Path, key: str, files: tuple[Path, Path], variables: dict[str, str]) -> LoadedSettings:
    from tui.settings.check import check  # noqa: PLC0415  pydantic-settings costs as much as Textual

    loaded = check(variables, *files)
    with suppress(OSError):  # a full disk or a read-only home: the next start validates again
        write_private(cache, msgspec.json.encode(_Cached(key, loaded)))
    return loaded
