"""The whole app over a scripted backend, with every byte that it would send to a terminal."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot

from backend_client.contexts import Contexts
from backend_client.protocol import JobBackend
from tests.support.scripted import ScriptedBackend, Way
from tests.support.wait import PATIENCE, async_until
from tui.app import TraindeckApp


class Recorder(HeadlessDriver):
    """A terminal that keeps what it is sent."""

    is_headless = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sent: list[str] = []

    def write(self, data: str) -> None:
        self.sent.append(data)


class Deck:
    """A running app and its pilot."""

    def __init__(self, app: TraindeckApp, pilot: Pilot[int], backend: Any) -> None:
        self.app, self.pilot, self.backend = app, pilot, backend

    @property
    def shown(self) -> str:
        """The text on the screen."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)

    @property
    def sent(self) -> str:
        return "".join(self.app._driver.sent)

    async def quiet(self) -> None:
        """Wait until nothing has been sent for a while, longer than a tick and a log's opening.

        Only time can tell: there is no sign of something that does not come.
        """
        before, same = -1, 0
        while same < 5:
            await self.pilot.pause(0.05)
            same = same + 1 if len(self.sent) == before else 0
            before = len(self.sent)

    async def sent_while_idle(self) -> str:
        """Return what is sent when nothing happens, in longer than the half second of a cursor's blink."""
        await self.quiet()
        before = len(self.sent)
        await self.pilot.pause(0.6)
        return self.sent[before:]

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until they are handled, and drawn.

        Textual's pilot waits until the process uses no CPU: one that a busy machine holds back uses none.
        """
        await self.pilot.press(*keys)
        await async_until(lambda: self.app._typed_ahead._settling is None)
        if self.app.return_code is None:
            await self.pilot.pause(0)

    async def until(self, what: str | Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait for text on the screen, or for a condition."""
        met = what if callable(what) else lambda: what in self.shown
        await async_until(
            met, seconds, message=lambda: f"{what}\n{self.shown}", pause=lambda: self.pilot.pause(0.01)
        )


@asynccontextmanager
async def deck(
    backend: JobBackend | None,
    *,
    tmp_path: Path,
    size: tuple[int, int] = (80, 24),
    **options: Any,
) -> AsyncIterator[Deck]:
    """Start the app and wait for its list."""
    contexts = Contexts([Way(backend)], tmp_path / "chosen")
    app = TraindeckApp(contexts, context="scripted", **options)
    app.driver_class = Recorder
    app.session.tick = 0.02
    async with app.run_test(headless=False, size=size, notifications=True) as pilot:
        running = Deck(app, pilot, backend)
        if isinstance(backend, ScriptedBackend) and backend.hold_list.is_set():
            await running.until(lambda: len(app.screen_stack) > 1 and app.screen_stack[1].store.synced)
            await running.quiet()
        yield running
