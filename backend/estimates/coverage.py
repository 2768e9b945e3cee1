"""How often the ranges of a queue came true, and whether people see them at all (pure)."""

from collections.abc import Iterable

from msgspec import Struct, field

from backend.estimates.ranges import next_widening

LAST = 50
"""Ranges by which a queue is judged."""
LEAST_SHARE = 0.6
"""Of those so many must have come true, or none is shown."""
TOLD = 10
"""People are told how many of so many came true; before, nothing is said and nothing hidden."""


class Coverage(Struct):
    """The ranges of one queue that came true or not, oldest first, and its widening."""

    hits: list[bool] = field(default_factory=list)
    widening: float = 1.0

    def add(self, hit: bool) -> None:
        """Count one more range."""
        self.hits = [*self.hits, hit][-LAST:]
        self.widening = next_widening(self.widening, hit)

    @property
    def is_shown(self) -> bool:
        """Whether ranges of this queue are right often enough to be shown."""
        return len(self.hits) < TOLD or sum(self.hits) >= LEAST_SHARE * len(self.hits)

    @property
    def told(self) -> tuple[int, int]:
        """(How many came true, of how many), of the last few; (0, 0) while there are fewer."""
        last = self.hits[-TOLD:]
        return (sum(last), TOLD) if len(last) == TOLD else (0, 0)


def coverage_of(outcomes: Iterable[tuple[bool, float]]) -> Coverage:
    """Return the coverage after (came true, widening when it was made) of a queue's ranges, oldest first."""
    coverage: Coverage | None = None
    for hit, widening in outcomes:
        coverage = coverage or Coverage(widening=widening)
        coverage.add(hit)
    return coverage or Coverage()
