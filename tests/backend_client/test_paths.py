"""The XDG base directories."""

from pathlib import Path

import pytest

from backend_client.paths import user_cache_dir, user_config_dir, user_state_dir

FOLDERS = [
    ("XDG_CONFIG_HOME", ".config", user_config_dir),
    ("XDG_STATE_HOME", ".local/state", user_state_dir),
    ("XDG_CACHE_HOME", ".cache", user_cache_dir),
]


@pytest.mark.parametrize(("variable", "fallback", "folder"), FOLDERS)
@pytest.mark.parametrize("value", [None, "", "relative", "~/x"])
def test_a_relative_path_does_not_count(variable, fallback, folder, value, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    assert folder() == tmp_path / fallback / "traindeck"


@pytest.mark.parametrize(("variable", "fallback", "folder"), FOLDERS)
def test_an_absolute_path_counts(variable, fallback, folder, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, str(tmp_path))
    assert folder() == Path(tmp_path) / "traindeck"
