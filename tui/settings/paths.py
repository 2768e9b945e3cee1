"""Where settings and our other files are: folders, file names, and the names of environment variables."""

import os
from pathlib import Path

SITE_FILE = Path("/etc/traindeck/config.toml")
PREFIX = "TRAINDECK_"
"""How the name of every environment variable of ours begins."""
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
job's processes, and where the tests find a cluster.
"""
SERVERS_OWN = f"{PREFIX}SERVER_"
"""How the variables of our server begin: `backend.settings` reads them."""


def xdg(kind: str, fallback: str) -> Path:
    """Return our folder of one kind ("STATE", "CONFIG", "CACHE"); a relative XDG path does not count."""
    base = Path(os.environ.get(f"XDG_{kind}_HOME", ""))
    return (base if base.is_absolute() else Path.home() / fallback) / "traindeck"


def user_file() -> Path:
    """Return the path of the user's settings file."""
    return xdg("CONFIG", ".config") / "config.toml"


def replace(path: Path, content: bytes) -> None:
    """Write a whole file, 0600 in a 0700 folder, or leave the old one. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
