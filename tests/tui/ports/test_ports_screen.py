"""The screen of forwarded ports: by keyboard, with real connections on loopback."""

import asyncio
from pathlib import Path

import pytest

from backend_client.models import JobState
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck
from tui.ports import ports_screen


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports_screen, "LOOK_SECONDS", 0.05)


@pytest.fixture
def backend() -> ScriptedBackend:
    made = ScriptedBackend([make_job("web", JobState.RUNNING, uid="u")])
    made.logs_of["u"] = [b"TensorBoard at http://localhost:6006/?token=SECRET"]
    return made


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_port_of_the_log_is_offered_and_reached(backend, tmp_path: Path, size):
    async with deck(backend, tmp_path=tmp_path, size=size) as running:
        await running.press("p")
        await running.until("Which port of web")
        await running.until("TensorBoard")
        await running.press("enter")
        await running.until("on your own machine")
        (one,) = running.app.session.forwards.running
        assert f"http://localhost:{one.forward.local_port}/" in running.shown
        assert "Loopback is not private" in running.shown
        assert "SECRET" not in running.shown
        reader, writer = await asyncio.open_connection("127.0.0.1", one.forward.local_port)
        writer.write(b"bye")
        assert await reader.read() == b"bye"
        writer.close()
        await running.until("1 (0 open)")
        await running.press("u")
        assert running.app.clipboard == f"http://localhost:{one.forward.local_port}/?token=SECRET"
        await running.press("s")
        assert running.app.clipboard.startswith("ssh -N -L ")
        await running.press("escape")
        await running.until("1 port forwarded")
        await running.press("p", "d")
        await running.until("No port is forwarded")
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", one.forward.local_port)


async def test_what_is_typed_is_a_port_or_says_so(backend, tmp_path: Path):
    backend.logs_of["u"] = []
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("p")
        await running.until("Type its number")
        await running.press(*"70000", "enter")
        await running.until("70000 is no port")
        await running.press("n")
        await running.until("Type its number")
        await running.press(*"5000", "enter")
        await running.until("5000 (MLflow)")


async def test_all_end_with_the_program(backend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("p")
        await running.until("TensorBoard")
        await running.press("enter")
        await running.until("on your own machine")
        (one,) = running.app.session.forwards.running
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", one.forward.local_port)
