"""`doctor`: check all that traindeck needs, and say what would repair it."""

import argparse
import asyncio
from collections.abc import Iterator, Sequence

import msgspec

from backend_client.contexts import ContextInfo, Contexts
from backend_client.errors import BackendError, LoginNeeded, fragment
from backend_client.server.token_store import TokenStore
from backend_client.text.sanitize import clean
from tui.cli.arguments import Parser
from tui.cli.checks import BAD, NOTE, OK, Finding, clock, folders, gpus, logout, terminal
from tui.cli.handlers import ContextsHandler
from tui.cli.output import print_as, print_data
from tui.cli.program import resolve_context
from tui.cli.server_account import server_contexts
from tui.cli.streams import Painted
from tui.settings.loaded import LoadedSettings

LIMIT = 3.0
"""Seconds for each context."""
_COLOURS = {OK: 2, NOTE: 3, BAD: 1}


def add_doctor_flags(parser: Parser) -> None:
    """Add the flags of `doctor`: none of its own."""


def doctor(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:
    """Check everything; return 1 if something is bad."""
    local = loaded.settings.local
    findings = [*terminal(), *_contexts(args, contexts), *_logins(contexts), *folders(), *_settings(loaded)]
    findings += [gpus(local.gpus), logout()] if local.enabled else []
    findings.append(clock())
    if args.output == "name":
        print_data("\n".join(finding.about for finding in findings if finding.state == BAD))
    elif not print_as(args.output, lambda: msgspec.to_builtins(findings)):
        for finding in findings:
            print_data(*_line(finding))
    return int(any(finding.state == BAD for finding in findings))


def _line(finding: Finding) -> tuple[Painted, str]:
    state = Painted(f"{finding.state:<4}", _COLOURS[finding.state])
    fix = f"  -> {clean(finding.fix)}" if finding.fix else ""
    return state, f"  {finding.about:<9} {clean(finding.message)}{fix}"


def _contexts(args: argparse.Namespace, contexts: Contexts) -> Sequence[Finding]:
    """Check all contexts at once. Only the current one is bad if it does not answer."""
    try:
        current = resolve_context(contexts, args)
    except BackendError as error:
        return [Finding("context", BAD, fragment(error.title), error.hint)]
    return asyncio.run(_check_contexts(contexts, current))


async def _check_contexts(contexts: Contexts, current: str) -> list[Finding]:
    checks = (
        _check_context(contexts, info, BAD if info.name == current else NOTE)
        for info in contexts.list_contexts()
    )
    return await asyncio.gather(*checks)


async def _check_context(contexts: Contexts, info: ContextInfo, state: str) -> Finding:
    about = f"{info.name}: "
    if info.unavailable:
        return Finding("context", NOTE, f"{about}{info.unavailable}")
    try:
        async with asyncio.timeout(LIMIT):
            return Finding("context", OK, f"{about}{await _identity(contexts, info.name)}")
    except TimeoutError:
        return Finding("context", state, f"{about}no answer in {LIMIT:.0f} s ({info.about})")
    except BackendError as error:
        return Finding(
            "context",
            NOTE if isinstance(error, LoginNeeded) else state,
            f"{about}{fragment(error.title)}",
            error.hint,
        )


async def _identity(contexts: Contexts, name: str) -> str:
    backend = contexts.open(name)
    try:
        identity = await backend.whoami()
    finally:
        await backend.aclose()
    return f"you are {identity.user} at {identity.place}"


def _logins(contexts: Contexts) -> Iterator[Finding]:
    """Check that each token can be read from its store."""
    source = server_contexts(contexts)
    try:
        accounts = [account for account in source.accounts() if account.store]
    except BackendError as error:
        yield Finding("logins", BAD, fragment(error.title), error.hint)
        return
    for account in accounts:
        yield _login(account.name, account.key, source.token_store(account))


def _login(name: str, key: str, store: TokenStore) -> Finding:
    try:
        token = store.get(key)
    except BackendError as error:
        return Finding("login", BAD, f"{name}: {fragment(error.title)}", error.hint)
    if token is None:
        return Finding(
            "login", BAD, f"{name}: its token is not in {store.where}", f"traindeck login --context {name}"
        )
    return Finding("login", OK, f"{name}: its token is in {store.where}")


def _settings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Report what is set, where, and what is wrong with it."""
    from tui.settings.show import effective_settings, toml  # noqa: PLC0415  loads pydantic, as only these verbs do

    for warning in loaded.warnings:
        yield Finding("settings", BAD, warning)
    for key, (value, origin) in effective_settings(loaded).items():
        if origin != "default":
            yield Finding("settings", OK, f"{key} = {toml(value)} ({origin})")


DOCTOR = ContextsHandler(doctor, add_doctor_flags)
