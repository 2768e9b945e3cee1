"""The seam for log sources: whoever can read the log of one run of a container is a ContainerLog."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from backend_client.kubernetes.logs.container_runs import ContainerRun
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.protocol import LogItem

Put = Callable[[Sequence[LogItem]], Awaitable[None]]
"""Takes what is new, in order; returns when there is room for more."""


class ContainerLog(Protocol):
    """Reads the runs of one rank, one after the other, into the `Put` that it was created with.

    The resumer turns bytes into items and knows the position behind the last one. Bytes come as the kubelet
    sends them with `timestamps=true` (`kubelet_lines`): a source with other bytes puts that stamp before each
    line.
    """

    async def read(self, run: ContainerRun, resumer: LineResumer) -> None:
        """Read a run from the resumer's position on, while it is followed to its end.

        What cannot be read any more is put as a Gap. Raises BackendError where the source cannot be reached.
        """
        ...

    async def read_last(self, run: ContainerRun, resumer: LineResumer, count: int) -> None:
        """Read the last `count` lines that a run has now, and put them at once; 0 only moves the position."""
        ...
