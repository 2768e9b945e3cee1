"""An alert as it is told and shown, a person's wishes about alerts, and `HasAlerts`."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.models import JobRef
from backend_client.models.secret import Secret


class AlertState(StrEnum):
    """Where an alert stands."""

    FIRING = "firing"
    RECOVERED = "recovered"


class Alert(Struct, frozen=True, kw_only=True):
    """One episode of one rule on one job: from when it fired until it recovered."""

    id: str
    """Opaque, unique in its context."""
    rule: str
    """Id of the rule: "gpu-idle"."""
    job: JobRef
    owner: str = ""
    """Whose job it is; empty where nobody tells the owners apart."""
    attempt: int = 0
    """Of the job, when it fired; 0 where that means nothing."""
    episode: int = 1
    """1 for the first time of this rule on this job and attempt."""
    sentence: str
    """What is so: "no GPU of bert-ft was used for 30 min"."""
    state: AlertState = AlertState.FIRING
    fired: datetime
    recovered: datetime | None = None
    acknowledged: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None
    """It is not told again before."""
    deliveries: tuple["Delivery", ...] = ()
    """Where it was sent, as far as the caller may know; empty where nothing sends."""


class DeliveryState(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    """It is to be sent, or to be tried again."""
    HELD = "held"
    """Quiet hours hold it back."""
    SENT = "sent"
    FAILED = "failed"
    """Given up after a day."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One message to one channel."""

    channel: str
    """As the person called it."""
    state: DeliveryState
    tries: int = 0
    last_try: datetime | None = None
    why: str = ""
    """Why the last try failed, as a sentence without the address."""


class AlertList(Struct, frozen=True, kw_only=True):
    """The alerts of a person's jobs, newest first: those that fire, and those of the last days."""

    items: tuple[Alert, ...] = ()
    ends_with_program: bool = False
    """Nothing tells of them once this program is closed."""


class ChannelKind(StrEnum):
    """How a channel sends."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    """JSON, signed with HMAC-SHA256."""
    SLACK = "slack"
    """An incoming webhook of Slack, Mattermost or what speaks like them."""
    SITE = "site"
    """A target that an admin has set up (apprise)."""


class Channel(Struct, frozen=True, kw_only=True):
    """Where a person wants alerts sent, without its secret parts."""

    name: str
    kind: ChannelKind
    shown: str = ""
    """The address as it may be shown: a mail address, the host alone of a URL."""
    signing_key: str = ""
    """Of a webhook, by which its receiver checks the signature; only in the answer that made it."""


class QuietHours(Struct, frozen=True, kw_only=True):
    """When nothing but `failed` is sent: it is held back, not dropped."""

    start: str = ""
    """HH:MM; empty for none."""
    end: str = ""
    zone: str = "UTC"
    """An IANA time zone."""


class AlertWishes(Struct, frozen=True, kw_only=True):
    """What a person wants to be told, and where."""

    rules: Mapping[str, str] = {}
    """Rule -> "off", "on", or its threshold as `alerts.rules` reads it; the others have their default."""
    channels: tuple[Channel, ...] = ()
    quiet: QuietHours = QuietHours()


@runtime_checkable
class HasAlerts(Protocol):
    """What knows the alerts of a person's jobs: a server, or the watch of an open program."""

    async def alerts(self, *, everybody: bool = False) -> AlertList:
        """List the alerts, newest first; with `everybody` of all jobs that the caller may see."""
        ...

    async def acknowledge(self, alert_id: str) -> Alert:
        """Say that somebody has seen it: it is told no more, unless it comes anew. Raises NotFound."""
        ...

    async def snooze(self, alert_id: str, until: datetime) -> Alert:
        """Tell of it no more before a time. Raises NotFound."""
        ...


@runtime_checkable
class HasSilence(Protocol):
    """What can leave a rule out for one job alone."""

    async def silence(self, alert_id: str) -> Alert:
        """Tell of an alert's rule about its job no more, in later attempts too. Raises NotFound."""
        ...


@runtime_checkable
class HasAlertWishes(Protocol):
    """A backend that has `Feature.ALERTS`: it sends alerts itself, where a person wants them."""

    async def alert_wishes(self) -> AlertWishes:
        """Return what the caller wants to be told, and where."""
        ...

    async def set_alert_wishes(self, wishes: AlertWishes) -> AlertWishes:
        """Set rules and quiet hours; the channels stay as they are. Raises Invalid, which names the field."""
        ...

    async def add_channel(self, name: str, kind: ChannelKind, address: Secret) -> Channel:
        """Add a channel, or give it another address. Raises Invalid for an address that is not allowed."""
        ...

    async def remove_channel(self, name: str) -> None:
        """Remove a channel with all that waits for it. Raises NotFound."""
        ...

    async def test_channel(self, name: str) -> Delivery:
        """Send one message now, and return what came of it. Raises NotFound."""
        ...
