"""What tests of alerts share: people with jobs and channels in a database, receivers, a clock."""

import socket
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from backend.alerts import outbox
from backend.alerts.address_guard import AddressGuard
from backend.alerts.channels import Channels
from backend.alerts.sender import Sender
from backend.alerts.told import Told, What
from backend.clusters.credential_vault import CredentialVault
from backend.db.models import AlertRow, AlertWishesRow, ChannelRow, JobRow, OutboxRow, User
from backend.settings import ServerSettings
from backend_client.alerts.alert import AlertWishes, ChannelKind, QuietHours
from backend_client.server.wire import encode
from tests.backend.support.receivers import receiver

START = datetime(2026, 11, 30, 9, tzinfo=UTC)


class Clock:
    now = START

    def __call__(self):
        return self.now

    def pass_(self, **time):
        self.now += timedelta(**time)


class Office:
    """A database with people, their jobs and channels; a sender, whose hosts are all this machine."""

    def __init__(self, database, folder, ports=()):
        self.database, self.clock = database, Clock()
        settings = ServerSettings(
            folder=folder, alert_hosts=tuple(f"http://hook.lab:{port}" for port in ports)
        )

        async def resolve(host, port):
            if host != "hook.lab":
                raise socket.gaierror
            return ["127.0.0.1"]

        guard = AddressGuard(settings.alert_hosts, resolve)
        self.channels = Channels(settings, CredentialVault(b"k" * 32), guard)
        self.sender = Sender(database, self.channels, "server", self.clock)

    async def person(self, name="ann", quiet=None):
        async with self.database.write() as session:
            user = User(name=name, name_key=name, password_hash="", role="researcher", created=START)
            session.add(user)
            await session.flush()
            if quiet:
                wishes = encode(AlertWishes(quiet=quiet)).decode()
                session.add(AlertWishesRow(user_id=user.id, wishes=wishes))
        return user.id

    async def channel(self, user_id, port, name="hook", path="x"):
        async with self.database.write() as session:
            kind = ChannelKind.WEBHOOK
            row = ChannelRow(user_id=user_id, name=name, kind=kind, shown="hook.lab", created=START)
            self.channels.seal(row, f"http://hook.lab:{port}/{path}")
            session.add(row)
            await session.flush()
        return row.id

    async def job(self, user_id, name="bert"):
        async with self.database.write() as session:
            row = JobRow(
                uid=f"u-{name}", key=f"{user_id}{name}", user_id=user_id, cluster="c", namespace="n",
                name=name, kind="job", spec="{}", state="Running", created=START,
            )  # fmt: skip
            session.add(row)
            await session.flush()
        return row.id

    async def alert(self, job_id, rule="gpu-idle", episode=1):
        async with self.database.write() as session:
            row = AlertRow(
                rule=rule,
                job_id=job_id,
                attempt=1,
                episode=episode,
                sentence="bert is idle",
                fired=self.clock.now,
            )
            session.add(row)
            await session.flush()
        return row.id

    async def tell(self, user_id, alert, what=What.FIRED, rule="gpu-idle"):
        """Write a message to all channels of a person."""
        told = Told(
            what=what,
            sentence=f"{what} {alert}",
            at=self.clock.now,
            fired=self.clock.now,
            alert=alert,
            rule=rule,
        )
        async with self.database.write() as session:
            await outbox.write(session, user_id, told, self.clock.now)

    async def rows(self):
        async with self.database.read() as session:
            return [*await session.scalars(select(OutboxRow).order_by(OutboxRow.id))]

    async def states(self):
        return [str(row.state) for row in await self.rows()]


NIGHT = QuietHours(start="22:00", end="07:00")


@pytest.fixture
async def there():
    async with receiver() as made:
        yield made


@pytest.fixture
async def office(database, tmp_path, there):
    return Office(database, tmp_path, [there.port])
