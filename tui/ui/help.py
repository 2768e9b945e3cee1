"""The help screen: the keys of what has the focus, one sentence each."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import Place, actions
from tui.bindings import ActionPolicy, with_own_keys
from tui.ui.sanitize import clean


def help_text(where: Place, policy: ActionPolicy) -> Content:
    """Return the table of one place, then that of the program; what cannot be done is grey, and says why."""
    lines: list[Content] = []
    place: Place | None = None
    for action in actions(where, read_only=policy.read_only):
        if action.where is not place:
            place = action.where
            lines += [Content(""), Content.styled(str(place).upper(), "bold $primary")]
        shown = " ".join(with_own_keys(action, policy.keys).shown_keys)
        why = clean(policy.permissions.why_not(action.needs), 300)
        key, words, rest = ("$text-disabled",) * 3 if why else ("bold", "", "$text-muted")
        text = (f"not here: {why}" if why else action.help, rest)
        lines.append(Content.assemble((f"{shown:<9}", key), (f"{action.label:<12}", words), text))
    return Content("\n").join(lines[1:])


class HelpScreen(ModalScreen[None]):
    """Help for one place."""

    CSS_PATH = "help.tcss"
    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss(None)", show=False)
    ]

    def __init__(self, where: Place, policy: ActionPolicy) -> None:
        super().__init__()
        self._text = help_text(where, policy)

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self._text)
