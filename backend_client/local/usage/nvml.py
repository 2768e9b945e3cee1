"""Ask NVML what the GPUs do, in a process of its own (see reader.py): a driver that hangs, hangs nobody else.

A thin seam: each question is one function of `pynvml`, and one that a driver does not answer (not supported,
not permitted, too old) is a figure that is not known, never 0 and never the end of the others.
"""

import os
import select
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from backend_client.local.usage.cards import Answer, Card

IDLE_SECONDS = 180.0
"""So long after the last question the process ends: an open driver cannot be unloaded, nor a GPU be reset."""
ANEW_SECONDS = 60.0
"""After a loss NVML is opened anew, no more often than this: what was lost may be there again."""
_THERMOMETER = 0
"""NVML_TEMPERATURE_GPU: the one of the GPU itself."""


class _Lost(Exception):
    """The driver has lost this GPU."""


def read_cards(nvml: Any, xids: Mapping[str, int]) -> Iterator[Card]:
    """Yield all GPUs, each followed by its instances. `xids`: UUID -> last error. Raises NVMLError."""
    for index in range(nvml.nvmlDeviceGetCount()):
        uuid = ""
        try:
            handle = _ask(nvml, "nvmlDeviceGetHandleByIndex", index)
            if handle is not None:
                uuid = _text(_ask(nvml, "nvmlDeviceGetUUID", handle))
                card = _card(nvml, handle, index, uuid, xids.get(uuid))
                yield card
                yield from _instances(nvml, handle, card)
        except _Lost:
            yield Card(index=index, uuid=uuid, lost=True)


def _card(nvml: Any, handle: Any, index: int, uuid: str, xid: int | None) -> Card:
    rates = _ask(nvml, "nvmlDeviceGetUtilizationRates", handle)
    milliwatts = _ask(nvml, "nvmlDeviceGetPowerUsage", handle)
    used, total = _memory(nvml, handle)
    return Card(
        index=index,
        uuid=uuid,
        product=_text(_ask(nvml, "nvmlDeviceGetName", handle)),
        utilisation=rates.gpu / 100 if rates is not None and rates.gpu <= 100 else None,
        memory=used,
        memory_total=total,
        power=milliwatts / 1000 if milliwatts is not None else None,
        temperature=_ask(nvml, "nvmlDeviceGetTemperature", handle, _THERMOMETER),
        xid=xid,
        pids=_pids(nvml, handle),
    )


def _instances(nvml: Any, handle: Any, card: Card) -> Iterator[Card]:
    """Yield the instances of a GPU that is split. NVML has no utilisation of one, and power of all alone."""
    mode = _ask(nvml, "nvmlDeviceGetMigMode", handle)
    if not mode or not mode[0]:
        return
    for place in range(_ask(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        instance = _ask(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", handle, place)
        if instance is not None:
            used, total = _memory(nvml, instance)
            yield Card(
                index=card.index,
                uuid=_text(_ask(nvml, "nvmlDeviceGetUUID", instance)),
                product=_text(_ask(nvml, "nvmlDeviceGetName", instance)),
                memory=used,
                memory_total=total,
                power=card.power,
                temperature=card.temperature,
                xid=card.xid,
                pids=_pids(nvml, instance),
                part_of=card.uuid,
            )


def _memory(nvml: Any, handle: Any) -> tuple[int | None, int | None]:
    """Return what is used (without what the driver keeps for itself, where it says so) and the whole."""
    memory = _ask(nvml, "nvmlDeviceGetMemoryInfo", handle, nvml.nvmlMemory_v2)
    if memory is None:  # a driver from before 2022
        memory = _ask(nvml, "nvmlDeviceGetMemoryInfo", handle)
    return (None, None) if memory is None else (memory.used, memory.total)


def _pids(nvml: Any, handle: Any) -> tuple[int, ...] | None:
    processes = _ask(nvml, "nvmlDeviceGetComputeRunningProcesses", handle)
    return None if processes is None else tuple(process.pid for process in processes)


def _ask(nvml: Any, question: str, *args: Any) -> Any:
    """Ask one thing; None where it is not told. Raises _Lost, and NVMLError where nothing is any more."""
    try:
        return getattr(nvml, question)(*args)
    except nvml.NVMLError as error:
        if error.value in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED):
            raise _Lost from None
        if error.value in (nvml.NVML_ERROR_UNINITIALIZED, nvml.NVML_ERROR_DRIVER_NOT_LOADED):
            raise
        return None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


class XidListener:
    """The errors (XID) of all GPUs from now on: NVML tells them as they come, and keeps none."""

    def __init__(self, nvml: Any) -> None:
        self.last: dict[str, int] = {}
        """By the UUID of the GPU."""
        self._nvml = nvml
        self._events = _unless_refused(nvml, "nvmlEventSetCreate")
        for index in range(nvml.nvmlDeviceGetCount()) if self._events is not None else ():
            if (handle := _unless_refused(nvml, "nvmlDeviceGetHandleByIndex", index)) is not None:
                event = nvml.nvmlEventTypeXidCriticalError
                _unless_refused(nvml, "nvmlDeviceRegisterEvents", handle, event, self._events)

    def drain(self) -> None:
        """Take in what came since the last time; waits for nothing."""
        while self._events is not None:
            event = _unless_refused(self._nvml, "nvmlEventSetWait_v2", self._events, 0)
            if event is None:  # NVML_ERROR_TIMEOUT: nothing more
                return
            if uuid := _text(_unless_refused(self._nvml, "nvmlDeviceGetUUID", event.device)):
                self.last[uuid] = event.eventData


def _unless_refused(nvml: Any, question: str, *args: Any) -> Any:
    """Ask one thing that any error may answer: what is wrong with a GPU, its reading says."""
    try:
        return getattr(nvml, question)(*args)
    except nvml.NVMLError:
        return None


def main() -> None:
    """Answer each line of stdin with one reading, as a line of JSON; end with stdin, or when nobody asks."""
    import pynvml  # noqa: PLC0415  large, and for this process alone

    try:
        pynvml.nvmlInit()
        _answer_all(pynvml)
    except pynvml.NVMLError as error:
        _write(Answer(error=str(error)))


def _answer_all(nvml: Any) -> None:
    opened, xids = time.monotonic(), XidListener(nvml)
    while select.select([0], [], [], IDLE_SECONDS)[0] and os.read(0, 4096):
        xids.drain()
        answer = Answer(cards=tuple(read_cards(nvml, xids.last)), taken=time.time())
        _write(answer)
        if any(card.lost for card in answer.cards) and time.monotonic() - opened >= ANEW_SECONDS:
            return


def _write(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
