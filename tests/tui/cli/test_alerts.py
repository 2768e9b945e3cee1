"""`alerts`: what is listed, changed and asked for; no URL in a command line."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend_client.alerts.alert import (
    Alert,
    AlertList,
    AlertState,
    AlertWishes,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    QuietHours,
)
from backend_client.contexts import LocalContext
from backend_client.models import JobRef
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend
from tui.cli import prompt

NOW = datetime.now(UTC)
URL = "https://hooks.example.org/very-secret"


def alert(number, **more):
    return Alert(
        id=str(number), rule="gpu-idle", job=JobRef("lab", "", "job", "bert", "u1"),
        sentence="no GPU is used", fired=NOW - timedelta(minutes=42), **more,
    )  # fmt: skip


class WithAlerts(ScriptedBackend):
    """The scripted backend, as a server that sends alerts."""

    def __init__(self):
        super().__init__()
        self.items = (alert(1), alert(2, state=AlertState.RECOVERED))
        self.wishes = AlertWishes()
        self.addresses = []

    async def alerts(self, *, everybody=False):
        return AlertList(items=(*self.items, alert(3, owner="bob")) if everybody else self.items)

    async def acknowledge(self, alert_id):
        return replace(alert(alert_id), acknowledged=NOW)

    async def snooze(self, alert_id, until):
        self.until = until
        return replace(alert(alert_id), snoozed_until=until)

    async def alert_wishes(self):
        return self.wishes

    async def set_alert_wishes(self, wishes):
        self.wishes = wishes
        return wishes

    async def add_channel(self, name, kind, address):
        self.addresses.append((name, kind, address.reveal()))
        return Channel(name=name, kind=kind, shown="hooks.example.org", signing_key="the-key")

    async def remove_channel(self, name):
        self.addresses.append(("removed", name))

    async def test_channel(self, name):
        return Delivery(
            channel=name, state=DeliveryState.FAILED, tries=1, why="hooks.example.org answers 404."
        )


@pytest.fixture
def backend(monkeypatch):
    made = WithAlerts()
    monkeypatch.setattr(LocalContext, "open", lambda self, name: made)
    return made


def test_an_admin_sees_everybodys_with_their_owners(cli, backend):
    head, *rows = cli("alerts", "--everybody").out.splitlines()
    assert head.split()[:3] == ["ID", "OWNER", "SINCE"]
    assert rows[-1].split()[:2] == ["3", "bob"]
    assert len(json.loads(cli("alerts", "--everybody", "-o", "json").out)["items"]) == 3
    refused = cli("alerts", "ack", "1", "--everybody")
    assert refused.code == 2
    assert "goes with list alone" in refused.err


def test_the_list(cli, backend):
    sent = Delivery(channel="mail", state=DeliveryState.SENT, tries=1)
    failed = Delivery(channel="chat", state=DeliveryState.FAILED, tries=7, why="it answers 404")
    backend.items = (alert(1, deliveries=(sent, failed)), *backend.items[1:])
    result = cli("alerts")
    assert result.code == 0
    head, first, second = result.out.splitlines()
    assert head.split() == ["ID", "SINCE", "STATE", "RULE", "TOLD", "WHAT"]
    assert "firing" in first
    assert "chat failed after 7 tries, mail sent" in first
    assert "over" in second
    assert cli("alerts", "-o", "name").out.split() == ["1", "2"]
    assert [one["id"] for one in json.loads(cli("alerts", "-o", "json").out)["items"]] == ["1", "2"]


def test_seen_and_silenced(cli, backend):
    assert "acknowledged" in cli("alerts", "ack", "1", "2").err
    before = datetime.now(UTC)
    result = cli("alerts", "snooze", "1", "2h")
    assert result.code == 0
    assert before + timedelta(hours=2) <= backend.until <= datetime.now(UTC) + timedelta(hours=2)
    assert cli("alerts", "snooze", "1", "soon").code == 2
    assert cli("alerts", "snooze", "1").code == 2
    assert cli("alerts", "ack").code == 2
    refused = cli("alerts", "ack", "1", "--read-only")
    assert (refused.code, "read-only" in refused.err) == (1, True)


def test_rules(cli, backend):
    result = cli("alerts", "set", "gpu-idle=45m", "finished=on")
    assert (result.code, backend.wishes.rules) == (0, {"gpu-idle": "45m", "finished": "on"})
    assert "45m" in result.out
    assert "(default)" in result.out
    cli("alerts", "set", "finished=default")
    assert backend.wishes.rules == {"gpu-idle": "45m"}
    assert cli("alerts", "set", "gpu-idle").code == 2
    assert cli("alerts", "wishes", "-o", "json").code == 0


def test_quiet_hours(cli, backend):
    result = cli("alerts", "quiet", "22:00-07:00", "Europe/Berlin")
    assert result.out == "22:00-07:00 Europe/Berlin\n"
    assert backend.wishes.quiet == QuietHours(start="22:00", end="07:00", zone="Europe/Berlin")
    assert cli("alerts", "quiet", "23:00-06:00").out == "23:00-06:00 Europe/Berlin\n"
    assert cli("alerts", "quiet", "off").out == "off\n"
    assert cli("alerts", "quiet", "22:00").code == 2


def test_a_secret_address_never_stands_in_a_command_line(cli, backend, monkeypatch):
    refused = cli("alerts", "channels", "add", "chat", "slack", URL)
    assert (refused.code, backend.addresses) == (1, [])
    assert URL not in refused.out + refused.err
    asked = []

    def ask_secret(question, *, from_stdin, new=False):
        asked.append((question, from_stdin))
        return prompt.Secret(URL)

    monkeypatch.setattr(prompt, "ask_secret", ask_secret)
    made = cli("alerts", "channels", "add", "chat", "webhook", "-")
    cli("alerts", "channels", "add", "chat", "slack")
    cli("alerts", "channels", "add", "mail", "email", "ann@example.org")
    assert asked == [("URL", True), ("URL", False)]
    assert made.out == "the-key\n"
    assert URL not in made.out + made.err
    assert backend.addresses == [
        ("chat", ChannelKind.WEBHOOK, URL), ("chat", ChannelKind.SLACK, URL),
        ("mail", ChannelKind.EMAIL, "ann@example.org"),
    ]  # fmt: skip
    assert cli("alerts", "channels", "add", "mail", "email").code == 2
    assert cli("alerts", "channels", "add", "mail", "pigeon", "x").code == 2


def test_channels(cli, backend):
    assert "No channel" in cli("alerts", "channels").err
    backend.wishes = AlertWishes(
        channels=(Channel(name="chat", kind=ChannelKind.SLACK, shown="hooks.example.org"),)
    )
    assert cli("alerts", "channels").out.splitlines()[1].split() == ["chat", "slack", "hooks.example.org"]
    tried = cli("alerts", "channels", "test", "chat")
    assert (tried.code, "hooks.example.org answers 404" in tried.err) == (1, True)
    assert cli("alerts", "channels", "remove", "chat").code == 0
    assert backend.addresses == [("removed", "chat")]
    assert cli("alerts", "channels", "paint").code == 2


def test_where_nothing_sends(cli, backend):
    backend.features -= {Feature.ALERTS}
    backend.missing_features = {Feature.ALERTS: "alerts are told while traindeck is open"}
    result = cli("alerts")
    assert (result.code, "alerts are told while traindeck is open" in result.err) == (1, True)
