"""Where settings and our other files are: folders, file names, and the names of environment variables."""

from pathlib import Path

from backend_client.paths import user_config_dir

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


def user_file() -> Path:
    """Return the path of the user's settings file."""
    return user_config_dir() / "config.toml"
