"""What is copied of a log, and where it is saved, without an App."""

from pathlib import Path

import pytest

from backend_client.errors import Forbidden
from backend_client.logs import Line
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.log.support.log_host import LogHost
from tui.log.export import LogExport, clipboard_text

ANT = make_job("ant")


@pytest.fixture
def backend() -> ScriptedBackend:
    backend = ScriptedBackend([ANT])
    backend.logs_of[ANT.ref.uid] += [b"one", b"two"]
    return backend


async def saved(export: LogExport, host: LogHost, backend: ScriptedBackend, path: Path | str) -> str:
    """What is said of a file."""
    export.save(backend, ANT, str(path))
    await host.work("save")
    export.finish(host.messages[-1])
    return host.messages[-1].text


async def test_a_file_is_overwritten_at_the_second_time_only(tmp_path, backend):
    host = LogHost()
    export, path = LogExport(host), tmp_path / "ant.log"
    assert await saved(export, host, backend, path) == f"Saved 8 bytes to {path}"
    assert path.read_bytes() == b"one\ntwo\n"
    path.write_bytes(b"precious")
    assert "Enter again overwrites it" in await saved(export, host, backend, path)
    export.forget_path()
    assert "Enter again overwrites it" in await saved(export, host, backend, path)
    assert path.read_bytes() == b"precious"
    assert "Saved" in await saved(export, host, backend, path)
    assert path.read_bytes() == b"one\ntwo\n"


async def test_what_fails_is_said(tmp_path, backend):
    host = LogHost()
    export = LogExport(host)
    assert "was not written: " in await saved(export, host, backend, tmp_path / "no" / "folder")
    assert "home" in await saved(export, host, backend, "~nobody-here/ant.log")
    backend.fail["logs"] = Forbidden("Not yours.")
    assert "Not yours." in await saved(export, host, backend, tmp_path / "ant.log")
    assert all(message.failed for message in host.messages)


def test_what_is_copied_is_cut_by_bytes_and_between_characters():
    assert clipboard_text([]) == ("", "")
    assert clipboard_text([Line(0, "one"), Line(1, "two")])[0] == "one\ntwo"
    text, sentence = clipboard_text([Line(0, "é" * 40_000), Line(1, "x")])
    assert text == "é" * 35_000
    assert "the first 70,000 bytes of the 2 lines" in sentence
