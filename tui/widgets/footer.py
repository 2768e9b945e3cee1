"""The last line: the keys of what has the focus, as many as fit, and help at the end."""

from collections.abc import Mapping, Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui.actions import Action, Where, actions
from tui.bindings import shown_key


def place_of(screen: Screen[object]) -> Where:
    """What has the focus: the nearest `where` from the focused widget upwards."""
    nodes = screen.focused.ancestors_with_self if screen.focused else [screen]
    return next((node.where for node in nodes if hasattr(node, "where")), Where.APP)


def fitting(items: Sequence[Action], keys: Mapping[str, str], width: int) -> list[tuple[str, str]]:
    """(key, words) of the actions that fit into a line; the last is help, by the place's own key for it."""
    pairs = [(shown_key(a, keys), a.words) for a in items if a.footer and a.words != "help"]
    last = [(shown_key(a, keys), a.words) for a in items if a.words == "help"][:1]
    room = width - 1 - sum(len(key) + len(words) + 3 for key, words in last)
    shown = []
    for key, words in pairs:
        room -= len(key) + len(words) + 3
        if room < 0:
            break
        shown.append((key, words))
    return shown + last


class Footer(Widget):
    """Follows the focus of its screen."""

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._follow, init=False)

    def _follow(self) -> None:
        self.refresh()

    def render(self) -> RenderResult:
        app = self.app
        items = actions(place_of(self.screen), read_only=getattr(app, "read_only", False))
        parts = [
            part
            for key, words in fitting(items, getattr(app, "keys", {}), self.size.width)
            for part in ((f" {key}", "bold $primary"), (f" {words} ", "$text-muted"))
        ]
        return Content.assemble(*parts)
