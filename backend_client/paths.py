"""The XDG base directories: where settings, state and caches of traindeck lie. Standard library alone.

https://specifications.freedesktop.org/basedir-spec/latest/: "If an implementation encounters a relative path
in any of these variables it should consider the path invalid and ignore it."
"""

import os
from pathlib import Path


def user_config_dir() -> Path:
    """Return $XDG_CONFIG_HOME/traindeck: settings, accounts and tokens."""
    return _base("XDG_CONFIG_HOME", ".config") / "traindeck"


def user_state_dir() -> Path:
    """Return $XDG_STATE_HOME/traindeck: local jobs, logs, crash reports, what a screen remembers."""
    return _base("XDG_STATE_HOME", ".local/state") / "traindeck"


def user_cache_dir() -> Path:
    """Return $XDG_CACHE_HOME/traindeck: what can be deleted at any time."""
    return _base("XDG_CACHE_HOME", ".cache") / "traindeck"


def _base(variable: str, fallback: str) -> Path:
    base = Path(os.environ.get(variable, ""))
    return base if base.is_absolute() else Path.home() / fallback
