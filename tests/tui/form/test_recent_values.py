"""The last values: kept 0600, the newest first, never a secret or a variable's value."""

import os
import stat

import pytest

from backend_client.models import JobSpec
from tui.form import recent_values


def spec(command: str = "python a.py", **more: object) -> JobSpec:
    return JobSpec(command=tuple(command.split()), **more)


def test_newest_first_each_once_and_not_for_ever():
    for n in range(recent_values.MOST_PER_FIELD + 5):
        recent_values.remember(spec(f"python {n}.py"))
    recent_values.remember(spec("python 10.py"))
    kept = recent_values.load()["command"]
    assert kept[:2] == ["python 10.py", f"python {recent_values.MOST_PER_FIELD + 4}.py"]
    assert len(kept) == len(set(kept)) == recent_values.MOST_PER_FIELD


def test_only_what_may_be_kept_and_for_nobody_else():
    recent_values.remember(spec(env={"A": "hidden-value"}, secrets=("TOKEN",), workdir="/data"))
    text = recent_values.drafts_path().read_text()
    assert "hidden-value" not in text
    assert "TOKEN" not in text
    assert recent_values.load()["workdir"] == ["/data"]
    assert stat.S_IMODE(recent_values.drafts_path().stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"command": 3}', b'{"command": [3, null]}', b"\xff"])
def test_a_damaged_file_is_no_file(damage: bytes):
    recent_values.drafts_path().parent.mkdir(parents=True)
    recent_values.drafts_path().write_bytes(damage)
    assert not any(recent_values.load().values())
    recent_values.remember(spec())
    assert recent_values.load()["command"] == ["python a.py"]


def test_a_place_that_cannot_be_written_is_no_complaint(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    recent_values.remember(spec())
    assert recent_values.load() == {}
