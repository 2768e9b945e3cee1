"""From the table of actions to Textual's bindings, and what decides which of them can be used."""

from collections.abc import Mapping
from typing import Protocol

from textual.binding import Binding

from tui.actions import ACTIONS, Action, Place
from tui.permissions import Permissions

ACTING = frozenset(action.handler for action in ACTIONS if action.acts)


def bindings(where: Place, target: str = "") -> list[Binding]:
    """Return the bindings of one place. `target` ("screen" or "app") has the `action_<handler>` methods.

    A binding's id is the action's id, so that the settings' `keys.<id>` reach it through `App.set_keymap`.
    A handler that names its target itself ("app.help") keeps that.
    """
    return [
        Binding(
            action.key,
            f"{target}.{action.handler}" if target and "." not in action.handler else action.handler,
            action.label,
            id=action.id,
            show=action.footer,
        )
        for action in ACTIONS
        if action.where == where
    ]


def with_own_keys(action: Action, keys: Mapping[str, str]) -> Action:
    """Return the action with the keys that a person chose for it in the settings (`keys.<id>`)."""
    return action._replace(key=keys.get(action.id, action.key))


class ActionPolicy(Protocol):
    """Which actions can be done here, and by which keys; a session says all of it."""

    keys: Mapping[str, str]
    read_only: bool
    permissions: Permissions
