"""The alerts of a server: rules over its jobs, the outbox with its sender, people's wishes and channels."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from backend.alerts import alert_rows, wishes
from backend.alerts.channels import Channels
from backend.alerts.log_turns import LogTurns
from backend.alerts.sender import Sender
from backend.alerts.watcher import AlertWatcher
from backend.auth.caller import Caller
from backend.db.engine import Database
from backend.jobs.service import JobService
from backend.rate_limit import RateLimiter
from backend.settings import ServerSettings
from backend_client.alerts.alert import Alert, AlertList, AlertWishes, Channel, ChannelKind, Delivery
from backend_client.alerts.wishes import problems
from backend_client.errors import Invalid, Refused
from backend_client.models import Job

log = logging.getLogger("traindeck.alerts")
TESTS_AT_ONCE = 5
TEST_SECONDS = 120.0
"""A test can annoy others than who asks for it: so many at once, and one more each so many seconds."""


class AlertService:
    """What the routes ask. `start_alert_service` makes it."""

    def __init__(
        self, settings: ServerSettings, database: Database, server_id: str, jobs: JobService
    ) -> None:
        """Raises Refused for settings of alerts that cannot be read."""
        _check_site_rules(settings.alert_rules)
        self._database = database
        self._server_id = server_id
        self.channels = Channels(settings, jobs.clusters.vault)
        self.sender = Sender(database, self.channels, server_id)
        self.turns = LogTurns(jobs.hub, jobs.visible_jobs, self._wishes_of, self._reads_itself)
        self.watcher = AlertWatcher(
            database,
            jobs.hub,
            settings.alert_rules,
            log_read=self.turns.read_until,
            wake_sender=self.sender.wake,
        )
        self._jobs = jobs
        self._tests = RateLimiter(1 / TEST_SECONDS, TESTS_AT_ONCE)

    async def list(self, caller: Caller, *, everybody: bool) -> AlertList:
        """List the alerts of the caller's own jobs; `everybody`: of all jobs that they may see."""
        async with self._database.read() as session:
            return await alert_rows.list_alerts(session, caller, _now(), everybody=everybody)

    async def count_firing(self, caller: Caller) -> int:
        """Count the alerts of the caller's own jobs that fire, and that nobody has seen or snoozed."""
        async with self._database.read() as session:
            return await alert_rows.count_firing(session, caller, _now())

    async def acknowledge(self, caller: Caller, alert_id: str) -> Alert:
        """Note that an alert was seen. Raises NotFound, Forbidden."""
        async with self._database.write() as session:
            return await alert_rows.acknowledge(session, caller, alert_id, _now())

    async def snooze(self, caller: Caller, alert_id: str, until: datetime) -> Alert:
        """Silence an alert until a time. Raises NotFound, Forbidden, Invalid."""
        async with self._database.write() as session:
            return await alert_rows.snooze(session, caller, alert_id, until, _now())

    async def wishes(self, caller: Caller) -> AlertWishes:
        """Return what the caller wants to be told, and where."""
        async with self._database.read() as session:
            return await wishes.read_wishes(session, caller.user_id)

    async def set_wishes(self, caller: Caller, wanted: AlertWishes) -> AlertWishes:
        """Set rules and quiet hours. Raises Invalid, which names the field."""
        if wrong := problems(wanted.rules):
            raise Invalid({f"rules.{name}": message for name, message in wrong.items()})
        async with self._database.write() as session:
            kept = await wishes.set_wishes(session, caller, wanted, _now())
        self.watcher.set_wishes(caller.user_id, kept.rules)
        self.sender.wake()
        return kept

    async def add_channel(self, caller: Caller, name: str, kind: ChannelKind, address: str) -> Channel:
        """Add a channel, or give it another address. Raises Invalid, Refused, Conflict."""
        wishes.check_channel_name(name)
        shown = await self.channels.check(kind, address)
        new = Channel(name=name, kind=kind, shown=shown)
        async with self._database.write() as session:
            return await wishes.add_channel(session, caller, self.channels, new, address, now=_now())

    async def remove_channel(self, caller: Caller, name: str) -> None:
        """Remove a channel with all that waits for it. Raises NotFound."""
        async with self._database.write() as session:
            await wishes.remove_channel(session, caller, name)

    async def test_channel(self, caller: Caller, name: str) -> Delivery:
        """Send one message now, and return what came of it. Raises NotFound; Refused after many."""
        async with self._database.read() as session:
            await wishes.find_channel(session, caller, name)
        if wait := self._tests.take(str(caller.user_id)):
            raise Refused("You have tried your channels often just now.", f"Wait {wait:.0f} s.")
        return await wishes.test_channel(
            self._database, caller, self.channels, name, server_id=self._server_id, now=_now()
        )

    def _wishes_of(self, job: Job) -> Mapping[str, str]:
        return self.watcher.wishes_of(job)

    def _reads_itself(self, cluster: str) -> bool:
        """Tell whether a cluster reads all its jobs' progress by itself: a machine does."""
        return any(one.name == cluster and not one.has_namespaces for one in self._jobs.clusters)


async def start_alert_service(
    settings: ServerSettings, database: Database, server_id: str, jobs: JobService, stack: AsyncExitStack
) -> AlertService:
    """Start the alerts of a server; `stack` ends them. Raises Refused."""
    service = AlertService(settings, database, server_id, jobs)
    await service.watcher.load()
    jobs.hub.subscribe(service.watcher.observe)
    tasks = [
        asyncio.create_task(_log_defects(work))
        for work in (
            service.watcher.run_forever(),
            service.sender.run_forever(),
            service.turns.turn_forever(),
        )
    ]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)
    return service


async def _log_defects(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # a defect in alerts must not end the server
        log.exception("alerts have stopped")


def _check_site_rules(rules: Mapping[str, str]) -> None:
    if wrong := problems(rules):
        raise Refused(f"The setting alert_rules: {'; '.join(wrong.values())}.".replace("..", "."))


def _now() -> datetime:
    return datetime.now(UTC)
