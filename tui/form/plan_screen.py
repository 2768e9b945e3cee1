"""The plan of a new job, full screen: the spec file and the exact objects. Saves the spec file."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from backend_client.code.prepare import with_code
from backend_client.disk_errors import disk_words
from backend_client.errors import BackendError, fragment
from backend_client.models import JobSpec
from backend_client.protocol import JobBackend, Plan
from backend_client.spec_file import spec_yaml
from backend_client.text.sanitize import clean, clean_block
from backend_client.whole_file import whole_file
from tui.actions import Place
from tui.bindings import bindings
from tui.session import session_of
from tui.ui.confirm import ConfirmScreen
from tui.ui.footer import Footer
from tui.ui.prompt import AskText


def plan_text(plan: Plan | BackendError | None) -> Content:
    """Return a plan as lines to show; a sentence where there is none."""
    if plan is None:
        return Content("asking what would be made ...")
    if isinstance(plan, BackendError):
        return Content(
            clean_block(f"What would be made is not known: {fragment(plan.title)}\n{plan.hint}".rstrip())
        )
    urls = [f"# {url}" for url in plan.urls]
    return Content(clean_block("\n".join([f"# {plan.name}, {plan.place}", *urls, plan.yaml])))


class PlanScreen(Screen[None]):
    """The plan of one spec, full screen."""

    CSS_PATH = "plan_screen.tcss"
    BINDINGS = [*bindings(Place.PLAN)]  # noqa: RUF012  Textual's own spelling
    where = Place.PLAN

    @dataclass(eq=False)
    class PlanLoaded(Message):
        """The plan of the context, or why there is none."""

        plan: Plan | BackendError

    def __init__(self, backend: JobBackend, spec: JobSpec) -> None:
        super().__init__()
        self.backend, self.spec = backend, spec

    def compose(self) -> ComposeResult:
        yield Static(" What would be made", id="title", markup=False)
        with VerticalScroll():
            yield Static("# spec file (S saves it)", classes="head", markup=False)
            yield Static(Content(clean_block(spec_yaml(self.spec))), id="spec")
            yield Static("# objects", classes="head", markup=False)
            yield Static(plan_text(None), id="objects")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self._load()

    @work(exclusive=True, group="plan", exit_on_error=False)
    async def _load(self) -> None:
        try:
            spec = await with_code(self.backend, self.spec)
            self.post_message(self.PlanLoaded(await self.backend.plan(spec)))
        except BackendError as error:
            self.post_message(self.PlanLoaded(error))

    def on_plan_screen_plan_loaded(self, message: PlanLoaded) -> None:
        self.query_one("#objects", Static).update(plan_text(message.plan))

    def action_plan_back(self) -> None:
        """Back to the form."""
        self.dismiss()

    @work(exclusive=True, group="save", exit_on_error=False)
    async def action_plan_save(self) -> None:
        """Save the spec file under a name that is asked for."""
        name = await self.app.push_screen_wait(
            AskText("Save the spec file as", str(Path.cwd()), f"{self.spec.name or 'job'}.yaml")
        )
        if name is None:
            return
        path = Path(name).expanduser()  # noqa: ASYNC240  reads the environment only
        try:
            await self._write(path)
        except OSError as error:
            words = f"{path} was not saved: {disk_words(error)}"
            self.notify(clean(words), severity="error", markup=False)
        except ValueError as error:
            self.notify(f"Not saved: {clean(error)}", severity="error", markup=False)

    async def _write(self, path: Path) -> None:
        """Raises OSError. Never overwrites without asking."""
        text, overwrite = spec_yaml(self.spec), False
        if await asyncio.to_thread(path.exists):
            ask = ConfirmScreen(f"Overwrite {clean(path)}?", "A file of this name exists.", yes="Overwrite")
            if not await self.app.push_screen_wait(ask):
                return
            overwrite = True
        await asyncio.to_thread(_save, path, text, overwrite)
        self.notify(f"Saved {clean(path)}", markup=False)


def _save(path: Path, text: str, overwrite: bool) -> None:
    with whole_file(path, overwrite=overwrite) as file:
        file.write(text.encode())
