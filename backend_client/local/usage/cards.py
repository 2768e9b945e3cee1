"""What NVML tells of the GPUs of this machine, and which of them a job's slot is. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct

from backend_client.usage import GpuUsage


class Card(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One GPU, or one instance of a GPU that is split (MIG). What NVML did not tell is None."""

    index: int
    """Of the GPU, in the order of NVML; an instance has that of its GPU."""
    uuid: str = ""
    product: str = ""
    utilisation: float | None = None
    memory: int | None = None
    memory_total: int | None = None
    power: float | None = None
    temperature: float | None = None
    xid: int | None = None
    """Its last error since somebody has listened; None: none since, and nothing is known of before."""
    pids: tuple[int, ...] | None = None
    """The processes that use it, as the machine itself numbers them; None where it does not tell."""
    lost: bool = False
    """The driver has lost it: it tells nothing any more."""
    part_of: str = ""
    """Of an instance: the UUID of its GPU, whose power and temperature these are."""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading of all GPUs."""

    taken: float = 0.0
    """Seconds since the epoch."""
    cards: tuple[Card, ...] = ()
    error: str = ""
    """Why there is none, as NVML says it."""


def card_of(slot: str, cards: Sequence[Card]) -> Card | None:
    """Return the card of a slot: by its UUID; by its number only where all cards are alike.

    CUDA counts the fastest card first, NVML by the bus: cards of several products may be numbered otherwise.
    """
    if not slot.isdigit():
        return next((card for card in cards if card.uuid == slot), None)
    whole = [card for card in cards if not card.part_of]
    alike = len({card.product for card in whole if not card.lost}) == 1
    return next((card for card in whole if alike and str(card.index) == slot), None)


def gpu_usage(slot: str, card: Card | None, as_of: datetime, *, strangers: bool) -> GpuUsage:
    """Return what a slot uses; all is unknown where no card is known to be it."""
    uuid = "" if slot.isdigit() else slot
    if card is None or card.lost:
        return GpuUsage(gpu=str(card.index) if card else slot, uuid=uuid)
    return GpuUsage(
        gpu=str(card.index),
        uuid=card.uuid,
        product=card.product,
        utilisation=card.utilisation,
        memory=card.memory,
        memory_total=card.memory_total,
        power=card.power,
        temperature=card.temperature,
        xid=card.xid,
        shared=bool(card.part_of),
        strangers=strangers,
        as_of=as_of,
    )


def lost_words(slot: str, card: Card | None) -> str:
    """Say why a slot has no figures; empty where it has."""
    if card and not card.lost:
        return ""
    if card:
        return f"the driver has lost GPU {card.index}: it needs a reset, or the machine a restart"
    if slot.isdigit():
        return f"which of the GPUs is number {slot} is not known: they are of several kinds"
    return f"the driver does not tell of {slot} any more: it has lost it, or was loaded anew"


def used_by_strangers(
    card: Card | None, own: Collection[int], visible: Collection[int], *, all_seen: bool
) -> bool:
    """Return whether processes use a card that are not the job's own.

    `visible`: the processes of this machine that could be strangers. One that is not among them is of
    somebody whose processes are hidden from us, unless all are shown (`all_seen`): then it has just ended.
    """
    others = set(card.pids or ()).difference(own) if card else set()
    return any(pid in visible or not all_seen for pid in others)
