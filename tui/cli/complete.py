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
from backend_client.paths import user_cache_dir
from backend_client.private_files import write_private
from backend_client.protocol import JobQuery
from tui.cli.commands import one_of, parser_of
from tui.cli.lookup import all_jobs
from tui.cli.output import put
from tui.cli.program import contexts_of, given_token, meant, named
from tui.settings import Loaded

PATIENCE = 0.3
"""Seconds that the shell waits."""
_FRESH = 2.0
"""Seconds for which nothing is asked again."""
_LIMIT = 20.0
"""Seconds for a list that nobody waits for."""
_PLAIN = re.compile(r"[A-Za-z0-9@%+:,./_-]+")
"""Names that mean the same to every shell. Others are not offered."""


def complete_flags(parser: argparse.ArgumentParser) -> None:
    """What `complete` takes; the words of the line stand behind --."""
    parser.add_argument("what", type=one_of("jobs", "contexts"))


def complete(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:
    """Print names, one a line."""
    names: list[str] = []
    with suppress(BackendError, OSError, SystemExit):
        if args.what == "contexts":
            names = [info.name for info in contexts.list_contexts() if not info.unavailable]
        else:
            names = _jobs(args.command, loaded)
    for name in filter(_PLAIN.fullmatch, names):
        put(name)
    return 0


def _jobs(words: list[str], loaded: Loaded) -> list[str]:
    """Jobs where the line's own flags say."""
    line = parser_of(None).parse_known_args(words)[0]
    contexts = contexts_of(loaded.settings, named(line), given_token(line))
    context, scope = meant(contexts, line), "*" if line.all_namespaces else line.namespace
    key = hashlib.blake2b(f"{context}\n{scope}".encode(), digest_size=12).hexdigest()
    cache = user_cache_dir() / "names" / f"{key}.json"
    if _age(cache) > _FRESH:
        _renewed(contexts, context, scope, cache)
    return _read(cache)


def _age(cache: Path) -> float:
    try:
        return abs(time.time() - cache.stat().st_mtime)
    except OSError:
        return float("inf")


def _read(cache: Path) -> list[str]:
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(cache.read_bytes(), type=list[str])
    return []


def _renewed(contexts: Contexts, context: str, scope: str, cache: Path) -> None:
    """Renew the cache in a process that outlives this one; wait for it, but not for long."""
    done, works = os.pipe()
    if not os.fork():
        _renew(contexts, context, scope, cache)
    os.close(works)
    select.select([done], [], [], PATIENCE)


def _renew(contexts: Contexts, context: str, scope: str, cache: Path) -> NoReturn:
    """In a child that has nothing of the shell's: it would wait for the end of its output."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with cache.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one at a time
            write_private(cache, msgspec.json.encode(asyncio.run(_listed(contexts, context, scope))))
    except BaseException:  # noqa: BLE001  nobody is there to be told
        os._exit(1)
    os._exit(0)


async def _listed(contexts: Contexts, context: str, scope: str) -> list[str]:
    backend = contexts.open(context)
    try:
        async with asyncio.timeout(_LIMIT):
            namespace = "" if scope == "*" else scope or backend.namespace
            jobs = await all_jobs(backend, JobQuery(namespace=namespace))
    finally:
        await backend.aclose()
    return sorted({job.name for job in jobs})
