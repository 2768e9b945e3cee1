"""What a job uses, in the cells of a list: utilisation with the idlest GPU, memory with the fullest. Pure.

What nobody told is empty, which is not 0.
"""

from backend_client.models import JobUsage
from backend_client.text.figures import bytes_text, share_text

_FAR = 0.2
"""How far the idlest (or fullest) GPU is from the mean of all before it is named."""
_IDLE_PERCENT = 1
"""A GPU that does no more than this is idle."""


def util_text(usage: JobUsage | None) -> str:
    """Format the mean utilisation, and that of the idlest GPU where a mean would hide it: 87%, 82%↓0."""
    if usage is None or usage.gpu is None:
        return ""
    mean, idlest = share_text(usage.gpu), _named_idlest(usage)
    return mean if idlest is None else f"{mean}↓{share_text(idlest).rstrip('%')}"


def is_idle(usage: JobUsage | None) -> bool:
    """Return True where the figure that `util_text` shows last is that of a GPU that does nothing."""
    if usage is None or usage.gpu is None:
        return False
    idlest = _named_idlest(usage)
    return round(100 * (usage.gpu if idlest is None else idlest)) <= _IDLE_PERCENT


def _named_idlest(usage: JobUsage) -> float | None:
    """Return the utilisation of the idlest GPU, where it is far below the mean."""
    if usage.gpu is None or usage.gpu_min is None:
        return None
    return usage.gpu_min if usage.gpu - usage.gpu_min >= _FAR else None


def mem_text(usage: JobUsage | None) -> str:
    """Format how full the memory of the GPUs is, and the fullest one where it differs much: 61%↑97.

    Of a job whose GPUs nobody tells of it is the memory of its processes: 11Gi.
    """
    if usage is None:
        return ""
    mean, fullest = usage.gpu_memory, usage.gpu_memory_max
    if mean is None or fullest is None or fullest - mean < _FAR:
        return short_mem_text(usage)
    return f"{share_text(mean)}↑{share_text(fullest).rstrip('%')}"


def short_mem_text(usage: JobUsage | None) -> str:
    """Format the same in five characters, without the fullest GPU."""
    if usage is None:
        return ""
    return share_text(usage.gpu_memory) or bytes_text(usage.memory)
