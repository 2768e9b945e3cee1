"""From the table of actions to Textual's bindings; and what is absent in a session that may only look."""

from collections.abc import Mapping

from textual.binding import Binding
from textual.dom import DOMNode

from tui.actions import ACTIONS, Action, Place

ACTING = frozenset(action.id for action in ACTIONS if action.acts)


def bindings(where: Place, target: str = "") -> list[Binding]:
    """The bindings of one place. `target` ("screen" or "app") says who has the `action_<id>` methods.

    A binding's id is the action's id, so that the settings' `keys.<id>` reach it through `App.set_keymap`.
    """
    prefix = f"{target}." if target else ""
    return [
        Binding(action.key, prefix + action.id, action.words, id=action.id, show=action.footer)
        for action in ACTIONS
        if action.where == where
    ]


def shown_key(action: Action, keys: Mapping[str, str]) -> str:
    """The key as footer and help write it, after the settings' own `keys`."""
    return action._replace(key=keys.get(action.id, action.key)).shown_key


class Guarded(DOMNode):
    """A screen or widget whose acting keys do nothing, and are not offered, where the app is read-only."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ACTING and getattr(self.app, "read_only", False):
            return False
        return super().check_action(action, parameters)
