"""What `benchmarks.cluster_changes` runs beside both programs: KUBECONFIG NAMESPACE JOBS CHANGES_A_SECOND."""

import asyncio
import itertools
import sys
from pathlib import Path

from backend_client.kubernetes.api.transport import Transport
from benchmarks.cluster_fill import FAILED, connected, patch_pod, phase_of, pod_status, pooled


async def churn(kubeconfig: Path, namespace: str, jobs: int, rate: int) -> None:
    """Restart running pods, half of them on the first screens, until the process is ended."""
    running = [number for number in range(len(FAILED), jobs - 1) if phase_of(number) == "Running"]
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def restart(transport: Transport, turn: int) -> None:
        await asyncio.sleep(began + turn / rate - loop.time())
        number = running[turn // 2 % 30 if turn % 2 else turn // 2 % len(running)]
        await patch_pod(transport, namespace, number, pod_status("Running", restarts=turn + 1))

    async with connected(kubeconfig) as transport:
        await pooled(restart(transport, turn) for turn in itertools.count())


if __name__ == "__main__":
    asyncio.run(churn(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
