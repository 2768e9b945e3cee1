"""`complete`, hidden: names for the tab key. Quick or silent, and never an error.

Jobs come from a small cache of each context's last list. A process of its own renews it; the shell waits
for that a moment, and takes what the cache then says.
"""

import argparse
import asyncio
import fcntl
import hashlib
import os
import re
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from backend_client.contexts import Contexts
from backend_client.errors import BackendError
from backend_client.models.names import natural_key
from backend_client.paths import user_cache_dir
from backend_client.private_files import write_private
from backend_client.protocol import JobQuery
from tui.cli.arguments import Parser, one_of
from tui.cli.commands import build_parser
from tui.cli.handlers import ContextsHandler
from tui.cli.lookup import list_all_jobs
from tui.cli.output import print_data
from tui.cli.program import build_contexts, read_token, requested_context, resolve_context
from tui.settings.loaded import LoadedSettings

PATIENCE = 0.3
"""Seconds that the shell waits."""
FRESH_SECONDS = 2.0
"""Seconds for which nothing is asked again."""
LIST_SECONDS = 20.0
"""Seconds for a list that nobody waits for."""
_PLAIN = re.compile(r"[A-Za-z0-9@%+:,./_-]+")
"""Names that mean the same to every shell. Others are not offered."""


def add_complete_flags(parser: Parser) -> None:
    """Add the arguments of `complete`; the words of the line follow --."""
    parser.add_argument("what", type=one_of("jobs", "contexts"))


def complete(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:
    """Print the names to complete, one a line."""
    names: list[str] = []
    with suppress(BackendError, OSError, SystemExit):
        if args.what == "contexts":
            names = [info.name for info in contexts.list_contexts() if not info.unavailable]
        else:
            names = _jobs(args.command, loaded)
    for name in filter(_PLAIN.fullmatch, names):
        print_data(name)
    return 0


def _jobs(words: list[str], loaded: LoadedSettings) -> list[str]:
    """Return the names of jobs in the context and namespace that the line's own flags name."""
    line = build_parser(None).parse_known_args(words)[0]
    contexts = build_contexts(loaded.settings, requested_context(line), read_token(line))
    context, scope = resolve_context(contexts, line), "*" if line.all_namespaces else line.namespace
    key = hashlib.blake2b(f"{context}\n{scope}".encode(), digest_size=12).hexdigest()
    cache = user_cache_dir() / "names" / f"{key}.json"
    if _age(cache) > FRESH_SECONDS:
        _refresh(contexts, context, scope, cache)
    return _read_cache(cache)


def _age(cache: Path) -> float:
    try:
        return abs(time.time() - cache.stat().st_mtime)
    except OSError:
        return float("inf")


def _read_cache(cache: Path) -> list[str]:
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(cache.read_bytes(), type=list[str])
    return []


def _refresh(contexts: Contexts, context: str, scope: str, cache: Path) -> None:
    """Renew the cache in a process that outlives this one; wait for it, but not for long."""
    parent_end, child_end = os.pipe()
    if not os.fork():
        _refresh_in_child(contexts, context, scope, cache)
    os.close(child_end)
    select.select([parent_end], [], [], PATIENCE)


def _refresh_in_child(contexts: Contexts, context: str, scope: str, cache: Path) -> NoReturn:
    """Renew the cache without the shell's descriptors: it would wait for the end of its output."""
    try:
        os.setsid()
        devnull = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(devnull, descriptor)
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with cache.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one at a time
            write_private(cache, msgspec.json.encode(asyncio.run(_list_names(contexts, context, scope))))
    except BaseException:  # noqa: BLE001  nobody is there to be told
        os._exit(1)
    os._exit(0)


async def _list_names(contexts: Contexts, context: str, scope: str) -> list[str]:
    backend = contexts.open(context)
    try:
        async with asyncio.timeout(LIST_SECONDS):
            namespace = "" if scope == "*" else scope or backend.namespace
            jobs = await list_all_jobs(backend, JobQuery(namespace=namespace))
    finally:
        await backend.aclose()
    return sorted({job.name for job in jobs}, key=natural_key)


COMPLETE = ContextsHandler(complete, add_complete_flags)
