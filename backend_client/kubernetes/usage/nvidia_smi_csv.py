"""The lines of `nvidia-smi --query-gpu` -> GPUs (pure). What it does not tell is None, never 0."""

from collections.abc import Iterator
from datetime import datetime

from backend_client.prometheus.usage_samples import plausible
from backend_client.usage import GpuUsage, Measure

FIELDS = (
    "index",
    "uuid",
    "name",
    "mig.mode.current",
    "utilization.gpu",
    "memory.used",
    "memory.total",
    "power.draw",
    "temperature.gpu",
)
ARGV = ("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
_MIB = 2**20
_MOST_DIGITS = 12


def parse_gpus(text: str, as_of: datetime) -> tuple[GpuUsage, ...]:
    """Return the GPUs in what `ARGV` prints; other lines, as its warnings, are left out."""
    return tuple(_gpus(text, as_of))


def _gpus(text: str, as_of: datetime) -> Iterator[GpuUsage]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(FIELDS) and cells[0].isascii() and cells[0].isdecimal():
            yield _gpu(dict(zip(FIELDS, cells, strict=True)), as_of)


def _gpu(cells: dict[str, str], as_of: datetime) -> GpuUsage:
    in_parts = cells["mig.mode.current"] == "Enabled"
    used, total = _bytes(cells["memory.used"]), _bytes(cells["memory.total"])
    if in_parts or not total or (used is not None and used > total):
        used = total = None  # of a card in parts: all of it, of which a pod holds one
    utilisation = _number(cells["utilization.gpu"])
    return GpuUsage(
        gpu=cells["index"],
        uuid=_word(cells["uuid"]),
        product=_word(cells["name"]),
        utilisation=None
        if utilisation is None or in_parts
        else plausible(Measure.UTILISATION, utilisation / 100),
        memory=used,
        memory_total=total,
        power=plausible(Measure.POWER, _number(cells["power.draw"])),
        temperature=plausible(Measure.TEMPERATURE, _number(cells["temperature.gpu"])),
        shared=in_parts,
        as_of=as_of,
    )


def _number(cell: str) -> float | None:
    """Return a figure; None for "[N/A]", "[Not Supported]", "[Insufficient Permissions]", "ERR!" …"""
    whole, _, part = cell.partition(".")
    digits = whole + part
    if not (whole and digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
        return None
    return float(cell)


def _bytes(cell: str) -> int | None:
    number = _number(cell)
    return None if number is None else round(number * _MIB)


def _word(cell: str) -> str:
    return "" if cell.startswith("[") else cell
