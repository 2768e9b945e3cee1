"""Ask for a namespace: out of those that may be listed, else typed."""

import asyncio
from collections.abc import Sequence
from typing import Any

from textual.app import App

from backend_client.errors import BackendError, fragment
from backend_client.models.fields import parse_field
from backend_client.namespaces import HasNamespaces
from backend_client.protocol import JobBackend
from tui.ui.pick_screen import Pick, PickScreen

ALL = "all namespaces"
PATIENCE = 3.0
"""Seconds for the list; then the name is typed."""


async def ask_namespace(app: App[Any], backend: JobBackend, current: str) -> str | None:
    """Return the namespace that a person picked or typed, "" for all, None for neither."""
    names, note = await _names(backend)
    picks = [Pick(ALL), *(Pick(name) for name in names)]
    picked = await app.push_screen_wait(PickScreen("Namespace", picks, current or ALL, note=note, free=True))
    if picked is None or picked == ALL:
        return None if picked is None else ""
    try:
        return str(parse_field("namespace", picked))
    except ValueError as error:
        app.notify(f"{picked}: {error}", severity="warning")
        return None


async def _names(backend: JobBackend) -> tuple[Sequence[str], str]:
    """Return the namespaces, and why there are none."""
    if not isinstance(backend, HasNamespaces):
        return (), "Their names are not told here: type one."
    try:
        async with asyncio.timeout(PATIENCE):
            return await backend.list_namespaces(), ""
    except TimeoutError:
        return (), "The list of namespaces does not come: type one."
    except BackendError as error:
        return (), f"They cannot be listed, so type one: {fragment(error.title)}."
