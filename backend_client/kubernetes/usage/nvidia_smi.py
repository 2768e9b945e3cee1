"""GPUs as `nvidia-smi` tells of them in a job's own pods: now, of one job, and where a setting asks for it.

For clusters without a Prometheus that scrapes a GPU exporter. Each reading starts a program in a person's
container, within its memory and as its user: so few at once, none again soon where one was refused or hung,
and never for a list of jobs.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from backend_client.errors import BackendError, Forbidden, NotFound, Refused, Unreachable, fragment, sentence
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.ending import NOT_FOUND
from backend_client.kubernetes.exec.run_command import CommandResult, StillRuns, run_command
from backend_client.kubernetes.resources.core import Container as KubeContainer
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.usage.denials import Denials
from backend_client.kubernetes.usage.nvidia_smi_csv import ARGV, parse_gpus
from backend_client.prometheus.pod_spans import PodKey, PodSpan
from backend_client.single_flight import SingleFlight
from backend_client.usage import GpuUsage, Measure, UsageSource

NAME = "nvidia-smi"
GIVES = (Measure.UTILISATION, Measure.MEMORY, Measure.POWER, Measure.TEMPERATURE)
AT_ONCE = 4
MOST_PODS = 32
"""Of more ranks the first ones are read."""
SECONDS = 8.0
"""A driver that was not in use takes some seconds to begin."""
PATIENCE_SECONDS = 12.0
"""So long whoever asks waits for all pods; the screen waits 20 s for all of its figures."""
MOST_BYTES = 64 * 1024
_MOST_WORDS = 200
KEPT_SECONDS = 10.0
"""So long a reading is as good as a new one."""

Gpus = dict[PodKey, tuple[GpuUsage, ...]]


class NvidiaSmi:
    """Reads GPUs in the pods of one cluster."""

    def __init__(
        self, transport: Callable[[], Awaitable[Transport]], clock: Callable[[], float] = time.time
    ) -> None:
        """Ask nothing yet. `clock` returns the Unix time."""
        self._transport = transport
        self._clock = clock
        self._questions = SingleFlight(clock)
        self._denials = Denials(clock)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def gpus(
        self, spans: Sequence[PodSpan], pods: Iterable[Pod]
    ) -> tuple[Gpus, tuple[UsageSource, ...]]:
        """Return the GPUs of a job's pods, and who tells them, or why nobody does of some."""
        names = {pod.name: main.name for pod in pods if (main := _holder(pod))}
        holders = [
            Container(span.namespace, span.pod, names[span.pod])
            for span in sorted(spans, key=lambda span: span.rank)
            if span.pod in names
        ]
        asked = holders[:MOST_PODS]
        answers = await asyncio.gather(*map(self._told_in_time, asked))
        gpus: Gpus = {}
        failed: list[BackendError] = []
        for container, answer in zip(asked, answers, strict=True):
            if isinstance(answer, BackendError):
                failed.append(answer)
            else:
                gpus[container.namespace, container.pod] = answer
        if len(holders) > len(asked):
            failed.append(Refused(f"It is read of the first {MOST_PODS} ranks alone."))
        return gpus, tuple(_sources(answered=bool(gpus), failed=failed))

    def cancel(self) -> None:
        """Give up what is under way."""
        self._questions.cancel()

    async def _told_in_time(self, container: Container) -> tuple[GpuUsage, ...] | BackendError:
        """Return the GPUs of a container, or why they are not known. Who stops waiting ends no reading."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._questions.ask(container, KEPT_SECONDS, lambda: self._read(container))
        except TimeoutError:
            return Unreachable(f"There was no time to read {container} yet.")
        except BackendError as error:
            return error

    async def _read(self, container: Container) -> tuple[GpuUsage, ...]:
        async with self._turns:
            everywhere, here = container.namespace, f"{container.namespace}: {container}"
            self._denials.check(everywhere)
            self._denials.check(here)
            try:
                transport = await self._transport()
                result = await run_command(transport, container, ARGV, most=MOST_BYTES, seconds=SECONDS)
                return self._gpus_in(result, container)
            except StillRuns as error:  # another one would hang beside it
                refused = Refused(error.title)
                self._denials.keep(here, refused)
                raise refused from None
            except BackendError as error:
                self._denials.keep(everywhere if isinstance(error, Forbidden) else here, error)
                raise

    def _gpus_in(self, result: CommandResult, container: Container) -> tuple[GpuUsage, ...]:
        """Return the GPUs that were told of; what is told beside a warning counts. Raises a BackendError."""
        ending = result.ending
        if ending.exit_code is None:
            raise Unreachable(sentence(f"Nothing is known of nvidia-smi in {container}: {ending.message}"))
        if ending.exit_code == NOT_FOUND:
            raise NotFound(f"There is no nvidia-smi in {container}.")
        text = result.stdout.decode(errors="replace")
        gpus = parse_gpus(text, datetime.fromtimestamp(self._clock(), UTC))
        if not gpus:
            how = f"failed (exit code {ending.exit_code})" if ending.exit_code else "tells of no GPU"
            words = (result.stderr.decode(errors="replace") + text).strip().partition("\n")[0][:_MOST_WORDS]
            raise Refused(sentence(f"The nvidia-smi in {container} {how}{': ' * bool(words)}{words}"))
        return gpus


def _holder(pod: Pod) -> KubeContainer | None:
    """Return the container that does the work, where it runs and holds devices."""
    main, status = pod.main_container, pod.main_container_status
    runs = status is not None and status.state.running is not None
    return main if runs and main and main.resources.asks_for_devices else None


def _sources(*, answered: bool, failed: Sequence[BackendError]) -> Iterator[UsageSource]:
    """Yield who tells of GPUs, and of those that are not told of why: that of the first, and how many."""
    if answered:
        yield UsageSource(name=NAME, gives=GIVES)
    if failed:
        others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        yield UsageSource(name=NAME, missing=f"{fragment(failed[0].title)}{others}")
