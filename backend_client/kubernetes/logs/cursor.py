"""The cursor of a job's log, as text: how the stream began, and the position reached in each rank (pure)."""

from typing import NamedTuple, Self

from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.kubernetes.logs.positions import LogPosition
from backend_client.protocol import Lines, LogItem, LogQuery, LogSource, Opened

_VERSION = "k1:"


class RankPosition(NamedTuple):
    """The position reached in the log of one rank."""

    attempt: int
    key: str
    """Of the run (`ContainerRun.key`)."""
    position: LogPosition | None = None
    """None where no line of the run was read yet."""

    def __str__(self) -> str:
        return f"{self.attempt}:{self.key}:{self.position or ''}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str` wrote. Raises ValueError."""
        attempt, key, position = text.split(":")
        return cls(int(attempt), key, LogPosition.parse(position) if position else None)


class Cursor:
    """The positions of all ranks. It advances with every item; each Lines carries it, as text.

    `tail`, `since` (nanoseconds since the epoch, 0: none): how the stream began.
    """

    def __init__(self, tail: int | None = None, since: int = 0) -> None:
        self.tail = tail
        self.since = since
        self.ranks: dict[int, RankPosition] = {}
        self._begun: dict[LogSource, RankPosition] = {}
        self._texts: dict[int, str] = {}
        """Rank -> its part of the text, each written once."""

    @classmethod
    def of(cls, query: LogQuery) -> Self:
        """Return the cursor at the beginning of a query."""
        since = query.since
        return cls(query.tail, int(since.timestamp() * 1_000_000) * 1000 if since else 0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a cursor from its text. Raises Invalid."""
        try:
            tail, since, *ranks = text.removeprefix(_VERSION).split(";")
            cursor = cls(int(tail) if tail else None, int(since))
            for part in ranks:
                rank, position = part.split("=")
                cursor._set(int(rank), RankPosition.parse(position))
        except ValueError:
            raise Invalid({"after": "is no cursor of this context"}) from None
        return cursor

    def begin(self, source: LogSource, key: str, position: LogPosition | None = None) -> None:
        """Register a source whose lines behind `position` will come."""
        self._begun[source] = begun = RankPosition(source.attempt, key, position)
        if source.rank not in self.ranks:
            self._set(source.rank, begun)

    def advance(self, item: LogItem) -> LogItem:
        """Advance over an item, and return it: Lines with the cursor behind them."""
        if isinstance(item, Opened):
            self._set(item.source.rank, self._begun[item.source])
        if not isinstance(item, Lines):
            return item
        reached = self.ranks[item.source.rank]
        if item.lines:
            position = (reached.position or LogPosition()).behind(item)
            self._set(item.source.rank, reached._replace(position=position))
        return replace(item, cursor=str(self))

    def _set(self, rank: int, reached: RankPosition) -> None:
        self.ranks[rank] = reached
        self._texts[rank] = f"{rank}={reached}"

    def __str__(self) -> str:
        tail = "" if self.tail is None else self.tail
        return ";".join([f"{_VERSION}{tail};{self.since}", *self._texts.values()])
