"""Why a job waits or failed, as lines: failure, queue, chain, offers, what is unknown. Pure; all is clean."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.models import Job, JobSpec, JobState, QueuePlace
from backend_client.models.fields import field_text
from backend_client.why import Cause, Explanation, Offer
from tui.ui.format import short_local_time, span, starts_text, wrap
from tui.ui.sanitize import clean

_RAW_LINES = 200
"""Lines of a raw text that are shown: it comes from outside, and may have no end."""
_MUTED, _GREY, _HEAD = "$text-muted", "$text-disabled", "bold $primary"


class Row(NamedTuple):
    """One line of the page: texts with their styles, and the link or offer that it belongs to (-1: none)."""

    parts: tuple[tuple[str, str], ...]
    item: int = -1

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(words for words, _ in self.parts)


class View(NamedTuple):
    """How the page is shown. Links come first among its items, then offers."""

    cursor: int = -1
    """The item under the cursor; -1 where there is none, and so nothing to unfold."""
    unfolded: frozenset[int] = frozenset()
    """Links whose raw text is shown."""
    barred: str = ""
    """Why no offer can be taken."""
    below_offers: Sequence[str] = ()
    """A line for each offer; "" for none."""
    below_failure: str = ""


def page(job: Job, found: Explanation, now: datetime, width: int, view: View) -> list[Row]:
    """Return the page in lines of at most `width` cells."""
    return [
        *_headline(job, found, width),
        *_failure(found, width, view.below_failure),
        *(_queue(job.queue, now, width) if job.queue and not job.ended else ()),
        *_chain(found.chain, now, width, view),
        *_offers(found, width, view),
        *_section("Not known", found.unknown, width),
    ]


def all_well(job: Job) -> str:
    """Return what is said of a job that needs no explanation, as a sentence."""
    match job.state:
        case JobState.RUNNING:
            return "It runs, and nothing is known to be wrong."
        case JobState.SUCCEEDED:
            return "It ended well."
        case JobState.STOPPED | JobState.STOPPING:
            return "A person stopped it."
    return "Nothing is known that keeps it."


def changed_fields(spec: JobSpec, offer: Offer) -> str:
    """Return what an offer changes: "gpus 8 -> 4"."""
    return ", ".join(
        f"{clean(name, 40)} {_value(_before(spec, name))} -> {_value(text)}"
        for name, text in offer.changes.items()
    )


def texts_before(spec: JobSpec, offer: Offer) -> dict[str, str]:
    """Return field -> its text now, of the fields that an offer changes."""
    return {name: _before(spec, name) for name in offer.changes}


def _before(spec: JobSpec, name: str) -> str:
    return field_text(name, getattr(spec, name)) if hasattr(spec, name) else ""


def _value(text: str) -> str:
    return clean(text, 200) or "none"


def _headline(job: Job, found: Explanation, width: int) -> Iterator[Row]:
    words = clean(found.sentence or job.reason)
    if not words and not found.chain and not found.failure:
        words = all_well(job)
    yield from (Row(((line, "bold"),)) for line in _block(words, width, " ") if words)


# The parts of the page


def _section(title: str, sentences: Iterable[str], width: int) -> Iterator[Row]:
    lines = [line for words in sentences for line in _block(clean(words), width, "   ")]
    if lines:
        yield from _heading(title)
        yield from (Row(((line, ""),)) for line in lines)


def _heading(title: str) -> Iterator[Row]:
    yield Row(())
    yield Row(((f" {title}", _HEAD),))


def _failure(found: Explanation, width: int, hint: str) -> Iterator[Row]:
    failure = found.failure
    if failure is None:
        return
    yield from _heading("How it failed")
    if failure.exit != found.sentence:
        yield from (Row(((line, "$error"),)) for line in _block(clean(failure.exit), width, "   "))
    rank = "" if failure.rank is None else f"rank {failure.rank} failed first"
    said = clean(failure.said)
    where = ", ".join(filter(None, (rank, clean(failure.where, 200))))
    where = f"{where or 'it'} said:" if said else where
    yield from (Row(((line, ""),)) for line in _block(where, width, "   ") if where)
    yield from (Row(((line, "bold"),)) for line in _block(said, width, "   │ ") if said)
    for fact in failure.facts:
        yield from (Row(((line, ""),)) for line in _block(clean(fact), width, "   "))
    if hint:
        yield Row(((f"   {hint}", _MUTED),))


def _queue(place: QueuePlace, now: datetime, width: int) -> Iterator[Row]:
    yield from _section("Queue", queue_sentences(place, now), width)


def queue_sentences(place: QueuePlace, now: datetime) -> Iterator[str]:
    """Yield where a job stands in its queue, a sentence each."""
    stands = _ordinal(place.position) if place.position else ""
    if stands and place.waiting:
        stands += f" of {place.waiting}"
    queue = f"in {place.queue}" if stands else place.queue
    within = f" (ClusterQueue {place.cluster_queue})" if place.cluster_queue else ""
    yield ", ".join(filter(None, (f"{stands} {queue}{within}".strip(), _priority(place))))
    if place.flavors:
        yield f"admitted with {', '.join(place.flavors)}"
    if place.held:
        yield "a person holds it back"
    if place.requeue_at:
        yield f"not tried again before {short_local_time(place.requeue_at)}"
    if place.requeues:
        yield f"put back into the queue {'once' if place.requeues == 1 else f'{place.requeues} times'}"
    if starts := starts_text(place.starts, now):
        yield f"start: {starts}"


def _priority(place: QueuePlace) -> str:
    if place.priority is None:
        return f"priority {place.priority_class}" if place.priority_class else ""
    return f"priority {place.priority}" + (f" ({place.priority_class})" if place.priority_class else "")


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _chain(chain: Sequence[Cause], now: datetime, width: int, view: View) -> Iterator[Row]:
    if chain:
        yield from _heading("Why")
    for number, cause in enumerate(chain):
        yield from _link(number, cause, now, width, view)


def _link(number: int, cause: Cause, now: datetime, width: int, view: View) -> Iterator[Row]:
    """Yield a link of the chain, indented below the one before; its object and age where there is room."""
    unfolded = number in view.unfolded
    cursor = ">" if number == view.cursor else " "
    fold = "" if not cause.raw or view.cursor < 0 else "- " if unfolded else "+ "
    lead = f" {cursor} {'  ' * (number - 1) + '└ ' if number else ''}{fold}"
    style = "bold" if number == view.cursor else ""
    lines = wrap(clean(cause.sentence), width - len(lead))
    age = span((now - cause.since).total_seconds()) if cause.since else ""
    about = "  ".join(filter(None, (clean(cause.object, 200), age)))
    rows = [[(f"{lead if not at else ' ' * len(lead)}{line}", style)] for at, line in enumerate(lines)]
    if len(lead) + len(lines[-1]) + len(about) + 3 <= width:
        rows[-1].append((f"   {about}", _MUTED))
    else:
        rows += [[(line, _MUTED)] for line in _block(about, width, " " * len(lead))]
    yield from (Row(tuple(parts), number) for parts in rows)
    if unfolded:
        raw = cause.raw or "This is a field of the object: it says no more in words."
        for line in raw.splitlines()[:_RAW_LINES]:
            yield from (
                Row(((text, _MUTED),), number) for text in _block(clean(line), width, f"{' ' * len(lead)}│ ")
            )


def _offers(found: Explanation, width: int, view: View) -> Iterator[Row]:
    if found.offers:
        yield from _heading("What would help")
    for at, (offer, note) in enumerate(zip(found.offers, view.below_offers, strict=True)):
        item = len(found.chain) + at
        here = item == view.cursor
        lead = f" {'>' if here else ' '} {at + 1}  "
        key_style, style = (_GREY, _GREY) if view.barred else (_HEAD, "bold" if here else "")
        first, *rest = wrap(clean(offer.sentence), width - len(lead))
        yield Row(((lead, key_style), (first, style)), item)
        yield from (Row(((f"{' ' * len(lead)}{line}", style),), item) for line in rest)
        if note:
            yield from (Row(((line, _MUTED),), item) for line in _block(note, width, " " * len(lead)))
    if found.offers and view.barred:
        yield from (Row(((line, "$warning"),)) for line in _block(f"not here: {view.barred}", width, "   "))


def _block(text: str, width: int, lead: str) -> list[str]:
    """Return a text in lines of at most `width` cells, each behind `lead`."""
    return [f"{lead}{line}" for line in wrap(text, width - len(lead))]
