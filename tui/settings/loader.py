"""Settings at the start of the program: from a cache where nothing has changed, else through validation."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from backend_client.paths import user_cache_dir, user_config_dir
from backend_client.private_files import write_private
from tui.settings.model import Settings

SITE_FILE = Path("/etc/traindeck/config.toml")
PREFIX = "TRAINDECK_"
NOT_SETTINGS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "CONTEXT",
        "TOKEN",
        "JOB",
        "TEST_KUBECONFIG",
        "TEST_LOAD_IMAGE",
        "TEST_THOROUGH",
        "CLUSTER_BIN",
    )
)
"""Variables of ours that are no settings: the chosen context, the token for a server, the mark on a local
job's processes, and where the tests find a cluster. Those of our server are its own.
"""
SERVERS_OWN = f"{PREFIX}SERVER_"


class Loaded(Struct, frozen=True):
    """Settings in force, what was wrong with them, and where each key comes from (dotted key -> words)."""

    settings: Settings = Settings()
    warnings: tuple[str, ...] = ()
    origins: dict[str, str] = {}


class _Cached(Struct, frozen=True):
    key: str
    loaded: Loaded


def user_file() -> Path:
    """Where a person's settings stand."""
    return user_config_dir() / "config.toml"


def load(version: str, site_file: Path = SITE_FILE) -> Loaded:
    """The settings in force. Never raises: what is wrong is a warning, and that key keeps its default."""
    files = (user_file(), site_file)
    contents = [_content(path) for path in files]
    variables = {name: value for name, value in sorted(os.environ.items()) if _is_setting(name.upper())}
    if contents == [None, None] and not variables:
        return Loaded()
    from hashlib import sha256  # noqa: PLC0415  not needed where nothing is set

    key = sha256(
        msgspec.json.encode([version, [str(path) for path in files], contents, variables])
    ).hexdigest()
    cache = user_cache_dir() / "settings.json"
    return _cached(cache, key) or _validated(cache, key, files, variables)


def _is_setting(name: str) -> bool:
    return name.startswith(PREFIX) and name not in NOT_SETTINGS and not name.startswith(SERVERS_OWN)


def _content(path: Path) -> bytes | str | None:
    """None where there is no file; the reason as text where it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or "it cannot be read"


def _cached(path: Path, key: str) -> Loaded | None:
    """The cache's answer, where it is about this very input and nobody else could have written it."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                return None
            cached = msgspec.json.decode(file.read(), type=_Cached)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return cached.loaded if cached.key == key else None


def _validated(cache: Path, key: str, files: tuple[Path, Path], variables: dict[str, str]) -> Loaded:
    from tui.settings.check import check  # noqa: PLC0415  pydantic-settings costs as much as Textual

    loaded = check(variables, *files)
    with suppress(OSError):  # a full disk or a read-only home: the next start validates again
        write_private(cache, msgspec.json.encode(_Cached(key, loaded)))
    return loaded
