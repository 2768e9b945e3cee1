"""Alerts of a server as its client has them: over the wire, and of a server that has none."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.alerts.alert import AlertList, HasAlerts, HasAlertWishes
from backend_client.errors import NotFound, Refused
from backend_client.server.backend import ServerBackend
from backend_client.server.wire import encode

LIST = AlertList()


class Wire:
    """Answers as a server: `routes` are the paths that it has."""

    def __init__(self, routes):
        self.routes, self.asked = routes, []

    async def request(self, method, path, *, query=None, body=b"", headers=None):
        self.asked.append((method, path, body))
        if path not in self.routes:
            raise NotFound("There is no such thing.")
        return self.routes[path]

    async def fetch(self, method, path, answer, *, query=None):
        from backend_client.server.connection import Connection  # noqa: PLC0415  its decoder

        return Connection.decode(self, await self.request(method, path), answer)


def backend(**routes):
    made = ServerBackend("lab", "https://lab.example.org", lambda: None)
    made._connection = Wire({path.replace("__", "/"): content for path, content in routes.items()})
    return made


def test_it_keeps_both_protocols():
    assert isinstance(backend(), HasAlerts)
    assert isinstance(backend(), HasAlertWishes)


@pytest.mark.parametrize(
    "ask",
    [
        lambda one: one.alerts(),
        lambda one: one.alert_wishes(),
        lambda one: one.acknowledge("1"),
        lambda one: one.snooze("1", datetime.now(UTC) + timedelta(hours=1)),
        lambda one: one.remove_channel("x"),
        lambda one: one.test_channel("x"),
    ],
)
async def test_an_older_server_has_none(ask):
    with pytest.raises(Refused, match="no alerts") as caught:
        await ask(backend())
    assert "newer" in caught.value.hint


async def test_an_alert_that_is_not_there_is_that():
    one = backend(__api__alerts=encode(LIST))
    with pytest.raises(NotFound):
        await one.acknowledge("7")
    with pytest.raises(NotFound):
        await one.remove_channel("a/b")
    assert ("DELETE", "/api/alerts/channels/a%2Fb", b"") in one._connection.asked
