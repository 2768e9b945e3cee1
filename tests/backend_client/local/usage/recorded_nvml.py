# ruff: noqa: N802  the names are NVML's
"""Answers of NVML, as a module that stands for `pynvml`.

The machine that runs the tests has no GPU. The shapes are those that drivers are known to give (which
questions each kind of card refuses, with which error, what a split card tells); the figures are made up.
Errors and constants are pynvml's own.
"""

import os
from types import SimpleNamespace
from typing import Any

import pynvml

GIB = 2**30


class Refusal:
    """A question that is answered by an error."""

    def __init__(self, number: int) -> None:
        self.number = number


UNSUPPORTED = Refusal(pynvml.NVML_ERROR_NOT_SUPPORTED)
LOST = Refusal(pynvml.NVML_ERROR_GPU_IS_LOST)


def card(number: int = 0, **more: Any) -> dict[str, Any]:
    """An H100 that trains; `more`: other answers, by the name of the question behind nvmlDeviceGet."""
    return {
        "UUID": f"GPU-0000000{number}-aaaa-bbbb-cccc-dddddddddddd",
        "Name": "NVIDIA H100 80GB HBM3",
        "UtilizationRates": SimpleNamespace(gpu=97, memory=54),
        "MemoryInfo_v2": SimpleNamespace(used=71 * GIB, total=80 * GIB, reserved=GIB, free=8 * GIB),
        "MemoryInfo": SimpleNamespace(used=72 * GIB, total=80 * GIB, free=8 * GIB),
        "PowerUsage": 689_421,
        "Temperature": 61,
        "MigMode": [0, 0],
        "ComputeRunningProcesses": [SimpleNamespace(pid=4000 + number, usedGpuMemory=70 * GIB)],
        **more,
    }


def instance(number: int, used: int) -> dict[str, Any]:
    """An instance of a split A100: it has memory and processes, all else is refused."""
    return {
        "UUID": f"MIG-{number}",
        "Name": "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "MemoryInfo_v2": SimpleNamespace(used=used, total=5 * GIB - 2**27),
        "ComputeRunningProcesses": [SimpleNamespace(pid=5000 + number, usedGpuMemory=None)],
        **dict.fromkeys(["UtilizationRates", "PowerUsage", "Temperature", "MigMode"], UNSUPPORTED),
    }


TRAINING = [card(0), card(1, UtilizationRates=SimpleNamespace(gpu=0, memory=0), PowerUsage=112_000)]
"""Two H100 of one job, the second idle."""
SPLIT = [
    card(
        Name="NVIDIA A100-SXM4-40GB",
        MigMode=[1, 1],
        UtilizationRates=UNSUPPORTED,
        ComputeRunningProcesses=Refusal(pynvml.NVML_ERROR_NO_PERMISSION),
        instances=[instance(0, 3 * GIB), None, instance(2, 0)],
    )
]
"""A card that is split; the second of its places is empty."""
VIRTUAL = [
    card(
        Name="GRID T4-8Q",
        PowerUsage=UNSUPPORTED,
        Temperature=UNSUPPORTED,
        MigMode=UNSUPPORTED,
        ComputeRunningProcesses=[SimpleNamespace(pid=4000, usedGpuMemory=None)],
    )
]
"""A virtual GPU: the host keeps power and temperature to itself."""
SHARED_MEMORY = [card(Name="NVIDIA GB10", MemoryInfo_v2=UNSUPPORTED, MemoryInfo=UNSUPPORTED)]
"""A GPU that has no memory of its own."""
OLD_DRIVER = [
    card(
        MemoryInfo_v2=Refusal(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND),
        MigMode=Refusal(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND),
    )
]
FELL_OFF = [card(0), LOST, card(2, **dict.fromkeys(["UtilizationRates", "PowerUsage"], LOST))]
"""The second was lost before NVML was opened, the third while it was asked."""


class RecordedNvml:
    """Answers as pynvml does."""

    def __init__(self, cards: list[Any], xids: tuple[tuple[int, int], ...] = (), gate: str = "") -> None:
        """`xids`: (card, error) as they come. `gate`: a fifo that every count waits at: the driver hangs."""
        self._cards, self._xids, self._gate = cards, list(xids), gate

    def __getattr__(self, name: str) -> Any:
        question = name.removeprefix("nvmlDeviceGet")
        if question == name or name.startswith("nvmlDeviceGetCount"):
            return getattr(pynvml, name)
        return lambda handle, *_: self._answer(handle, question)

    @staticmethod
    def _answer(handle: Any, question: str) -> Any:
        answer = handle.get(question, UNSUPPORTED)
        if isinstance(answer, Refusal):
            raise pynvml.NVMLError(answer.number)
        return answer

    def nvmlInit(self) -> None:
        """Open it."""

    def nvmlDeviceGetCount(self) -> int:
        if self._gate:
            os.close(os.open(self._gate, os.O_RDONLY))
        return len(self._cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        found = self._cards[index]
        if isinstance(found, Refusal):
            raise pynvml.NVMLError(found.number)
        return found

    def nvmlDeviceGetMemoryInfo(self, handle: Any, version: Any = None) -> Any:
        return self._answer(handle, "MemoryInfo_v2" if version else "MemoryInfo")

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any) -> int:
        return len(self._answer(handle, "instances"))

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, place: int) -> Any:
        found = handle["instances"][place]
        if found is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def nvmlEventSetCreate(self) -> object:
        return self

    def nvmlDeviceRegisterEvents(self, handle: Any, events: int, into: object) -> None:
        assert events == pynvml.nvmlEventTypeXidCriticalError
        assert into is self

    def nvmlEventSetWait_v2(self, events: object, milliseconds: int) -> Any:
        assert events is self
        assert milliseconds == 0
        if not self._xids:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT)
        number, error = self._xids.pop(0)
        return SimpleNamespace(device=self._cards[number], eventData=error)
