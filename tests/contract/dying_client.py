"""Clients that die: each line of stdin asks for a create that ends at its n-th step, in a fork of this.

A step is anything that the interpreter tells its audit hooks of: every file opened, renamed, removed, locked,
every process started.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import msgspec

from backend_client.local import launch  # noqa: F401  # so that no import counts as a step
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec

KILLED = 9
STEPS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "fcntl.flock",
    "subprocess.Popen",
}
STEPS |= {"os.listdir", "os.scandir", "os.fork", "os.truncate"}


def client(request: dict) -> None:
    """Create, and die at the step that was asked for."""
    backend = LocalBackend(Path(sys.argv[1]), gpus=2, grace=2.0)
    left = request["step"]

    def count(event: str, _: tuple) -> None:
        nonlocal left
        if event in STEPS:
            left -= 1
            if left == 0:
                os._exit(KILLED)

    sys.addaudithook(count)
    spec = msgspec.convert(request["spec"], JobSpec)
    asyncio.run(backend.create(spec, key=request["key"], secrets={}))


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            client(json.loads(line))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, KILLED), code
        print(json.dumps(code == KILLED), flush=True)


if __name__ == "__main__":
    main()
