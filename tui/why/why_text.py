"""Why a job waits or failed, in lines of a width: failure, queue, chain, offers, what is unknown. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.models import Job, QueuePlace
from backend_client.text.sanitize import clean
from backend_client.text.why import (
    HOW_IT_FAILED,
    NOT_KNOWN,
    QUEUE,
    WHAT_WOULD_HELP,
    WHY,
    cause_about,
    failure_sentences,
    headline,
    queue_sentences,
    raw_lines,
)
from backend_client.why import Cause, Explanation
from tui.ui.format import wrap

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
        *_section(NOT_KNOWN, found.unknown, width),
    ]


def _headline(job: Job, found: Explanation, width: int) -> Iterator[Row]:
    words = headline(job, found)
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
    failure = failure_sentences(found)
    if failure is None:
        return
    yield from _heading(HOW_IT_FAILED)
    for text, lead, style in (
        (failure.exit, "   ", "$error"),
        (failure.where, "   ", ""),
        (failure.said, "   │ ", "bold"),
        *((fact, "   ", "") for fact in failure.facts),
    ):
        yield from (Row(((line, style),)) for line in _block(text, width, lead) if text)
    if hint:
        yield Row(((f"   {hint}", _MUTED),))


def _queue(place: QueuePlace, now: datetime, width: int) -> Iterator[Row]:
    yield from _section(QUEUE, queue_sentences(place, now), width)


def _chain(chain: Sequence[Cause], now: datetime, width: int, view: View) -> Iterator[Row]:
    if chain:
        yield from _heading(WHY)
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
    about = cause_about(cause, now)
    rows = [[(f"{lead if not at else ' ' * len(lead)}{line}", style)] for at, line in enumerate(lines)]
    if len(lead) + len(lines[-1]) + len(about) + 3 <= width:
        rows[-1].append((f"   {about}", _MUTED))
    else:
        rows += [[(line, _MUTED)] for line in _block(about, width, " " * len(lead))]
    yield from (Row(tuple(parts), number) for parts in rows)
    if unfolded:
        for line in raw_lines(cause):
            yield from (
                Row(((text, _MUTED),), number) for text in _block(line, width, f"{' ' * len(lead)}│ ")
            )


def _offers(found: Explanation, width: int, view: View) -> Iterator[Row]:
    if found.offers:
        yield from _heading(WHAT_WOULD_HELP)
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
