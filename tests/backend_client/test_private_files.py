"""Atomic private files. What reads refuse, and updates of several writers, stand with the token stores."""

import os
import stat

import pytest

from backend_client.private_files import write_private


def test_a_file_is_for_its_owner_alone_and_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file"
    for content in (b"a longer one", b"short"):
        write_private(path, content)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("sync", [True, False])
def test_a_disk_that_is_full_leaves_the_old_content(tmp_path, monkeypatch, sync):
    path = tmp_path / "file"
    write_private(path, b"old")
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda target, *how: (real(target, *how), real("/dev/full", os.O_WRONLY))[1]
    )
    with pytest.raises(OSError, match="No space left"):
        write_private(path, b"new", sync=sync)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
