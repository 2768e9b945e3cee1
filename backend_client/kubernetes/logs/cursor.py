"""The cursor of a job's log: how it began, and the place reached in each rank (pure)."""

from typing import NamedTuple, Self

from msgspec.structs import replace

from backend_client.errors import Invalid
from backend_client.kubernetes.logs.positions import LogPosition
from backend_client.protocol import Lines, LogItem, LogQuery, LogSource, Opened

_VERSION = "k1:"


class RankPosition(NamedTuple):
    """Where one rank stands."""

    attempt: int
    key: str
    """Of the run."""
    mark: LogPosition | None = None
    """None where nothing of it was told yet."""

    def __str__(self) -> str:
        return f"{self.attempt}:{self.key}:{self.mark or ''}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        attempt, key, mark = text.split(":")
        return cls(int(attempt), key, LogPosition.parse(mark) if mark else None)


class Cursor:
    """Goes with what is told. `tail`, `since` (nanoseconds since the epoch, 0: none): how it began."""

    def __init__(self, tail: int | None = None, since: int = 0) -> None:
        self.tail = tail
        self.since = since
        self.places: dict[int, RankPosition] = {}
        self._begun: dict[LogSource, RankPosition] = {}
        self._parts: dict[int, str] = {}

    @classmethod
    def of(cls, query: LogQuery) -> Self:
        """The beginning of what is asked for."""
        since = query.since
        return cls(query.tail, int(since.timestamp() * 1_000_000) * 1000 if since else 0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Invalid."""
        try:
            tail, since, *parts = text.removeprefix(_VERSION).split(";")
            made = cls(int(tail) if tail else None, int(since))
            for part in parts:
                rank, place = part.split("=")
                made._set(int(rank), RankPosition.parse(place))
        except ValueError:
            raise Invalid({"after": "is no cursor of this context"}) from None
        return made

    def begin(self, source: LogSource, key: str, mark: LogPosition | None = None) -> None:
        """Lines of this source will be told, those behind `mark`."""
        self._begun[source] = place = RankPosition(source.attempt, key, mark)
        if source.rank not in self.places:
            self._set(source.rank, place)

    def tell(self, item: LogItem) -> LogItem:
        """The item as it is handed out: Lines bear the cursor behind them."""
        if isinstance(item, Opened):
            self._set(item.source.rank, self._begun[item.source])
        if not isinstance(item, Lines):
            return item
        place = self.places[item.source.rank]
        if item.lines:
            self._set(item.source.rank, place._replace(mark=(place.mark or LogPosition()).behind(item)))
        return replace(item, cursor=str(self))

    def _set(self, rank: int, place: RankPosition) -> None:
        self.places[rank] = place
        self._parts[rank] = f"{rank}={place}"

    def __str__(self) -> str:
        tail = "" if self.tail is None else self.tail
        return ";".join([f"{_VERSION}{tail};{self.since}", *self._parts.values()])
