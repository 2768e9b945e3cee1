"""What every test of the program starts from: a home of its own."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the program a config, a state and a cache folder of its own, and no TRAINDECK_ variable."""
    for name in [name for name in os.environ if name.startswith("TRAINDECK_")]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    return tmp_path
