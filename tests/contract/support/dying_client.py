"""Clients of this machine that die. A step is anything that the interpreter tells its audit hooks of: every
file opened, renamed, removed, locked, every process started.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from backend_client.local import launch  # noqa: F401  so that no import counts as a step
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
from tests.contract.support.dying import serve

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


def client(spec: JobSpec, key: str, step: Callable[[], None]) -> None:
    backend = LocalBackend(Path(sys.argv[1]), gpus=2, grace=2.0)
    sys.addaudithook(lambda event, _: step() if event in STEPS else None)
    asyncio.run(backend.create(spec, key=key, secrets={}))


if __name__ == "__main__":
    serve(client)
