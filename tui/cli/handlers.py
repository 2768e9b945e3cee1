"""The code behind a verb: a function that gets a backend, or all contexts, and one that adds its flags."""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from backend_client.contexts import Contexts
from backend_client.protocol import JobBackend
from tui.cli.arguments import Parser
from tui.settings.loaded import LoadedSettings


class BackendHandler(NamedTuple):
    """The code of a verb about the jobs of one context. `run` returns the exit code."""

    run: Callable[[argparse.Namespace, JobBackend], Coroutine[Any, Any, int]]
    add_flags: Callable[[Parser], None]


class ContextsHandler(NamedTuple):
    """The code of a verb about contexts, servers or this machine. `run` returns the exit code."""

    run: Callable[[argparse.Namespace, Contexts, LoadedSettings], int]
    add_flags: Callable[[Parser], None]


Handler = BackendHandler | ContextsHandler
