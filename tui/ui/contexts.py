"""The list of contexts to choose from."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.ui.sanitize import clean


class ContextsScreen(ModalScreen[str | None]):
    """Dismisses with the chosen name, or None. `contexts` is (name, words about it, may be chosen)."""

    TITLE = "Where jobs run"
    CSS_PATH = Path(__file__).with_suffix(".tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", show=False)]

    def __init__(self, contexts: Sequence[tuple[str, str, bool]], current: str) -> None:
        super().__init__()
        self._contexts = contexts
        self._current = current

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content.styled(self.TITLE or "", "bold"))
            yield OptionList(*(self._option(*context) for context in self._contexts))
            yield Static(Content("enter choose   escape back"), id="keys")

    def _option(self, name: str, words: str, enabled: bool) -> Option:
        mark = ">" if name == self._current else " "
        text = Content.assemble(f"{mark} {clean(name, 60):<24}", (f"  {clean(words, 200)}", "$text-muted"))
        return Option(text, disabled=not enabled)

    def on_mount(self) -> None:
        names = [name for name, *_ in self._contexts]
        if self._current in names:
            self.query_one(OptionList).highlighted = names.index(self._current)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with the chosen name."""
        self.dismiss(self._contexts[event.option_index][0])
