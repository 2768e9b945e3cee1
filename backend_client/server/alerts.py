"""Alerts of a server, as one of its users: `HasAlerts` and `HasAlertWishes` over REST."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from msgspec.structs import replace

from backend_client.errors import NotFound, Refused
from backend_client.models.secret import Secret
from backend_client.server.connection import Connection
from backend_client.server.wire import encode

if TYPE_CHECKING:  # a list of jobs needs none of them
    from backend_client.alerts.alert import Alert, AlertList, AlertWishes, Channel, ChannelKind, Delivery

_ALERTS = "/api/alerts"
_CHANNELS = f"{_ALERTS}/channels"
T = TypeVar("T")


class AlertCalls:
    """What a `ServerBackend` has of alerts. An older server has no such routes, and is said to have none."""

    context: str
    _connection: Connection

    async def alerts(self, *, everybody: bool = False) -> "AlertList":
        """List the alerts of the caller's own jobs, or of all that they may see."""
        from backend_client.alerts.alert import AlertList  # noqa: PLC0415  a list of jobs needs none

        query = {"everybody": "true"} if everybody else None
        try:
            found = await self._connection.fetch("GET", _ALERTS, AlertList, query=query)
        except NotFound:
            raise Refused("This server tells of no alerts.", "A newer traindeck server does.") from None
        return replace(found, items=tuple(map(self._alert_from_wire, found.items)))

    async def acknowledge(self, alert_id: str) -> "Alert":
        """Say that an alert was seen."""
        return await self._change_alert(alert_id, "acknowledge", b"")

    async def snooze(self, alert_id: str, until: datetime) -> "Alert":
        """Tell of an alert no more before a time."""
        from backend_client.server.bodies import Snooze  # noqa: PLC0415  as above

        return await self._change_alert(alert_id, "snooze", encode(Snooze(until)))

    async def alert_wishes(self) -> "AlertWishes":
        """Return what the caller wants to be told, and where."""
        from backend_client.alerts.alert import AlertWishes  # noqa: PLC0415  as above

        return await self._known(lambda: self._connection.fetch("GET", f"{_ALERTS}/wishes", AlertWishes))

    async def set_alert_wishes(self, wishes: "AlertWishes") -> "AlertWishes":
        """Set rules and quiet hours."""
        body = encode(replace(wishes, channels=()))
        answer = await self._known(lambda: self._connection.request("PUT", f"{_ALERTS}/wishes", body=body))
        return self._connection.decode(answer, type(wishes))

    async def add_channel(self, name: str, kind: "ChannelKind", address: Secret) -> "Channel":
        """Add a channel, or give it another address."""
        from backend_client.alerts.alert import Channel  # noqa: PLC0415  as above
        from backend_client.server.bodies import NewChannel  # noqa: PLC0415  as above

        body = encode(NewChannel(name, kind, address.reveal()))
        answer = await self._known(lambda: self._connection.request("POST", _CHANNELS, body=body))
        return self._connection.decode(answer, Channel)

    async def remove_channel(self, name: str) -> None:
        """Remove a channel."""
        await self._known(lambda: self._connection.request("DELETE", _channel_path(name)))

    async def test_channel(self, name: str) -> "Delivery":
        """Send one message to a channel now."""
        from backend_client.alerts.alert import Delivery  # noqa: PLC0415  as above

        path = f"{_channel_path(name)}/test"
        return await self._known(lambda: self._connection.fetch("POST", path, Delivery))

    async def _change_alert(self, alert_id: str, what: str, body: bytes) -> "Alert":
        from backend_client.alerts.alert import Alert  # noqa: PLC0415  as above

        path = f"{_ALERTS}/{quote(alert_id, safe='')}/{what}"
        answer = await self._known(lambda: self._connection.request("POST", path, body=body))
        return self._alert_from_wire(self._connection.decode(answer, Alert))

    async def _known(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Make a call; where the answer is 404, find out whether that means the route."""
        try:
            return await call()
        except NotFound:
            await self.alerts()  # raises where it is the routes that are not there
            raise

    def _alert_from_wire(self, alert: "Alert") -> "Alert":
        return replace(alert, job=replace(alert.job, context=self.context))


def _channel_path(name: str) -> str:
    return f"{_CHANNELS}/{quote(name, safe='')}"
