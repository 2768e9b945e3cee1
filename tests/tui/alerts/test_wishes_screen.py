"""What a person wants to be told: rules and quiet hours as a form, channels below it."""

from pathlib import Path

import pytest

from backend_client.alerts.alert import (
    AlertWishes,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    QuietHours,
)
from backend_client.errors import Invalid, Refused, Unreachable
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend, make_alert, make_job
from tests.tui.support.deck import Deck, deck
from tui.alerts.alerts_text import channel_row

SIZE = (100, 40)
MAIL = Channel(name="mail", kind=ChannelKind.EMAIL, shown="a…@example.org")
WISHES = AlertWishes(
    rules={"gpu-idle": "45m", "of-another-version": "on"},
    channels=(MAIL,),
    quiet=QuietHours(start="22:00", end="07:00", zone="Europe/Berlin"),
)


def lab(wishes: AlertWishes = WISHES) -> ScriptedBackend:
    backend = ScriptedBackend([make_job("bert-ft")])
    backend.fire(make_alert("bert-ft"))
    backend.wishes = wishes
    return backend


async def opened(running: Deck) -> None:
    """Open the form, and wait until it has what is kept: then its first field has the focus."""
    await asked(running)
    await running.until(lambda: running.app.screen.fields["failed"].line.has_focus)


async def asked(running: Deck) -> None:
    await running.press("A")
    await running.until("firing")
    await running.press("r")
    await running.until("Quiet hours")


def text_of(running: Deck, key: str) -> str:
    return running.app.screen.fields[key].line.value


def write(running: Deck, **texts: str) -> None:
    for key, text in texts.items():
        running.app.screen.fields[key.replace("__", ".").replace("_", "-")].line.value = text


def kept(backend: ScriptedBackend) -> list[AlertWishes]:
    return [about for name, about in backend.calls if name == "set_alert_wishes"]


def test_the_row_of_a_channel():
    failed = Delivery(channel="mail", state=DeliveryState.FAILED, tries=1, why="no answer")
    assert channel_row(MAIL, None).split() == ["mail", "email", "a…@example.org"]
    assert channel_row(MAIL, failed).endswith("given up after 1 try: no answer")


async def test_what_is_kept_is_shown_and_what_is_changed_is_kept(tmp_path: Path):
    backend = lab()
    async with deck(backend, tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        assert text_of(running, "gpu-idle") == "45m"
        assert text_of(running, "quiet.zone") == "Europe/Berlin"
        assert text_of(running, "silent") == ""
        write(running, silent="1h", loss="off")
        await running.press("f2")
        await running.until("Kept.")
        assert kept(backend) == [
            AlertWishes(
                rules={"gpu-idle": "45m", "silent": "1h", "loss": "off", "of-another-version": "on"},
                quiet=WISHES.quiet,
            )
        ]
        await running.press("escape")
        await running.until("firing")


async def test_what_is_wrong_is_said_at_its_field(tmp_path: Path):
    backend = lab()
    async with deck(backend, tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        write(running, silent="soon")
        await running.press("f2")
        await running.until("soon is no time")
        assert kept(backend) == []
        assert running.app.screen.focused is running.app.screen.fields["silent"].line
        write(running, silent="1h")
        backend.fail["set_alert_wishes"] = Invalid({"quiet.zone": "write a time zone as Europe/Berlin"})
        await running.press("f2")
        await running.until("write a time zone as Europe/Berlin")
        assert "soon is no time" not in running.shown
        assert running.app.screen.focused is running.app.screen.fields["quiet.zone"].line
        assert text_of(running, "silent") == "1h"


async def test_enter_and_the_arrows_go_from_field_to_field(tmp_path: Path):
    async with deck(lab(), tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        fields = running.app.screen.fields

        def focused() -> str:
            return next((key for key, field in fields.items() if field.line.has_focus), "")

        await running.until(lambda: focused() == "failed")
        await running.press("enter", "down", "down", "up")
        await running.until(lambda: focused() == "pending")
        await running.until("or can never start")


async def test_leaving_with_changes_asks(tmp_path: Path):
    async with deck(lab(), tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        write(running, silent="1h")
        await running.press("escape")
        await running.until("Leave without keeping")
        await running.press("enter")
        await running.until(lambda: "Leave without keeping" not in running.shown)
        await running.press("escape")
        await running.until("Leave without keeping")
        await running.press("y")
        await running.until("firing")


async def test_a_channel_is_added_and_what_is_wrong_with_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    backend = lab(AlertWishes())
    real = backend.add_channel
    wrong = [Invalid({"address": "write a URL that begins with https://"}), Invalid({"name": "is too long"})]

    async def add(name, kind, address):
        if wrong:
            raise wrong.pop(0)
        channel = await real(name, kind, address)
        return Channel(name=name, kind=kind, shown=channel.shown, signing_key="s3cret-key")

    monkeypatch.setattr(backend, "add_channel", add)
    async with deck(backend, tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        await running.until("none yet, so that nothing is sent")
        await running.press("f3")
        await running.until("How to send")
        await running.press(*"webhook", "enter")
        await running.until("The channel's name")
        await running.press(*"hook", "enter")
        await running.until("Where to send (not shown)")
        await running.press(*"http", "enter")
        await running.until("write a URL that begins with https://")
        await running.press(*"secret", "enter")
        await running.until("is too long")
        await running.press("enter")
        await running.until("Where to send (not shown)")
        await running.press(*"secret", "enter")
        await running.until("The signing key of hook")
        await running.until("s3cret-key")
        await running.press("escape")
        await running.until("hook is added; f4 sends one message to it.")
        assert backend.addresses["hook"].reveal() == "secret"
        assert "secret" not in running.sent.replace("s3cret", "")


async def test_send_me_one_says_what_came_of_it(tmp_path: Path):
    backend = lab()
    async with deck(backend, tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        await running.press("f4")
        await running.until(lambda: ("test_channel", "mail") in backend.calls)
        await running.until("a…@example.org  sent")
        backend.delivery = Delivery(channel="", state=DeliveryState.FAILED, tries=1, why="it answers 500")
        await running.press("f4")
        await running.until("given up after 1 try: it answers 500")
        backend.fail["test_channel"] = Refused(
            "You have tried your channels often just now.", "Wait 10 minutes."
        )
        await running.press("f4")
        await running.until("You have tried your channels often just now.")


async def test_a_channel_is_removed_after_a_question_and_what_is_typed_stays(tmp_path: Path):
    backend = lab()
    async with deck(backend, tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        write(running, silent="1h")
        await running.press("f6")
        await running.until("Remove mail?")
        await running.press("y")
        await running.until("mail is removed.")
        await running.until("none yet, so that nothing is sent")
        assert text_of(running, "silent") == "1h"


async def test_a_server_that_does_not_answer_is_said_and_nothing_can_be_kept(tmp_path: Path):
    backend = lab()
    backend.fail["alert_wishes"] = Unreachable("lab does not answer.")
    async with deck(backend, tmp_path=tmp_path, size=SIZE) as running:
        await asked(running)
        await running.until("lab does not answer.")
        await running.press("f2", "f3", "f4")
        await running.press("escape")
        await running.until("firing")
    assert kept(backend) == []


async def test_without_a_server_the_key_says_why(tmp_path: Path):
    backend = ScriptedBackend(
        [make_job("bert-ft")], lacks={Feature.ALERTS: "a server sends them at any time"}
    )
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("A")
        await running.until("Nothing has fired.")
        await running.press("r")
        await running.until("a server sends them at any time")


async def test_f1_shows_its_keys_and_goes_back(tmp_path: Path):
    async with deck(lab(), tmp_path=tmp_path, size=SIZE) as running:
        await opened(running)
        await running.press("f1")
        await running.until("Send one message to the channel, now.")
        await running.press("escape")
        await running.until("Quiet hours")
