"""Channels: what leaves the server, to real receivers on this machine, and what is told when it does not."""

import base64
import hashlib
import hmac
import json
import logging
import socket
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from backend.alerts import mail, post
from backend.alerts.address_guard import AddressGuard
from backend.alerts.channels import Channels
from backend.alerts.told import Told, What
from backend.clusters.credential_vault import CredentialVault
from backend.db.models import ChannelRow
from backend.json_logging import log_as_json
from backend.settings import ServerSettings
from backend_client.alerts.alert import ChannelKind
from backend_client.errors import BackendError, Invalid, Refused, Unreachable
from tests.backend.support.receivers import MailServer, receiver
from tests.backend_client.server.support.certificates import authority, server_tls

NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)
SECRET = "T024/B1/very-secret-path"
FIRED = Told(
    what=What.FIRED,
    sentence="no GPU of bert-ft was used for <30 min> & more",
    at=NOW,
    fired=NOW,
    alert=7,
    rule="gpu-idle",
    job="bert-ft",
    cluster="lab",
    uid="u1",
    attempt=2,
    episode=1,
)


class Lab:
    """Channels with settings, and names that lead to this machine."""

    def __init__(self, tmp_path, names=None, **settings):
        self.settings = ServerSettings(folder=tmp_path, **settings)
        self.names = names or {}
        self.vault = CredentialVault(b"k" * 32)
        guard = AddressGuard(self.settings.alert_hosts, self._resolve)
        self.channels = Channels(self.settings, self.vault, guard, clock=lambda: 1_700_000_000.9)

    async def _resolve(self, host, port):
        if host not in self.names:
            raise socket.gaierror
        return self.names[host]

    def channel(self, kind, address):
        row = ChannelRow(id=3, user_id=1, name="mine", kind=kind, shown="", created=NOW)
        self.signing_key = self.channels.seal(row, address)
        return row

    async def send(self, kind, address, *told, key="k1"):
        await self.channels.send(self.channel(kind, address), told or (FIRED,), key, NOW)


async def test_a_webhook_is_signed(tmp_path):
    async with receiver() as there:
        lab = Lab(tmp_path, {"hook.lab": ["127.0.0.1"]}, alert_hosts=(f"http://hook.lab:{there.port}",))
        await lab.send(
            ChannelKind.WEBHOOK, f"http://hook.lab:{there.port}/{SECRET}?x=1", key="s-alert-7-fired"
        )
        (heard,) = there.heard
    assert heard.line == f"POST /{SECRET}?x=1 HTTP/1.1"
    assert heard.headers["host"] == f"hook.lab:{there.port}"
    assert heard.headers["idempotency-key"] == "s-alert-7-fired"
    assert heard.headers["x-traindeck-timestamp"] == "1700000000"
    signed = hmac.new(lab.signing_key.encode(), b"1700000000." + heard.body, hashlib.sha256).hexdigest()
    assert heard.headers["x-traindeck-signature"] == f"v1={signed}"
    body = json.loads(heard.body)
    assert (body["version"], body["key"]) == (1, "s-alert-7-fired")
    (alert,) = body["alerts"]
    assert (alert["job"], alert["cluster"], alert["rule"], alert["what"]) == (
        "bert-ft",
        "lab",
        "gpu-idle",
        "fired",
    )
    assert alert["sentence"] == FIRED.sentence


@pytest.fixture
def logged(monkeypatch):
    """The lines of the server's log."""
    lines, level = [], logging.root.level
    monkeypatch.setattr(logging.root, "handlers", [])
    log_as_json(lines.append)
    yield lines
    logging.root.setLevel(level)


async def test_the_log_has_no_address(tmp_path, logged):
    """That of a webhook is a secret, and an HTTP client may write each URL that it asks."""
    async with receiver() as there:
        lab = Lab(tmp_path, {"hook.lab": ["127.0.0.1"]}, alert_hosts=(f"http://hook.lab:{there.port}",))
        await lab.send(ChannelKind.WEBHOOK, f"http://hook.lab:{there.port}/{SECRET}")
        assert there.heard
    logging.getLogger("traindeck.alerts").info("something else")
    assert "something else" in logged[-1]
    assert SECRET not in "".join(logged)


async def test_slack_gets_text_without_mark_up(tmp_path):
    async with receiver() as there:
        lab = Lab(tmp_path, {"chat.lab": ["127.0.0.1"]}, alert_hosts=(f"http://chat.lab:{there.port}",))
        await lab.send(ChannelKind.SLACK, f"http://chat.lab:{there.port}/hook")
    text = json.loads(there.heard[0].body)["text"]
    assert "&lt;30 min&gt; &amp; more" in text
    assert "traindeck alerts ack 7" in text
    assert lab.signing_key == ""


async def test_the_checked_address_is_reached_under_its_own_name(tmp_path):
    """TLS: the name of the certificate and of the hello is the host's, the connection is to its address."""
    ca = authority(tmp_path, "chat.lab.example")
    async with receiver(server_tls(tmp_path)) as there:
        lab = Lab(
            tmp_path,
            {"chat.lab.example": ["127.0.0.1"], "other.lab.example": ["127.0.0.1"]},
            alert_hosts=(f"chat.lab.example:{there.port}", f"other.lab.example:{there.port}"),
            alert_ca=ca,
        )
        await lab.send(ChannelKind.WEBHOOK, f"https://chat.lab.example:{there.port}/x")
        assert there.names == ["chat.lab.example"]
        assert there.heard[0].headers["host"] == f"chat.lab.example:{there.port}"
        with pytest.raises(Unreachable, match=r"certificate of other\.lab\.example"):
            await lab.send(ChannelKind.WEBHOOK, f"https://other.lab.example:{there.port}/x")
        assert len(there.heard) == 1
        strict = Lab(tmp_path, lab.names, alert_hosts=lab.settings.alert_hosts)
        with pytest.raises(Unreachable, match="certificate"):
            await strict.send(ChannelKind.WEBHOOK, f"https://chat.lab.example:{there.port}/x")


async def test_a_name_that_turns_to_this_machine_reaches_nothing(tmp_path):
    """Rebinding: public when it was added, this machine when it is sent to."""
    names = {"rebind.example": ["8.8.8.8"]}
    lab = Lab(tmp_path, names)
    assert await lab.channels.check(ChannelKind.WEBHOOK, "https://rebind.example/x") == "rebind.example"
    names["rebind.example"] = ["127.0.0.1"]
    with pytest.raises(Refused, match=r"rebind\.example"):
        await lab.send(ChannelKind.WEBHOOK, "https://rebind.example/x")


async def test_one_look_up_for_each_message(tmp_path):
    """What was checked is what is connected to: a second look-up could be answered otherwise."""
    async with receiver() as there:
        lab = Lab(tmp_path, {"hook.lab": ["127.0.0.1"]}, alert_hosts=(f"http://hook.lab:{there.port}",))
        answers, asked = [["127.0.0.1"], ["127.0.0.9"]], []

        async def resolve(host, port):
            asked.append(host)
            return answers[len(asked) - 1]

        lab.channels._poster.guard._resolve = resolve
        await lab.send(ChannelKind.WEBHOOK, f"http://hook.lab:{there.port}/x")
    assert asked == ["hook.lab"]
    assert len(there.heard) == 1


async def test_the_next_address_is_tried_where_one_is_dead(tmp_path):
    async with receiver() as there:
        names = {"hook.lab": ["127.0.0.9", "127.0.0.1"]}
        lab = Lab(tmp_path, names, alert_hosts=(f"http://hook.lab:{there.port}",))
        await lab.send(ChannelKind.WEBHOOK, f"http://hook.lab:{there.port}/x")
        assert len(there.heard) == 1


@pytest.mark.parametrize(
    "answer", [301, 302, 307, 308, 400, 404, 410, 429, 500, 503, "break", "hang", "closed"]
)
async def test_a_failure_is_a_sentence_without_the_address(tmp_path, answer, monkeypatch):
    monkeypatch.setattr(post, "LIMIT_SECONDS", 0.3)
    async with receiver() as there:
        there.answers = [answer]
        lab = Lab(tmp_path, {"hook.lab": ["127.0.0.1"]}, alert_hosts=(f"http://hook.lab:{there.port}",))
        if answer == "closed":
            there.server.close()
        with pytest.raises(BackendError) as caught:
            await lab.send(ChannelKind.WEBHOOK, f"http://hook.lab:{there.port}/{SECRET}")
        assert there.connections == (answer != "closed")
    assert caught.value.title.startswith("hook.lab")
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert isinstance(caught.value, Refused if answer in (301, 302, 307, 308, 400, 404, 410) else Unreachable)


async def test_no_proxy_of_the_environment_is_asked(tmp_path, monkeypatch):
    async with receiver() as there, receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        lab = Lab(tmp_path, {"hook.lab": ["127.0.0.1"]}, alert_hosts=(f"http://hook.lab:{there.port}",))
        await lab.send(ChannelKind.WEBHOOK, f"http://hook.lab:{there.port}/x")
        assert (len(there.heard), proxy.connections) == (1, 0)


def mail_settings(there, **more):
    return {"smtp_host": "127.0.0.1", "smtp_port": there.port, "smtp_tls": "none",
            "smtp_from": "traindeck <td@lab.example>"} | more  # fmt: skip


async def test_a_mail_is_the_same_each_time(tmp_path):
    async with MailServer() as there:
        lab = Lab(tmp_path, **mail_settings(there))
        for _ in range(2):
            await lab.send(ChannelKind.EMAIL, "ann@lab.example", key="s-alert-7-fired")
        await lab.send(ChannelKind.EMAIL, "ann@lab.example", key="s-alert-8-fired")
        (sender, to, first), (_, _, second), (_, _, other) = there.mails
    assert (sender, to) == ("<td@lab.example>", ["ann@lab.example"])
    assert first["Message-ID"] == second["Message-ID"] != other["Message-ID"]
    assert first["Message-ID"].endswith("@lab.example>")
    assert (first["To"], first["Auto-Submitted"]) == ("ann@lab.example", "auto-generated")
    assert "bert-ft" in first["Subject"]
    assert FIRED.sentence in first.get_content()
    assert first.as_bytes() == second.as_bytes()


async def test_mail_by_starttls_with_a_login(tmp_path):
    ca = authority(tmp_path)
    login = base64.b64encode(b"\0td\0pw").decode()
    async with MailServer(server_tls(tmp_path), login) as there:
        lab = Lab(tmp_path, **mail_settings(there, smtp_tls="starttls", smtp_user="td", smtp_password="pw"))
        with pytest.raises(Unreachable, match="certificate"):
            await lab.send(ChannelKind.EMAIL, "ann@lab.example")
        lab.channels._mailer._tls.load_verify_locations(ca)
        await lab.send(ChannelKind.EMAIL, "ann@lab.example")
        assert len(there.mails) == 1
        assert there.said.index("STARTTLS") < there.said.index(f"AUTH PLAIN {login}")
        wrong = Lab(tmp_path, **mail_settings(there, smtp_tls="starttls", smtp_user="td", smtp_password="no"))
        wrong.channels._mailer._tls.load_verify_locations(ca)
        with pytest.raises(Unreachable, match="535"):
            await wrong.send(ChannelKind.EMAIL, "ann@lab.example")
    async with MailServer() as plain:
        lab = Lab(tmp_path, **mail_settings(plain, smtp_tls="starttls"))
        with pytest.raises(Refused, match="STARTTLS"):  # never in clear where TLS was asked for
            await lab.send(ChannelKind.EMAIL, "ann@lab.example")
        assert not plain.mails


async def test_mail_that_is_not_taken(tmp_path, monkeypatch):
    async with MailServer() as there:
        there.refuse = {"gone@lab.example"}
        lab = Lab(tmp_path, **mail_settings(there))
        with pytest.raises(Refused, match="550") as caught:
            await lab.send(ChannelKind.EMAIL, "gone@lab.example")
        assert "gone@" not in str(caught.value)
    monkeypatch.setattr(mail, "LIMIT_SECONDS", 5)
    with pytest.raises(Unreachable, match="cannot be reached"):
        await lab.send(ChannelKind.EMAIL, "ann@lab.example")


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@", "@lab", "a b@lab.example", "ann@lab.example, bob@lab.example",
     "ann@lab.example\r\nBcc: x@y.z",
     "<ann@lab.example>", "ann@[127.0.0.1]", "ann@lab..example", '"a b"@lab.example', "ann@lab.example>"],
)  # fmt: skip
async def test_addresses_that_no_mail_goes_to(tmp_path, address):
    lab = Lab(tmp_path, smtp_host="127.0.0.1", smtp_from="td@lab.example")
    with pytest.raises(Invalid):
        await lab.channels.check(ChannelKind.EMAIL, address)


async def test_mail_to_some_domains_alone(tmp_path):
    lab = Lab(tmp_path, smtp_host="127.0.0.1", smtp_from="td@lab.example", smtp_domains=("lab.example",))
    assert await lab.channels.check(ChannelKind.EMAIL, "ann@LAB.example") == "a…@LAB.example"
    with pytest.raises(Invalid, match=r"lab\.example"):
        await lab.channels.check(ChannelKind.EMAIL, "ann@elsewhere.example")
    with pytest.raises(Refused, match="no mail"):
        await Lab(tmp_path).channels.check(ChannelKind.EMAIL, "ann@lab.example")


class Apprise:
    """What we use of apprise, as its documentation has it; the real one is an extra."""

    takes, sent = True, []

    def add(self, url):
        return not url.startswith("bad:")

    async def async_notify(self, *, title, body):
        self.sent.append((title, body))
        return self.takes


async def test_targets_of_the_site(tmp_path, monkeypatch):
    targets = {"ops": SecretStr("tgram://secret/1"), "odd": SecretStr("bad://x")}
    lab = Lab(tmp_path, alert_targets=targets)
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(Refused, match="no apprise") as caught:
        await lab.channels.check(ChannelKind.SITE, "ops")
    assert "traindeck[apprise]" in caught.value.hint
    monkeypatch.setitem(sys.modules, "apprise", SimpleNamespace(Apprise=Apprise))
    assert await lab.channels.check(ChannelKind.SITE, "ops") == "ops"
    with pytest.raises(Invalid, match="ops"):
        await lab.channels.check(ChannelKind.SITE, "opz")
    with pytest.raises(Invalid):  # a person writes a name, never a URL
        await lab.channels.check(ChannelKind.SITE, "json://localhost/")
    await lab.send(ChannelKind.SITE, "ops")
    assert FIRED.sentence in Apprise.sent[0][1]
    monkeypatch.setattr(Apprise, "takes", False)
    with pytest.raises(Unreachable):
        await lab.send(ChannelKind.SITE, "ops")
    with pytest.raises(Refused) as caught:
        await lab.send(ChannelKind.SITE, "odd")
    assert "bad://" not in str(caught.value)


async def test_addresses_are_encrypted_for_their_owner(tmp_path):
    lab = Lab(tmp_path)
    row = lab.channel(ChannelKind.WEBHOOK, f"https://hooks.example/{SECRET}")
    assert SECRET.encode() not in row.address
    assert lab.signing_key.encode() not in row.address
    row.user_id = 2
    with pytest.raises(Refused, match="mine"):
        await lab.channels.send(row, [FIRED], "k", NOW)


async def test_a_mail_address_is_shown_without_its_name(tmp_path):
    lab = Lab(tmp_path, smtp_host="127.0.0.1", smtp_from="td@lab.example")
    assert await lab.channels.check(ChannelKind.EMAIL, "ann@lab.example") == "a…@lab.example"
