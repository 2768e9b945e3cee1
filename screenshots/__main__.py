"""`make screenshots`: pictures of the real program and of a server's pages, over real jobs of this machine.

The PNGs need a monospace font (Debian, Ubuntu: apt install fonts-dejavu-core).
"""

import asyncio
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import resvg_py
from textual.app import App
from textual.pilot import Pilot

from backend_client.example import example_path
from backend_client.models.fields import parse_spec
from backend_client.protocol import JobBackend, JobQuery
from screenshots.pages import shoot_pages
from tui.app import TraindeckApp
from tui.cli.program import build_contexts
from tui.settings.model import LocalSettings, Settings

HERE = Path(__file__).resolve().parent
FONTS = "/usr/share/fonts"
PICTURES: dict[str, tuple[str, ...]] = {
    "main": (),
    "log": ("l",),
    "detail": ("enter",),
    "form": ("r",),
    "why": ("down", "w"),
    "gpus": ("g",),
}
"""Name -> the keys that lead there from the list, whose cursor stands on the job that trains."""


PROBE: dict[str, Any] = {"name": "probe", "command": ["python3", "-c", "open('data.csv')"]}
TRAINS: dict[str, Any] = {
    "name": "moons-ft",
    "command": ["python3", "train.py"],
    "gpus": 2,
    "labels": {"team": "vision"},
}
WAITS: dict[str, Any] = {
    "name": "llama-sft",
    "command": ["python3", "-c", "import time; time.sleep(1000)"],
    "gpus": 4,
}


async def make_jobs(backend: JobBackend) -> None:
    """Make three jobs as jobs are: one has failed, one trains, one waits for its GPUs."""
    for raw in (PROBE, TRAINS, WAITS):
        await backend.create(parse_spec(raw), key=str(raw["name"]), secrets={})


def screen_text(app: App[int]) -> str:
    """What stands on the screen, as plain text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())  # noqa: SLF001


async def until(pilot: Pilot[int], pattern: str, seconds: float = 60) -> None:
    """Wait for a regex on the screen."""
    end = time.monotonic() + seconds
    while not re.search(pattern, screen_text(pilot.app)):
        if time.monotonic() > end:
            raise SystemExit(f"not on the screen: {pattern}\n{screen_text(pilot.app)}")
        await pilot.pause(0.1)


async def shoot(open_app: Callable[[], TraindeckApp], name: str, size: tuple[int, int]) -> None:
    """One picture, as NAME-COLUMNSxROWS.svg and .png."""
    async with open_app().run_test(size=size) as pilot:
        await until(pilot, r"moons-ft +\W?Running.*\d%")
        while not re.search(r"> moons-ft", screen_text(pilot.app)):
            await pilot.press("down")
        await until(pilot, r"step \d+/")
        await pilot.press(*PICTURES[name])
        await pilot.pause(1.5)
        svg = pilot.app.export_screenshot(title="traindeck")
        pilot.app.exit()
    path = HERE / f"{name}-{size[0]}x{size[1]}"
    path.with_suffix(".svg").write_text(svg)
    png = resvg_py.svg_to_bytes(
        svg_string=svg, font_dirs=[FONTS], monospace_family="DejaVu Sans Mono", font_family="DejaVu Sans Mono"
    )
    path.with_suffix(".png").write_bytes(bytes(png))


async def shoot_all() -> None:
    """All pictures, over one set of jobs."""
    contexts = build_contexts(Settings(local=LocalSettings(gpus=4)))
    backend = contexts.open("local")
    await make_jobs(backend)
    try:
        for name in PICTURES:
            for size in ((80, 24), (120, 40)):
                await shoot(lambda: TraindeckApp(contexts, context="local"), name, size)
    finally:
        for job in (await backend.list(JobQuery())).items:
            async for _ in backend.delete(job.ref):
                pass


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update({f"XDG_{name}_HOME": folder for name in ("STATE", "CONFIG", "CACHE")})
        work = Path(tempfile.gettempdir(), "moons")
        work.mkdir(exist_ok=True)
        os.chdir(work)
        shutil.copy(example_path(), ".")
        asyncio.run(shoot_all())
        jobs = [{**raw, "kind": "job", "workdir": str(work)} for raw in (PROBE, TRAINS, WAITS)]
        asyncio.run(shoot_pages(HERE, jobs, TRAINS["name"]))
