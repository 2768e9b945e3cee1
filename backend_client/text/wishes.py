"""A person's wishes as fields: what stands in them, what is wrong, what becomes of them. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from backend_client.alerts.alert import AlertWishes, Channel, ChannelKind, Delivery, QuietHours
from backend_client.models.alert_thresholds import OFF, ON, THRESHOLDS, parse_threshold
from backend_client.text.alerts import delivery_words
from backend_client.text.figures import local_time
from backend_client.text.questions import Question
from backend_client.text.sanitize import clean

QUIET = "quiet."
"""How the keys of the quiet hours begin; those of the rules are their ids."""
_THRESHOLD = "this time or amount"
"""Stands for the threshold of a rule in its text, until something is written for it."""
KINDS: Mapping[ChannelKind, str] = {
    ChannelKind.EMAIL: "a mail address",
    ChannelKind.WEBHOOK: "JSON to a URL, signed with a key that is shown once",
    ChannelKind.SLACK: "an incoming webhook of Slack, Mattermost or what speaks like them",
    ChannelKind.SITE: "a target that an admin of this server has set up, by its name",
}


RULES_HEADING = "Rules: off, on, or from which time or amount on"
NO_CHANNEL = "none yet, so that nothing is sent"
CHANNEL_NAME = "As you call it in the list."
SIGNING = (
    "A receiver checks with it that a message is from this server. It is not shown again;\n"
    "the channel given another address gets another key."
)
_NAMED = (ChannelKind.EMAIL, ChannelKind.SITE)


class FieldText(NamedTuple):
    """What one field is called and is for."""

    key: str
    label: str
    default: str
    title: str
    about: str


def rule_fields() -> list[FieldText]:
    """Return the fields of the rules, in the order of their table."""
    return [
        FieldText(name, name, rule.default, rule.title, rule.about(_THRESHOLD))
        for name, rule in THRESHOLDS.items()
    ]


_NIGHT = "Within these hours nothing but `failed` is sent: it comes when they are over."
QUIET_FIELDS = (
    FieldText(f"{QUIET}start", "from", "22:00", "none where empty", _NIGHT),
    FieldText(f"{QUIET}end", "to", "07:00", "", _NIGHT),
    FieldText(f"{QUIET}zone", "time zone", "UTC", "as Europe/Berlin", _NIGHT),
)


def field_texts(wishes: AlertWishes) -> dict[str, str]:
    """Return the text of each field; empty where the default holds."""
    quiet = {f"{QUIET}start": wishes.quiet.start, f"{QUIET}end": wishes.quiet.end}
    zone = wishes.quiet.zone if wishes.quiet.zone != "UTC" else ""
    return {name: wishes.rules.get(name, "") for name in THRESHOLDS} | quiet | {f"{QUIET}zone": zone}


def wishes_of(texts: Mapping[str, str], before: AlertWishes) -> AlertWishes:
    """Return the wishes that stand in the fields; rules that are not shown here stay as they were."""
    rules = {rule: text for rule, text in before.rules.items() if rule not in THRESHOLDS}
    rules |= {key: text for key, text in texts.items() if key in THRESHOLDS and text}
    quiet = QuietHours(
        start=texts[f"{QUIET}start"], end=texts[f"{QUIET}end"], zone=texts[f"{QUIET}zone"] or "UTC"
    )
    return AlertWishes(rules=rules, quiet=quiet)


def wrong_rules(texts: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with the rules, by field; the server has the last word, and says the rest."""
    wrong = {}
    for name in THRESHOLDS:
        if text := texts.get(name):
            try:
                parse_threshold(name, text)
            except ValueError as error:
                wrong[name] = str(error)
    return wrong


def by_field(errors: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return a server's errors by field of this screen, and in one sentence those that belong to none."""
    known = set(THRESHOLDS) | {each.key for each in QUIET_FIELDS}
    fields, rest = {}, []
    for name, words in errors.items():
        key = f"{QUIET}start" if name == "quiet" else name.removeprefix("rules.")
        if key in known:
            fields[key] = words
        else:
            rest.append(f"{name}: {words}")
    return fields, "; ".join(rest)


def is_secret(kind: ChannelKind) -> bool:
    """Return whether the address of a channel is a secret: who has a URL can write there."""
    return kind not in _NAMED


def removal_question(name: str) -> Question:
    """Return the question before a channel is removed."""
    return Question(f"Remove {clean(name, 80)}?", "What waits for it is not sent.", "Remove")


def channel_cells(
    channel: Channel, last: Delivery | None, at: Callable[[datetime], str] = local_time
) -> tuple[str, str, str, str]:
    """Return the name of a channel, its kind, what it shows, and what came of the last try."""
    tried = delivery_words(last, at).partition(": ")[2] if last else ""
    return clean(channel.name, 80), channel.kind.value, clean(channel.shown, 80), tried


def meaning(text: str, about: str) -> str:
    """Say what a field does, with what is written in it."""
    if text.lower() == OFF:
        return f"Off. {about}"
    return about if not text or text.lower() == ON else about.replace(_THRESHOLD, text)
