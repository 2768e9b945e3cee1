"""A small app around the job form, and what its tests ask of it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.pilot import Pilot

from backend_client.contexts import Contexts
from backend_client.models import JobSpec
from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import FieldRule, JobBackend, Use
from tests.support.scripted import ScriptedBackend
from tests.support.wait import PATIENCE, async_until
from tui.form.form_screen import FormScreen
from tui.form.templates import Templates
from tui.safe_app import SafeApp
from tui.session import Session

SMALL, WIDE = (80, 24), (120, 40)
NO_IMAGE = "jobs here are processes, without containers"
NO_CLUSTER = "only a cluster has this"
HONOURED = "name kind command workdir env secrets gpus max_runtime labels annotations".split()

FOOTER_CSS = Path(__file__).parents[3] / "tui" / "ui" / "footer.tcss"


def refusing(backend: ScriptedBackend, honoured: Iterable[str] = HONOURED) -> ScriptedBackend:
    """The backend with the rules of one machine: a command is needed, most else refused."""
    backend.fields = dict.fromkeys(FIELD_NAMES, FieldRule(Use.REFUSED, NO_CLUSTER))
    backend.fields.update(dict.fromkeys(honoured, FieldRule(Use.OPTIONAL)))
    backend.fields["image"] = FieldRule(Use.REFUSED, NO_IMAGE)
    backend.fields["command"] = FieldRule(Use.REQUIRED)
    return backend


class FormApp(SafeApp):
    """Shows the form; `results` gets what it hands back. Keys are handed on as the program does."""

    CSS_PATH = FOOTER_CSS
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit")]

    def __init__(
        self, backend: JobBackend, spec: JobSpec | None = None, templates: Templates | None = None
    ) -> None:
        super().__init__()
        self.session = Session(Contexts([], Path("chosen")), context="scripted")
        self.backend, self.spec, self.templates = backend, spec, templates
        self.results: list[object] = []

    def on_mount(self) -> None:
        self.form = FormScreen(self.backend, spec=self.spec, templates=self.templates)
        self.push_screen(self.form, self.results.append)

    @property
    def shown(self) -> str:
        """The text on screen."""
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())

    def below(self, name: str) -> str:
        """The words under a field."""
        widget = self.form.list.fields[name].query_one(".message")
        return str(widget.render()) if widget.display else ""

    def write(self, **texts: str) -> None:
        """Put texts into fields."""
        for name, text in texts.items():
            self.form.list.fields[name].line.value = text

    def paste(self, text: str) -> None:
        """As a terminal does."""
        self.post_message(events.Paste(text))


async def until(pilot: Pilot, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for it."""
    await async_until(condition, seconds, pause=pilot.pause)
