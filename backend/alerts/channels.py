"""Channels: where a person wants alerts sent. Their addresses are secrets, and encrypted."""

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from backend.alerts.address_guard import AddressGuard
from backend.alerts.mail import Letter, Mailer
from backend.alerts.post import Poster
from backend.alerts.site_targets import SiteTargets
from backend.alerts.told import Told, message_id, message_of, signature, slack_body, webhook_body
from backend.clusters.credential_vault import CredentialVault
from backend.db.models import ChannelRow
from backend.settings import ServerSettings
from backend_client.alerts.alert import Channel, ChannelKind
from backend_client.errors import Refused

JSON = {"Content-Type": "application/json"}


class _Address(Struct, frozen=True, omit_defaults=True):
    """What is encrypted."""

    address: str
    signing_key: str = ""


class Channels:
    """Checks, seals, opens and uses channels."""

    def __init__(
        self,
        settings: ServerSettings,
        vault: CredentialVault,
        guard: AddressGuard | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises Refused for settings of alerts that cannot be read."""
        self._vault = vault
        self._poster = Poster(guard or AddressGuard(settings.alert_hosts), settings.alert_ca)
        self._mailer = Mailer(settings)
        self._targets = SiteTargets(settings.alert_targets)
        self._clock = clock

    async def check(self, kind: ChannelKind, address: str) -> str:
        """Check an address, and return it as it may be shown. Raises Invalid, Refused."""
        match kind:
            case ChannelKind.EMAIL:
                self._mailer.check(address)
                return f"{address[0]}…@{address.rpartition('@')[2]}"
            case ChannelKind.SITE:
                self._targets.check(address)
                return address
            case _:
                target = self._poster.guard.read(address)
                await self._poster.guard.addresses(target)
                return target.authority

    def seal(self, row: ChannelRow, address: str) -> str:
        """Put an address into a row, encrypted; return a webhook's new signing key, else ""."""
        signing_key = secrets.token_urlsafe(32) if row.kind == ChannelKind.WEBHOOK else ""
        content = msgspec.json.encode(_Address(address, signing_key))
        row.address = self._vault.seal(content, _subject(row))
        return signing_key

    async def send(self, row: ChannelRow, told: Sequence[Told], key: str, date: datetime) -> None:
        """Send a message now. Raises Refused, Unreachable, Invalid, without the address."""
        found, message = self._open(row), message_of(told)
        match row.kind:
            case ChannelKind.EMAIL:
                letter = Letter(
                    to=found.address,
                    subject=message.title,
                    text=message.text,
                    message_id=message_id(key, row.id, self._mailer.domain),
                    date=date,
                )
                await self._mailer.send(letter)
            case ChannelKind.SITE:
                await self._targets.send(found.address, message.title, message.text)
            case ChannelKind.SLACK:
                await self._poster.post(found.address, slack_body(told), {**JSON, "Idempotency-Key": key})
            case _:
                body, timestamp = webhook_body(told, key), str(int(self._clock()))
                signed = {
                    "Idempotency-Key": key,
                    "X-Traindeck-Timestamp": timestamp,
                    "X-Traindeck-Signature": signature(found.signing_key, timestamp, body),
                }
                await self._poster.post(found.address, body, {**JSON, **signed})

    def _open(self, row: ChannelRow) -> _Address:
        try:
            return msgspec.json.decode(self._vault.open(row.address, _subject(row)), type=_Address)
        except Refused:
            raise Refused(
                f"The address of the channel {row.name} cannot be decrypted.", "Add the channel again."
            ) from None


def shown_channel(row: ChannelRow, signing_key: str = "") -> Channel:
    """Return a channel as its owner sees it."""
    return Channel(name=row.name, kind=ChannelKind(row.kind), shown=row.shown, signing_key=signing_key)


def _subject(row: ChannelRow) -> str:
    return f"channel {row.name} of user {row.user_id}"
