"""Clients of a cluster that die: each line of stdin asks for a create that ends at its n-th step, in a fork.

A step is a request: odd ones end before it is sent, even ones when it is done and its answer is lost.
"""

import asyncio
import json
import os
import sys

import msgspec

from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import Site
from backend_client.kubernetes.transport import Transport
from backend_client.models import JobSpec
from tests.contract.cluster import SLOT

KILLED = 9


def client(request: dict) -> None:
    """Create, and die at the step that was asked for."""
    backend = KubernetesBackend("contract", Site(gpu_resource=SLOT), namespace=sys.argv[1])
    ask, left = Transport.request, request["step"]

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(KILLED)

    async def asked(*args, **kwargs):
        count()
        answer = await ask(*args, **kwargs)
        count()
        return answer

    Transport.request = asked
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
