"""The sender: takes what is due out of the outbox and sends it, each channel by itself.

A receiver that does not answer holds up its own channel alone: each channel is served by a task of its own,
and those whose last try failed have places of their own, which they share among themselves.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from backend.alerts import outbox
from backend.alerts.channels import Channels
from backend.db.engine import Database
from backend_client.errors import BackendError, fragment

log = logging.getLogger("traindeck.alerts")
LOOK_SECONDS = 15.0
"""How often the outbox is looked at where nobody says that something is new."""
PRUNE_EVERY = timedelta(days=1)
HEALTHY_AT_ONCE = 32
FAILING_AT_ONCE = 8


def _now() -> datetime:
    return datetime.now(UTC)


class Sender:
    """Sends what the outbox of a database has."""

    def __init__(
        self,
        database: Database,
        channels: Channels,
        server_id: str,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`server_id` makes the keys unique among servers that send to one receiver."""
        self._database = database
        self._channels = channels
        self._server_id = server_id
        self._clock = clock
        self._pruned = datetime.min.replace(tzinfo=UTC)
        self._news = asyncio.Event()
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._places = {
            False: asyncio.Semaphore(HEALTHY_AT_ONCE),
            True: asyncio.Semaphore(FAILING_AT_ONCE),
        }

    def wake(self) -> None:
        """Say that something may be new in the outbox."""
        self._news.set()

    async def run_forever(self) -> None:
        """Send, for ever; what is under way when it is cancelled is sent again later, with the same key."""
        try:
            while True:
                pause = await self._round()
                self._news.clear()
                try:
                    async with asyncio.timeout(pause):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            tasks = [*self._serving.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def send_due(self) -> None:
        """Send all that is due now, and return when it was tried."""
        await self._round()
        while self._serving:
            await asyncio.gather(*self._serving.values())

    async def _round(self) -> float:
        """Serve the channels that have something to be sent; return the seconds until the next look."""
        try:
            await self._prune()
            async with self._database.read() as session:
                due = await outbox.channels_due(session, self._clock())
                following = await outbox.next_due(session)
        except BackendError as error:
            log.warning("alerts wait: %s", fragment(error.title))
            return LOOK_SECONDS
        for channel, failing in due:
            if channel not in self._serving:
                task = self._serving[channel] = asyncio.create_task(self._serve(channel, failing=failing))
                task.add_done_callback(partial(self._served, channel))
        seconds = (following - self._clock()).total_seconds() if following else LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.5, seconds))

    async def _prune(self) -> None:
        """Remove what is old, once a day."""
        if self._clock() - self._pruned < PRUNE_EVERY:
            return
        self._pruned = self._clock()
        async with self._database.write() as session:
            await outbox.prune(session, self._pruned)

    async def _serve(self, channel: int, *, failing: bool) -> None:
        """Send to one channel, one message after the other, until nothing is due or one fails."""
        async with self._places[failing]:
            async with self._database.write() as session:
                parcel = await outbox.take(session, channel, self._clock())
            while parcel:
                sent, failure = parcel, await self._try(parcel)
                async with self._database.write() as session:
                    await outbox.settle(session, sent, failure, self._clock())
                    parcel = await outbox.take(session, channel, self._clock()) if not failure else None
                if failure:
                    self._news.set()  # what else it has takes its turn among the channels that fail

    async def _try(self, parcel: outbox.Parcel) -> str:
        """Try to send a message; return why that failed, "" where it did not."""
        key = f"{self._server_id[:12]}-{parcel.key}"
        try:
            await self._channels.send(parcel.channel, parcel.told, key, parcel.created)
        except BackendError as error:
            log.info("a message was not taken", extra={"channel": parcel.channel.id, "why": error.title})
            return error.title
        except Exception as error:  # noqa: BLE001  a defect in one message must not end the others'
            where = "".join(
                traceback.format_tb(error.__traceback__)
            )  # without its text, which may have the URL
            kind = type(error).__name__
            log.error(  # noqa: TRY400  as above
                "a message could not be sent",
                extra={"channel": parcel.channel.id, "kind": kind, "where": where},
            )
            return "The server failed to send it."
        return ""

    def _served(self, channel: int, task: asyncio.Task[None]) -> None:
        self._serving.pop(channel, None)
        if not task.cancelled() and (error := task.exception()):
            if not isinstance(error, BackendError):
                log.error("a channel was not served", exc_info=error)
            else:
                log.warning("a channel waits: %s", fragment(error.title))
