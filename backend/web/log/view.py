"""How a log's page is shown, as its address says, and whose log it is."""

from typing import Annotated, Any

from fastapi import Depends, Query
from markupsafe import Markup
from msgspec import Struct

from backend.web.log.html import LineHtml
from backend.web.log.part import SHOWN
from backend.web.rendering import Site
from backend_client.logs import Search
from backend_client.models import Job
from backend_client.protocol import LogQuery
from backend_client.text.attempts import has_ranks

_MOST_OF_ALL_RANKS = 16_000
"""Lines that are read of all ranks together."""


class LogView(Struct, frozen=True):
    """How a log is shown, as its address says."""

    rank: int | None = None
    attempt: int | None = None
    times: bool = False
    wrap: bool = True
    q: str = ""
    """What is searched for: text, or /regular expression/."""
    only: bool = False
    """Only lines that match are shown."""

    @property
    def query(self) -> dict[str, Any]:
        """The same as an address has it."""
        return self.lines | {
            "times": "1" if self.times else "",
            "wrap": "" if self.wrap else "0",
            "q": self.q,
            "only": "1" if self.only else "",
        }

    @property
    def lines(self) -> dict[str, Any]:
        """The part of it that says which lines."""
        return {"rank": "" if self.rank is None else str(self.rank), "attempt": str(self.attempt or "")}


def parse_view(  # noqa: PLR0917  one for each word of the query
    rank: str = "",
    attempt: str = "",
    times: bool = False,
    wrap: bool = True,
    q: Annotated[str, Query(max_length=500)] = "",
    only: bool = False,
) -> LogView:
    """Read from the query how a log is shown; "" means all ranks, and the newest attempt."""
    return LogView(_number(rank), _number(attempt) or None, times, wrap, q, only)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


class Shown(Struct, frozen=True):
    """A job whose log is asked for."""

    job: Job
    is_deleted: bool

    @property
    def ranks(self) -> list[int]:
        """The ranks that a reader can choose from."""
        return sorted({attempt.rank for attempt in self.job.attempts})

    @property
    def attempts(self) -> list[int]:
        """The attempts that a reader can choose from."""
        return sorted({attempt.number for attempt in self.job.attempts})

    def log_query(self, view: LogView, **more: object) -> LogQuery:
        """Return the query of a view."""
        return LogQuery(ref=self.job.ref, rank=view.rank, attempt=view.attempt, **more)  # type: ignore[arg-type]

    def tail(self, view: LogView, most: int = SHOWN) -> int:
        """Return how many lines of each rank are read for `most` lines of all."""
        several = max(1, len(self.ranks)) if view.rank is None else 1
        return max(1, min(most, max(_MOST_OF_ALL_RANKS, most) // several))

    def url(self, site: Site, view: LogView, **change: object) -> str:
        """Return the address of another part of the log, or of this one shown in another way."""
        return site.job_url(self.job.ref, "log", **(view.query | change))

    def html(self, site: Site, view: LogView, search: Search | None = None) -> LineHtml:
        """Return what renders its lines."""
        address = str(Markup.escape(self.url(site, view, at="L"))).removesuffix("L")
        return LineHtml(address, view.times, view.rank is None and has_ranks(self.job), search)


ViewDep = Annotated[LogView, Depends(parse_view)]
