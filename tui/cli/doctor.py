"""`doctor`: looks at all that traindeck stands on, and says what would mend it."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence

import msgspec

from backend_client.contexts import ContextInfo, Contexts
from backend_client.errors import BackendError, LoginNeeded
from backend_client.server.token_store import TokenStore
from tui.cli.checks import BAD, NOTE, OK, Finding, clock, folders, gpus, logout, terminal
from tui.cli.output import coloured, put, put_as
from tui.cli.program import meant
from tui.cli.server_account import servers
from tui.settings import Loaded
from tui.ui.sanitize import clean

LIMIT = 3.0
"""Seconds for each context."""
_COLOURS = {OK: 32, NOTE: 33, BAD: 31}


def doctor_flags(parser: argparse.ArgumentParser) -> None:
    """`doctor` takes nothing of its own."""


def doctor(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:
    """Look at everything; 1 where something is bad."""
    local = loaded.settings.local
    found = [*terminal(), *_contexts(args, contexts), *_logins(contexts), *folders(), *_settings(loaded)]
    found += [gpus(local.gpus), logout()] if local.enabled else []
    found.append(clock())
    if args.output == "name":
        put("\n".join(one.about for one in found if one.state == BAD))
    elif not put_as(args.output, lambda: msgspec.to_builtins(found)):
        for one in found:
            put(_line(one))
    return int(any(one.state == BAD for one in found))


def _line(one: Finding) -> str:
    state = f"{one.state:<4}"
    if coloured():
        state = f"\x1b[{_COLOURS[one.state]}m{state}\x1b[0m"
    return f"{state}  {one.about:<9} {clean(one.words)}{f'  -> {clean(one.mend)}' if one.mend else ''}"


def _contexts(args: argparse.Namespace, contexts: Contexts) -> Sequence[Finding]:
    """All at once. Only the one that is meant is bad where it does not answer."""
    try:
        chosen = meant(contexts, args)
    except BackendError as error:
        return [Finding("context", BAD, error.title, error.hint)]
    return asyncio.run(_answers(contexts, chosen))


async def _answers(contexts: Contexts, chosen: str) -> list[Finding]:
    asked = (
        _answer(contexts, info, BAD if info.name == chosen else NOTE) for info in contexts.list_contexts()
    )
    return await asyncio.gather(*asked)


async def _answer(contexts: Contexts, info: ContextInfo, state: str) -> Finding:
    about = f"{info.name}: "
    if info.unavailable:
        return Finding("context", NOTE, f"{about}{info.unavailable}")
    try:
        async with asyncio.timeout(LIMIT):
            return Finding("context", OK, f"{about}{await _who(contexts, info.name)}")
    except TimeoutError:
        return Finding("context", state, f"{about}no answer in {LIMIT:.0f} s ({info.about})")
    except BackendError as error:
        return Finding(
            "context", NOTE if isinstance(error, LoginNeeded) else state, f"{about}{error.title}", error.hint
        )


async def _who(contexts: Contexts, name: str) -> str:
    backend = contexts.open(name)
    try:
        identity = await backend.whoami()
    finally:
        await backend.aclose()
    return f"you are {identity.user} at {identity.place}"


def _logins(contexts: Contexts) -> Iterator[Finding]:
    """Whether each token can be read where it is kept."""
    way = servers(contexts)
    try:
        accounts = [one for one in way.accounts() if one.store]
    except BackendError as error:
        yield Finding("logins", BAD, error.title, error.hint)
        return
    for one in accounts:
        yield _login(one.name, one.key, way.token_store(one))


def _login(name: str, key: str, store: TokenStore) -> Finding:
    try:
        kept = store.get(key)
    except BackendError as error:
        return Finding("login", BAD, f"{name}: {error.title}", error.hint)
    if kept is None:
        return Finding(
            "login", BAD, f"{name}: its token is not in {store.where}", f"traindeck login --context {name}"
        )
    return Finding("login", OK, f"{name}: its token is in {store.where}")


def _settings(loaded: Loaded) -> Iterator[Finding]:
    """What is set, where, and what is wrong with it."""
    from tui.settings.show import in_force, toml  # noqa: PLC0415

    for warning in loaded.warnings:
        yield Finding("settings", BAD, warning)
    for key, (value, origin) in in_force(loaded).items():
        if origin != "default":
            yield Finding("settings", OK, f"{key} = {toml(value)} ({origin})")
