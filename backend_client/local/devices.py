"""The GPUs of this machine. Standard library alone; NVML is loaded in a process of its own, for it is large.

The table comes from a command (`probe`) that prints a JSON list of {"id", "product", "foreign", "broken"}.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PACKAGES = str(Path(__file__).parents[2])
"""The folder that our packages lie in."""


class Device(NamedTuple):
    """One GPU, one slot."""

    id: str
    """Its name in CUDA_VISIBLE_DEVICES: a UUID, or a number where there is no driver."""
    product: str
    foreign: bool = False
    """True while a process of another user uses it."""
    broken: bool = False
    """True where the driver has lost it (NVML_ERROR_GPU_IS_LOST and the like): it is no slot."""


def nvml_probe() -> tuple[str, ...]:
    """Return the command that asks NVML; empty where this machine has no NVIDIA driver."""
    if not any(Path(sign).exists() for sign in ("/proc/driver/nvidia/version", "/dev/nvidiactl")):
        return ()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from backend_client.local.devices import main; main()"
    )
    return sys.executable, "-I", "-c", code, PACKAGES


def list_devices(probe: Sequence[str], count: int) -> list[Device]:
    """List the GPUs that work, as `list_all` does."""
    return [device for device in list_all(probe, count) if not device.broken]


def list_all(probe: Sequence[str], count: int) -> list[Device]:
    """List the GPUs that the probe prints; without a probe, or a GPU, `count` numbered slots."""
    rows = _run_probe(probe) if probe else []
    return [Device(**row) for row in rows] or [Device(str(number), "GPU") for number in range(count)]


def look_again(probe: Sequence[str], ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of these GPUs work now, and which of all are used by other users' processes.

    A GPU that the driver does not list any more is no slot. Where it lists none (it does not answer), all
    count as working, as do numbered slots: nothing speaks against them.
    """
    found = list_devices(probe, 0)
    listed = {device.id for device in found}
    working = [id_ for id_ in ids if not listed or id_ in listed or id_.isdigit()]
    return working, [device.id for device in found if device.foreign]


def _run_probe(probe: Sequence[str]) -> list[dict[str, Any]]:
    import subprocess  # noqa: PLC0415  dear, and only where there is a driver

    try:
        answer = subprocess.run(probe, capture_output=True, timeout=30, check=True).stdout
        return list(json.loads(answer))
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def main() -> None:
    """Print the table of NVML as JSON."""
    json.dump(list(_nvml()), sys.stdout)


def _nvml() -> Iterator[dict[str, Any]]:
    import pynvml  # noqa: PLC0415  as above

    pynvml.nvmlInit()
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            yield _row(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index))
        except pynvml.NVMLError:
            yield {"id": f"broken-{index}", "product": "", "broken": True}


def _row(nvml: Any, handle: Any) -> dict[str, Any]:
    processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return {
        "id": _text(nvml.nvmlDeviceGetUUID(handle)),
        "product": _text(nvml.nvmlDeviceGetName(handle)),
        "foreign": any(_is_foreign(process.pid) for process in processes),
    }


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_foreign(pid: int) -> bool:
    """Return True where the process is another user's, or cannot be seen from here."""
    try:
        return Path(f"/proc/{pid}").stat().st_uid != os.getuid()
    except OSError:
        return True
