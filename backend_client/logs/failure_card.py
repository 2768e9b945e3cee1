"""The card of a job that ended badly: its exit in words, the rank that failed first, and what it said.

The same for all contexts: the log is the one that the backend itself gives, so who may not read it gets none.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import BackendError, fragment
from backend_client.logs.buffer import LogBuffer
from backend_client.logs.failure_kinds import kind_of_line
from backend_client.logs.failures import SURVIVED, first_failure
from backend_client.logs.snapshot import until_asked
from backend_client.models import Attempt, Job, JobState
from backend_client.protocol import Gap, Lines, LogItem, LogQuery
from backend_client.why import Explanation, Failure

Logs = Callable[[LogQuery], AsyncIterator[Sequence[LogItem]]]

_BYTES = 4 * 2**20
"""The end of a log that is searched."""
_LINES = 5_000
_SECONDS = 4.0
"""How long a log is waited for."""
_SAME_TIME = timedelta(seconds=1)
"""Clusters write the end of a container in whole seconds."""
_MOST_RANKS = 3
"""Logs that are read where several ranks ended in the same second."""
_NEVER = datetime.max.replace(tzinfo=UTC)
_WORDS = {
    126: "its command cannot be run",
    127: "its command was not found",
    134: "it gave up by itself",
    135: "it read memory that is not there (a bus error)",
    136: "it computed what has no result",
    139: "it crashed in native code",
    137: "it was killed",
    143: "it was told to end",
}
"""Exit codes as shells give them, 128 + signal (signal(7))."""
_EXIT = re.compile(r"exit (\d{1,3})((?: \([^()]*\))*)(?:: (.*))?", re.DOTALL)


async def with_failure(explanation: Explanation, job: Job, logs: Logs) -> Explanation:
    """Return the explanation of a job with the card of its failure; as it is where the job has none.

    `logs` as the backend has it. Reads at most the last 4 MiB of the logs that may tell, for at most 4 s.
    """
    if job.state is not JobState.FAILED and job.next_try is None:
        return explanation
    first = _failed_first(job)
    card = _card(job, first[0] if first else None)
    if not first:
        return replace(explanation, failure=card) if card.exit else explanation
    started = [attempt for attempt in first if attempt.started or attempt.pid]
    if not started:
        return replace(explanation, failure=card)
    readable = [attempt for attempt in started if not attempt.log_gone]
    found, why_not = await _read(job, readable, logs) if readable else (None, "its log went with its pod")
    if found:
        return replace(explanation, failure=_with_line(_card(job, found[0]), found[1]))
    unknown = (f"{why_not}, so what it said is not known",) if why_not else ()
    return replace(explanation, failure=card, unknown=(*explanation.unknown, *unknown))


def _failed_first(job: Job) -> list[Attempt]:
    """Return the newest attempt of each rank that failed in the same second as the first of them."""
    newest = {attempt.rank: attempt for attempt in job.attempts}
    failed = [attempt for attempt in newest.values() if _has_failed(attempt)]
    failed.sort(key=lambda attempt: (attempt.finished or _NEVER, attempt.rank))
    until = (failed[0].finished or _NEVER - _SAME_TIME) + _SAME_TIME if failed else _NEVER
    return [attempt for attempt in failed if (attempt.finished or _NEVER) <= until][:_MOST_RANKS]


def _has_failed(attempt: Attempt) -> bool:
    return bool(attempt.exit_code) or (attempt.finished is not None and bool(attempt.reason))


def _card(job: Job, attempt: Attempt | None) -> Failure:
    """Return what is known without the log."""
    if attempt is None:
        return Failure(exit=job.reason)
    from_outside = bool(attempt.reason) and bool(job.reason) and attempt.reason not in job.reason
    words, said = exit_words(attempt)
    kind, facts = ("memory", ()) if "OOMKilled" in attempt.reason else kind_of_line(said)
    return Failure(
        exit=job.reason if from_outside else words,
        kind=kind,
        rank=attempt.rank if max(job.spec.nodes, job.spec.replicas) > 1 else None,
        where=attempt.pod or attempt.node,
        said=said,
        facts=(*facts, *_last_loss(job)),
    )


def _last_loss(job: Job) -> tuple[str, ...]:
    loss = job.progress.loss if job.progress else None
    return (f"its last loss was {loss}",) if isinstance(loss, str) else ()


def exit_words(attempt: Attempt) -> tuple[str, str]:
    """Return how an attempt ended in words, and the line that its reason cites; "" where it cites none."""
    match = _EXIT.fullmatch(attempt.reason)
    if attempt.reason and not match:
        return attempt.reason, ""
    code = int(match[1]) if match else attempt.exit_code
    named, said = (match[2], match[3] or "") if match else ("", "")
    words = f"exit {code}{named}" if code is not None else "its exit code is not known"
    meaning = _WORDS.get(code or 0, "")
    return (f"{words}: {meaning}" if meaning else words), said


def _with_line(card: Failure, line: str) -> Failure:
    kind, facts = kind_of_line(line)
    if card.kind == "memory":  # the kernel is surer than a line
        return replace(card, said=line)
    old = [fact for fact in card.facts if fact not in facts]
    return replace(card, kind=kind or card.kind, said=line, facts=(*facts, *old))


class _End(Struct, frozen=True):
    """What the end of one rank's log tells."""

    weight: int = 0
    line: str = ""
    why_not: str = ""
    """Why it tells nothing."""


async def _read(job: Job, attempts: Sequence[Attempt], logs: Logs) -> tuple[tuple[Attempt, str] | None, str]:
    """Return the attempt whose log tells the most, with that line; else why no log could be read."""
    ends = await asyncio.gather(*(_read_end(job, attempt, logs) for attempt in attempts))
    told = [(end.weight, index) for index, end in enumerate(ends) if end.line]
    if not told:
        return None, ends[0].why_not
    index = min(told)[1]
    return (attempts[index], ends[index].line), ""


async def _read_end(job: Job, attempt: Attempt, logs: Logs) -> _End:
    query = LogQuery(ref=job.ref, tail=_LINES, attempt=attempt.number, rank=attempt.rank)
    buffer = LogBuffer(_BYTES)
    try:
        async with asyncio.timeout(_SECONDS):
            why_not = await _fill(buffer, cast("AsyncGenerator[Sequence[LogItem]]", logs(query)))
    except TimeoutError:
        return _End(why_not=f"its log did not come within {_SECONDS:g} s")
    except BackendError as error:
        return _End(why_not=fragment(error.title))
    if found := await first_failure(buffer):
        return _End(found.weight, next(buffer.pick([found.number])).text)
    last = next(
        (line.text for line in reversed([*buffer.lines(buffer.end - 20, buffer.end)]) if line.text), ""
    )
    return _End(SURVIVED, last) if last else _End(why_not=why_not)


async def _fill(buffer: LogBuffer, batches: AsyncGenerator[Sequence[LogItem]]) -> str:
    """Take the lines of a log; return why some are missing, "" where none are known to be."""
    last: Lines | None = None
    missing = ""
    async with aclosing(until_asked(batches)) as items:
        async for batch in items:
            lines = [item for item in batch if isinstance(item, Lines)]
            buffer.append(lines)
            last = next((item for item in reversed(lines) if item.lines), last)
            missing = next((item.why for item in batch if isinstance(item, Gap)), missing)
    if last and last.open:  # what has no newline is a line all the same
        buffer.append([Lines(source=last.source, lines=[b""], times=last.times[-1:], continues=True)])
    return missing
