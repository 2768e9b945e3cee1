"""The receipt of a job as lines (pure): what it held, waited for and used, and what would have done."""

from collections.abc import Iterator

from backend_client.text.figures import duration
from backend_client.text.sanitize import clean
from backend_client.usage_report import Receipt

_MIB, _GIB = 2**20, 2**30
_ENOUGH = 0.8


def heading(receipt: Receipt) -> str:
    """Return what stands above the lines; of a job that goes on, they are so far."""
    return "What it cost" if receipt.final else "What it cost so far"


def receipt_lines(receipt: Receipt) -> list[tuple[str, str]]:
    """Return (name, value) of all that is known; what was not measured has no line."""
    pairs = (
        ("GPU-hours", _held(receipt)),
        ("waited", "" if receipt.waited is None else duration(receipt.waited)),
        ("preempted", _preempted(receipt)),
        ("GPU use", ", ".join(_use(receipt))),
        ("idle", _idle(receipt)),
        ("GPU memory", _gpu_memory(receipt)),
        ("CPU", _asked_used(_plain(receipt.cpu_asked), _plain(receipt.cpu_used), "used")),
        ("memory", _asked_used(_gib(receipt.memory_asked), _gib(receipt.memory_peak), "peak")),
        ("energy", "" if receipt.energy is None else f"{receipt.energy:.2f} kWh"),
        ("advice", clean(receipt.advice.sentence, 200) if receipt.advice else ""),
    )
    return [(name, value) for name, value in pairs if value]


def change_text(receipt: Receipt) -> str:
    """Return the change that its advice suggests: "cpu 8 -> 3"; "" where there is none."""
    if receipt.advice is None:
        return ""
    return ", ".join(
        f"{clean(name, 40)} {clean(getattr(receipt.spec, name, ''), 60)} -> {clean(text, 60)}"
        for name, text in receipt.advice.changes.items()
    )


def _held(receipt: Receipt) -> str:
    if not receipt.spec.gpus:
        return ""
    about = "~" if receipt.uncertain >= 0.05 else ""
    kinds = ", ".join(clean(kind, 60) for kind in receipt.gpu_types)
    attempts = f" in {receipt.attempts} attempts" if receipt.attempts > 1 else ""
    return f"{about}{receipt.gpu_hours:.1f}{f' of {kinds}' if kinds else ''}{attempts}"


def _preempted(receipt: Receipt) -> str:
    if receipt.preempted < 0.05:
        return ""
    return f"{receipt.preempted:.1f} of them in attempts that were cut off: repeated at most"


def _use(receipt: Receipt) -> Iterator[str]:
    if receipt.utilisation is None:
        if receipt.spec.gpus and receipt.gpu_hours > 0:
            yield f"not known: {receipt.coverage:.0%} of the time was measured"
        return
    yield f"mean {receipt.utilisation:.0%}"
    if receipt.utilisation_p95 is not None:
        yield f"95th percentile {receipt.utilisation_p95:.0%}"
    if receipt.utilisation_min is not None and receipt.spec.gpus * receipt.spec.nodes > 1:
        yield f"the GPU that did least {receipt.utilisation_min:.0%}"


def _idle(receipt: Receipt) -> str:
    if receipt.idle_minutes is None:
        return ""
    return f"{receipt.idle_minutes:.0f} min in which all its GPUs did nothing"


def _gpu_memory(receipt: Receipt) -> str:
    peak, total, share = receipt.gpu_memory_peak, receipt.gpu_memory_total, receipt.gpu_memory_share
    if peak is not None:
        return f"peak {_gib(peak)}" + (f" of {_gib(total)}" if total else "")
    return "" if share is None else f"peak {share:.0%}"


def _asked_used(asked: str, used: str, word: str) -> str:
    return ", ".join(filter(None, (asked and f"asked {asked}", used and f"{word} {used}"))) if used else ""


def _plain(number: float | None) -> str:
    if number is not None and 0 < number < 0.05:
        return f"{number:.2g}"  # little is not nothing
    return "" if number is None else f"{number:.1f}".removesuffix(".0")


def _gib(count: int | None) -> str:
    if count is not None and 0 < count < _GIB / 10:
        return f"{max(1, round(count / _MIB))} MiB"
    return "" if count is None else f"{count / _GIB:.1f} GiB".replace(".0 ", " ")
