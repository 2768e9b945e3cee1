"""The footer, the last line: the keys of what has the focus, as many as fit, then the way out and help."""

from collections.abc import Iterator, Mapping, Sequence

from textual.actions import parse
from textual.app import RenderResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui.actions import Action, Place, actions
from tui.bindings import ActionPolicy, with_own_keys


def place_of(screen: Screen[object]) -> Place:
    """Return the place that has the focus: the nearest `where` from the focused widget upwards."""
    nodes = screen.focused.ancestors_with_self if screen.focused else [screen]
    return next((node.where for node in nodes if hasattr(node, "where")), Place.APP)


_OUT = ("back", "leave")
"""Labels of the action that leaves a screen."""


def fit_actions(items: Sequence[Action], keys: Mapping[str, str], width: int) -> list[Action]:
    """Return the actions that fit into a line; the last are the way out and help, by the place's own keys."""

    def room_of(action: Action) -> int:
        return len(with_own_keys(action, keys).shown_key) + len(action.label) + 3

    out = [action for action in items if action.label in _OUT][:1]
    last = out + [action for action in items if action.label == "help"][:1]
    room = width + 1 - sum(map(room_of, last))  # the blank behind the last one needs no room
    shown = []
    for action in items:
        if action.footer and action.label not in (*_OUT, "help"):
            room -= room_of(action)
            if room < 0:
                break
            shown.append(action)
    return shown + last


class Footer(Widget):
    """Follows the focus of its screen.

    It is not Textual's Footer, which mounts a widget for each key and all of them anew at every change of
    the focus, and scrolls what does not fit: here it is one painted line, in which the way out and help
    always have a place.
    """

    def __init__(self, policy: ActionPolicy) -> None:
        super().__init__()
        self._policy = policy

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._follow, init=False)

    def _follow(self) -> None:
        self.refresh()

    def _does_something(self, action: Action) -> bool:
        """Ask the screen whether the action has something to act upon now."""
        _, name, parameters = parse(action.handler)
        return self.screen.check_action(name, parameters) is not False

    def _offered(self) -> Iterator[Action]:
        """Yield what can be done now, by the labels that the screen's `label_of` gives; "" is not offered."""
        label_of = getattr(self.screen, "label_of", lambda action: action.label)
        for action in actions(place_of(self.screen), read_only=self._policy.read_only):
            if self._does_something(action) and (label := label_of(action)):
                yield action._replace(label=label)

    def render(self) -> RenderResult:
        policy = self._policy
        parts = []
        for action in fit_actions(list(self._offered()), policy.keys, self.size.width):
            grey = bool(policy.permissions.why_not(action.needs))
            key, words = ("$text-disabled", "$text-disabled") if grey else ("bold $primary", "$text-muted")
            parts += [(f" {with_own_keys(action, policy.keys).shown_key}", key), (f" {action.label} ", words)]
        return Content.assemble(*parts)
