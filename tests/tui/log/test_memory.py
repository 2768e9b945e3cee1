"""The memory of a large log goes back to the system when the log is closed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck
from tui.log import pane
from tui.log.view import LogView

_FILL = """
from backend_client.logs import LogBuffer
from backend_client.protocol import Lines, LogSource
from tui.log.memory import give_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20

before, buffer = resident(), LogBuffer()
for start in range(0, 600_000, 4000):
    lines = [b"step %d loss 1.%07d" % (n, n) for n in range(start, start + 4000)]
    buffer.append([Lines(source=LogSource(1), lines=lines, times=[10**18 + n for n in range(4000)])])
full = resident()
list(buffer.lines(0, 5))
buffer.clear()
give_back()
left = len(list(buffer.lines(0, buffer.end)))
print(before, full, resident(), left, buffer.first == buffer.closed == 600_000)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_a_log_took_is_given_back():
    done = subprocess.run([sys.executable, "-c", _FILL], check=True, capture_output=True, text=True)
    before, full, after, left, numbered = done.stdout.split()
    assert int(full) - int(before) > 10
    assert int(after) - int(before) < (int(full) - int(before)) / 3
    assert (left, numbered) == ("0", "True")


@pytest.mark.parametrize(("large", "given_back"), [(10, 1), (10**9, 0)])
async def test_a_log_that_is_closed_or_left_is_dropped_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int, given_back: int
):
    calls: list[int] = []
    monkeypatch.setattr(pane, "LARGE", large)
    monkeypatch.setattr(pane, "give_back", lambda: calls.append(1))
    backend = ScriptedBackend([make_job("bert")])
    backend.logs_of["uid-bert"] = [b"line %d" % n for n in range(100)]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("line 99")
        buffer = running.app.screen.query_one(LogView).buffer
        await running.press("escape")
        await running.until("filter")
        await running.until(lambda: buffer.size == 0)
        assert len(calls) == given_back
