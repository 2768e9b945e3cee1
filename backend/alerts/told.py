"""What a message tells, and how each kind of channel writes it (pure).

The same rows give the same bytes, however often they are sent: a receiver that gets them twice sees that they
are one. Nothing of a job's command, environment or log is in them but what the rule's sentence says.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from backend_client.alerts.alert import Alert, AlertState
from backend_client.alerts.messages import AlertMessage, digest_of
from backend_client.models import JobRef


class What(StrEnum):
    """What a message tells of an alert."""

    FIRED = "fired"
    RECOVERED = "recovered"
    STILL = "still"
    """The time for which it was snoozed is over, and it is still so."""
    TEST = "test"


class Told(Struct, frozen=True, kw_only=True):
    """One alert in a message."""

    what: What
    sentence: str
    at: datetime
    fired: datetime
    alert: int = 0
    """Its id; 0 in a message that only tries a channel."""
    rule: str = ""
    job: str = ""
    """Its name."""
    cluster: str = ""
    uid: str = ""
    attempt: int = 0
    episode: int = 0


_DECODER = msgspec.json.Decoder(tuple[Told, ...])
_ENCODER = msgspec.json.Encoder(order="deterministic")


def encode_told(told: Sequence[Told]) -> str:
    """Encode what a message tells, for its row."""
    return _ENCODER.encode(tuple(told)).decode()


def decode_told(text: str) -> tuple[Told, ...]:
    """Decode what a row tells."""
    return _DECODER.decode(text)


def message_of(told: Sequence[Told]) -> AlertMessage:
    """Return a message as people read it; of an alert that fired and is over, that it is over."""
    if told[0].what is What.TEST:
        return AlertMessage("traindeck: a test", f"{told[0].sentence}\n")
    newest = {one.alert: one for one in told}
    message = digest_of([_alert(one) for one in newest.values()])
    return AlertMessage(f"traindeck: {message.title}", f"{message.text}\n")


def webhook_body(told: Sequence[Told], key: str) -> bytes:
    """Return the JSON of a webhook."""
    return _ENCODER.encode({"version": 1, "key": key, "title": message_of(told).title, "alerts": told})


def signature(signing_key: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a webhook: HMAC-SHA256 over the timestamp, a full stop and the body."""
    signed = timestamp.encode() + b"." + body
    return f"v1={hmac.new(signing_key.encode(), signed, hashlib.sha256).hexdigest()}"


def slack_body(told: Sequence[Told]) -> bytes:
    """Return the JSON of an incoming webhook of Slack: plain text, in which <, > and & are no mark-up."""
    message = message_of(told)
    text = (
        f"*{message.title}*\n{message.text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    return _ENCODER.encode({"text": text})


def message_id(key: str, channel: int, domain: str) -> str:
    """Return the Message-ID of a mail: the same for the same message to the same channel."""
    return f"<{hashlib.sha256(f'{key} {channel}'.encode()).hexdigest()[:32]}@{domain}>"


def _alert(one: Told) -> Alert:
    is_over = one.what is What.RECOVERED
    return Alert(
        id=str(one.alert),
        rule=one.rule,
        job=JobRef(one.cluster, "", "job", one.job, one.uid),
        attempt=one.attempt,
        episode=one.episode,
        sentence=f"still so: {one.sentence}" if one.what is What.STILL else one.sentence,
        state=AlertState.RECOVERED if is_over else AlertState.FIRING,
        fired=one.fired,
        recovered=one.at if is_over else None,
    )
