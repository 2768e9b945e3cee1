"""A whole program to run in a real terminal: `python -m tests.tui.support.child WHAT [JOBS]`."""

import signal
import sys
from pathlib import Path

from textual.app import App
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, DataTable, Input, Label, OptionList, Static, TextArea

from backend_client.contexts import Contexts
from tests.support.hostile import EVERYTHING
from tests.support.scripted import ScriptedBackend, Way, make_jobs
from tui import app as program
from tui.cli.output import print_message

TEXT = EVERYTHING[:800]


class Careless(Screen[None]):
    """Widgets of all kinds that show what they got, uncleaned."""

    def compose(self):
        yield Static(Content(TEXT))
        yield Label(Content(TEXT))
        yield Button(Content(TEXT))
        yield Input(TEXT, placeholder=TEXT)
        yield TextArea(TEXT)
        yield OptionList(Content(TEXT))
        yield DataTable()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column("x")
        table.add_row(Content(TEXT))
        self.query_one(Label).border_title = Content(TEXT)
        App.notify(self.app, TEXT, title=TEXT, markup=False)
        self.set_timer(0.5, lambda: self.query_one(Static).update(Content("all shown")))


class Faulty(program.TraindeckApp):
    """Has a defect and a secret on the way to it."""

    def on_mount(self) -> None:
        super().on_mount()
        self.set_timer(0.2, self._fall)

    def _fall(self) -> None:
        password = "hunter2-in-a-local"  # noqa: F841  seen in the traceback
        raise RuntimeError("a defect")


def main(what: str, jobs: int = 3) -> int:
    contexts = Contexts([Way(ScriptedBackend(make_jobs(jobs)))], Path("chosen"))
    if what == "nohup":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if what == "careless":
        app = program.TraindeckApp(contexts, context="scripted")
        app.call_later(lambda: app.push_screen(Careless()))
        app.run()
        return app.return_code or 0
    kind = Faulty if what == "defect" else program.TraindeckApp
    return program.run(kind(contexts, context="scripted"), print_message)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
