"""Clients of a cluster that die. A step is a request before it is sent, and when it is done and its answer
is lost.
"""

import asyncio
import sys
from collections.abc import Callable

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from tests.contract.support.cluster import SLOT
from tests.contract.support.dying import serve


def client(spec: JobSpec, key: str, step: Callable[[], None]) -> None:
    backend = KubernetesBackend("contract", KubernetesSettings(gpu_resource=SLOT), namespace=sys.argv[1])
    ask = Transport.request

    async def asked(*args, **kwargs):
        step()
        answer = await ask(*args, **kwargs)
        step()
        return answer

    Transport.request = asked
    asyncio.run(backend.create(spec, key=key, secrets={}))


if __name__ == "__main__":
    serve(client)
