"""The help screen: the keys of what has the focus, one sentence each."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from backend_client.text.sanitize import clean
from tui.actions import Place, actions
from tui.bindings import ActionPolicy, with_own_keys
from tui.ui.format import wrap

_KEY_CELLS, _LABEL_CELLS = 10, 13


def help_text(where: Place, policy: ActionPolicy, width: int) -> Content:
    """Return the table of one place, then that of the program, in `width` cells.

    What cannot be done is grey, and says why.
    """
    lines: list[Content] = []
    place: Place | None = None
    for action in actions(where, read_only=policy.read_only):
        if action.where is not place:
            place = action.where
            lines += [Content(""), Content.styled(str(place).upper(), "bold $primary")]
        shown = " ".join(with_own_keys(action, policy.keys).shown_keys)
        why = clean(policy.permissions.why_not(action.needs), 300)
        key, words, rest = ("$text-disabled",) * 3 if why else ("bold", "", "$text-muted")
        head = f"{shown:<{_KEY_CELLS}}", f"{action.label:<{_LABEL_CELLS}}"
        indent = sum(map(len, head))
        text = f"\n{' ' * indent}".join(wrap(f"not here: {why}" if why else action.help, width - indent))
        lines.append(Content.assemble((head[0], key), (head[1], words), (text, rest)))
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
        self._where, self._policy = where, policy

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static()

    def on_resize(self) -> None:
        """Lay the table out anew, once the room for it is known."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        room = self.query_one(VerticalScroll).scrollable_content_region.width
        self.query_one(Static).update(help_text(self._where, self._policy, room))
