"""Clients that die halfway: `DyingClients` asks for them here, `serve` is them, in a process of their own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from backend_client.models import JobSpec

KILLED = 9


class DyingClients:
    """Forks of one process: the program `tests/contract/support/NAME.py`, about one place."""

    def __init__(self, name: str, place: str) -> None:
        self._command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), place]
        self._process: subprocess.Popen[str] | None = None

    async def create(self, spec: JobSpec, key: str, step: int) -> bool:
        """Create in one that is killed at its step-th step (from 1); False where it has fewer."""
        return await asyncio.to_thread(self._create, spec, key, step)

    def close(self) -> None:
        """End it, where it was needed at all."""
        if self._process:
            self._process.communicate()

    def _create(self, spec: JobSpec, key: str, step: int) -> bool:
        if self._process is None:
            env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen(self._command, text=True, env=env, **pipes)
        assert self._process.stdin
        assert self._process.stdout
        request = {"spec": msgspec.to_builtins(spec), "key": key, "step": step}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return bool(json.loads(self._process.stdout.readline()))


def serve(client: Callable[[JobSpec, str, Callable[[], None]], None]) -> None:
    """One client for each line of stdin: `client(spec, key, step)` calls `step` at each of its steps."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            client(msgspec.convert(request["spec"], JobSpec), request["key"], _ending(request["step"]))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, KILLED), code
        print(json.dumps(code == KILLED), flush=True)


def _ending(left: int) -> Callable[[], None]:
    """What ends the process when it is called for the left-th time."""

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    return step
