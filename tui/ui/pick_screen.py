"""One of many, by name: a context, a namespace. Typing a part of the name leaves those that have it."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backend_client.text.sanitize import clean
from tui.ui.inputs import LineInput


class Pick(Struct, frozen=True):
    """One that can be picked, unless it is not enabled."""

    name: str
    about: str = ""
    enabled: bool = True


class PickScreen(ModalScreen[str | None]):
    """Dismisses with the picked name, or None. Up and down move, while what is typed filters."""

    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("pageup", "page(-10)", show=False),
        Binding("pagedown", "page(10)", show=False),
    ]

    def __init__(
        self, title: str, picks: Sequence[Pick], current: str = "", *, note: str = "", free: bool = False
    ) -> None:
        """Show `picks` below a title. `note`: why something must be picked, or why there are no picks.

        `free`: a name that is typed in full is an answer too.
        """
        super().__init__()
        self._title, self._picks, self._current = title, picks, current
        self._note, self._free = note, free
        self._matching: Sequence[Pick] = picks

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content.styled(clean(self._title, 200), "bold"))
            if self._note:
                yield Static(Content(clean(self._note, 600)), id="note")
            yield LineInput(placeholder="the name" if self._free else "a part of the name")
            yield OptionList()
            yield Static(Content("up, down move   enter choose   escape back"), id="keys")

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.can_focus = False
        line = self.query_one(LineInput)
        line.browse = self._move
        line.focus()
        self._show("")
        names = [pick.name for pick in self._picks]
        if self._current in names:
            options.highlighted = names.index(self._current)

    def _show(self, typed: str) -> None:
        words = typed.lower().split()
        self._matching = [
            pick for pick in self._picks if all(word in f"{pick.name} {pick.about}".lower() for word in words)
        ]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(self._option(pick) for pick in self._matching)
        options.display = bool(self._matching)
        enabled = (number for number, pick in enumerate(self._matching) if pick.enabled)
        options.highlighted = None if self._free and typed else next(enabled, None)

    def _option(self, pick: Pick) -> Option:
        mark = ">" if pick.name == self._current else " "
        about = (f"  {clean(pick.about, 200)}", "$text-muted")
        text = Content.assemble(f"{mark} {clean(pick.name, 60):<24}", about)
        return Option(text, disabled=not pick.enabled)

    def _move(self, step: int) -> bool:
        options = self.query_one(OptionList)
        options.action_cursor_down() if step > 0 else options.action_cursor_up()
        return True

    def action_page(self, step: int) -> None:
        """Move by a page."""
        for _ in range(abs(step)):
            self._move(step)

    def on_input_changed(self, event: LineInput.Changed) -> None:
        """Leave those that have what is typed."""
        self._show(event.value)

    def on_input_submitted(self, event: LineInput.Submitted) -> None:
        """Answer with the name under the cursor, or with the typed one."""
        highlighted = self.query_one(OptionList).highlighted
        typed = event.value.strip()
        if highlighted is not None:
            self.dismiss(self._matching[highlighted].name)
        elif self._free and typed:
            self.dismiss(typed)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with the name that was clicked."""
        self.dismiss(self._matching[event.option_index].name)
