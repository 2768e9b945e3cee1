"""`alerts`: what a server tells of one's jobs: seen, silenced; what one wants to be told, and where."""

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from msgspec import to_builtins
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
    HasAlerts,
    HasAlertWishes,
    QuietHours,
)
from backend_client.errors import Invalid, Refused, sentence
from backend_client.models.alert_thresholds import THRESHOLDS
from backend_client.models.quantities import parse_duration
from backend_client.models.secret import Secret
from backend_client.protocol import Feature, JobBackend
from backend_client.text.figures import local_time, span
from tui.cli import prompt
from tui.cli.arguments import Parser, one_of
from tui.cli.handlers import BackendHandler
from tui.cli.output import Table, print_as, print_data, print_message

_ACTIONS = ("list", "ack", "snooze", "wishes", "set", "channels", "quiet")
_LOOKS = ("list", "wishes")
_SECRET_KINDS = (ChannelKind.WEBHOOK, ChannelKind.SLACK)
"""Whose addresses are secrets."""


def add_alerts_flags(parser: Parser) -> None:
    """Add the flags of `alerts`."""
    parser.add_argument("what", nargs="?", default="list", type=one_of(*_ACTIONS), help=", ".join(_ACTIONS))
    parser.add_argument(
        "--everybody", action="store_true", help="list: of all jobs that you may see, with their owners"
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="ack: ID...; snooze: ID 2h; set: RULE=off, RULE=30m; quiet: 22:00-07:00 Europe/Berlin, or off;"
        " channels: add NAME email|webhook|slack|site ADDRESS|-, test NAME, remove NAME",
    )


async def alerts(args: argparse.Namespace, backend: JobBackend) -> int:
    """List alerts; acknowledge or snooze one; say what is to be told, and where."""
    if Feature.ALERTS not in backend.features:
        raise Refused("Nothing sends alerts here.", backend.missing_features.get(Feature.ALERTS, ""))
    if args.everybody and args.what != "list":
        raise Invalid({"--everybody": "goes with list alone"})
    if args.what not in _LOOKS and args.words:
        _require_writable(args)
    return await _RUNS[args.what](args, backend)


async def _list(args: argparse.Namespace, backend: JobBackend) -> int:
    _count(args, 0, "list takes no words")
    found = await cast("HasAlerts", backend).alerts(everybody=args.everybody)
    return _print_alerts(args, found)


async def _acknowledge(args: argparse.Namespace, backend: JobBackend) -> int:
    if not args.words:
        raise Invalid({"ID": "is missing"})
    has_alerts = cast("HasAlerts", backend)
    seen = [await has_alerts.acknowledge(alert_id) for alert_id in args.words]
    for alert in seen:
        print_message(f"Alert {alert.id} of {alert.job.name} is acknowledged.")
    return _print_changed(args, seen)


async def _snooze(args: argparse.Namespace, backend: JobBackend) -> int:
    _count(args, 2, "snooze: write ID and a time as 2h")
    alert_id, text = args.words
    until = datetime.now(UTC) + timedelta(seconds=_duration(text))
    alert = await cast("HasAlerts", backend).snooze(alert_id, until)
    print_message(f"Nothing is told of alert {alert.id} of {alert.job.name} before {local_time(until)}.")
    return _print_changed(args, [alert])


async def _wishes(args: argparse.Namespace, backend: JobBackend) -> int:
    _count(args, 0, "wishes takes no words; `set RULE=...` changes them")
    return _print_wishes(args, await cast("HasAlertWishes", backend).alert_wishes())


async def _set(args: argparse.Namespace, backend: JobBackend) -> int:
    if not args.words:
        raise Invalid({"RULE=VALUE": "is missing; `traindeck alerts wishes` lists the rules"})
    has_wishes, changes = cast("HasAlertWishes", backend), dict(map(_rule, args.words))
    wishes = await has_wishes.alert_wishes()
    rules = {**wishes.rules, **changes}
    rules = {name: text for name, text in rules.items() if text != "default"}
    return _print_wishes(args, await has_wishes.set_alert_wishes(replace(wishes, rules=rules)))


async def _quiet(args: argparse.Namespace, backend: JobBackend) -> int:
    has_wishes = cast("HasAlertWishes", backend)
    wishes = await has_wishes.alert_wishes()
    if args.words:
        wishes = await has_wishes.set_alert_wishes(
            replace(wishes, quiet=_quiet_hours(args.words, wishes.quiet.zone))
        )
    if not print_as(args.output, lambda: to_builtins(wishes.quiet)):
        print_data(_quiet_text(wishes.quiet))
    return 0


async def _channels(args: argparse.Namespace, backend: JobBackend) -> int:
    has_wishes, words = cast("HasAlertWishes", backend), args.words
    match words:
        case [] | ["list"]:
            return _print_channels(args, (await has_wishes.alert_wishes()).channels)
        case ["add", name, kind, *address] if len(address) <= 1:
            return await _add_channel(args, has_wishes, name, kind, *address)
        case ["remove", name]:
            await has_wishes.remove_channel(name)
            print_message(f"The channel {name} is removed, with all that waited for it.")
            return 0
        case ["test", name]:
            return _print_test(args, await has_wishes.test_channel(name))
    raise Invalid({"channels": "write list, add NAME KIND ADDRESS, test NAME or remove NAME"})


async def _add_channel(
    args: argparse.Namespace, has_wishes: HasAlertWishes, name: str, kind: str, address: str = ""
) -> int:
    kinds = [each.value for each in ChannelKind]
    if kind not in kinds:
        raise Invalid({"KIND": f"write {', '.join(kinds)}"})
    made = await has_wishes.add_channel(name, ChannelKind(kind), _address(ChannelKind(kind), address))
    if args.output == "name":
        print_data(made.name)
    elif not print_as(args.output, lambda: to_builtins(made)):
        print_message(
            f"Alerts go to {made.name} ({made.kind}, {made.shown});"
            f" `traindeck alerts channels test {made.name}` sends one."
        )
        if made.signing_key:
            print_message("Its receiver checks messages by this key, which is shown only now:")
            print_data(made.signing_key)
    return 0


def _address(kind: ChannelKind, given: str) -> Secret:
    """Return the address of a new channel; that of a webhook from a pipe or a question, never from argv."""
    if kind in _SECRET_KINDS and given not in ("", "-"):
        raise Refused(
            "A webhook's URL is a secret, and everybody on this machine can read a command line.",
            "Leave it away to be asked, or write - and send it to stdin.",
        )
    if given not in ("", "-"):
        return Secret(given)
    if given == "-" or kind in _SECRET_KINDS:
        return prompt.ask_secret("URL" if kind in _SECRET_KINDS else "Address", from_stdin=given == "-")
    raise Invalid({"ADDRESS": "is missing"})


def _require_writable(args: argparse.Namespace) -> None:
    if args.read_only or args.settings.read_only:
        raise Refused(
            "traindeck is read-only here, so it will not change alerts.", "`traindeck config` says why."
        )


def _count(args: argparse.Namespace, wanted: int, message: str) -> None:
    if len(args.words) != wanted:
        raise Invalid({"WORD": message})


def _rule(word: str) -> tuple[str, str]:
    name, separator, text = word.partition("=")
    if not separator or not name or not text:
        raise Invalid({"RULE=VALUE": "write gpu-idle=30m, finished=on, silent=off, or pending=default"})
    return name, text


def _duration(text: str) -> float:
    try:
        return float(parse_duration(text))
    except ValueError:
        raise Invalid({"snooze": "write a time as 30m, 2h or 1d"}) from None


def _quiet_hours(words: Sequence[str], zone: str) -> QuietHours:
    if words[0] == "off" and len(words) == 1:
        return QuietHours(zone=zone)
    start, separator, end = words[0].partition("-")
    if not separator or len(words) > 2:
        raise Invalid({"quiet": "write 22:00-07:00 Europe/Berlin, or off"})
    return QuietHours(start=start, end=end, zone=words[1] if len(words) == 2 else zone)


def _quiet_text(quiet: QuietHours) -> str:
    return f"{quiet.start}-{quiet.end} {quiet.zone}" if quiet.start else "off"


def _print_changed(args: argparse.Namespace, changed: Sequence[Alert]) -> int:
    if args.output == "name":
        for alert in changed:
            print_data(alert.id)
    else:
        print_as(args.output, lambda: [to_builtins(alert) for alert in changed])
    return 0


def _print_alerts(args: argparse.Namespace, found: AlertList) -> int:
    if args.output == "name":
        for alert in found.items:
            print_data(alert.id)
    elif not print_as(args.output, lambda: to_builtins(found)):
        now = datetime.now(UTC)
        if found.items:
            titles = ["ID", "SINCE", "STATE", "RULE", "TOLD", "WHAT"]
            rows = [_cells(alert, now) for alert in found.items]
            if args.everybody:
                titles.insert(1, "OWNER")
                for row, alert in zip(rows, found.items, strict=True):
                    row.insert(1, alert.owner)
            Table(titles, rows).print()
        else:
            print_message("There are no alerts.")
        if found.ends_with_program:
            print_message("Nothing tells of them once this program is closed.")
    return 0


def _cells(alert: Alert, now: datetime) -> list[str]:
    since = span((now - alert.fired).total_seconds())
    return [alert.id, since, _state(alert, now), alert.rule, told_text(alert.deliveries), alert.sentence]


def _state(alert: Alert, now: datetime) -> str:
    if alert.state is AlertState.RECOVERED:
        return "over"
    if alert.acknowledged:
        return "seen"
    return "snoozed" if alert.snoozed_until and alert.snoozed_until > now else "firing"


def told_text(deliveries: Sequence[Delivery]) -> str:
    """Return what became of messages, what failed first: "chat failed, mail sent"."""
    order = {DeliveryState.FAILED: 0, DeliveryState.WAITING: 1, DeliveryState.HELD: 2, DeliveryState.SENT: 3}
    return ", ".join(
        f"{each.channel} {each.state}{f' after {each.tries} tries' if each.tries > 1 else ''}"
        for each in sorted(deliveries, key=lambda each: order[each.state])
    )


def _print_wishes(args: argparse.Namespace, wishes: AlertWishes) -> int:
    if args.output == "name":
        for name in THRESHOLDS:
            print_data(name)
    elif not print_as(args.output, lambda: to_builtins(wishes)):
        rows = [
            [name, wishes.rules.get(name) or f"{rule.default} (default)", rule.title]
            for name, rule in THRESHOLDS.items()
        ]
        rows += [[name, text, ""] for name, text in sorted(wishes.rules.items()) if name not in THRESHOLDS]
        Table(["RULE", "WANTED", "WHAT"], rows).print()
        print_data("")
        _print_channels(args, wishes.channels)
        print_data("", f"quiet hours: {_quiet_text(wishes.quiet)}")
    return 0


def _print_channels(args: argparse.Namespace, channels: Sequence[Channel]) -> int:
    if args.output == "name":
        for channel in channels:
            print_data(channel.name)
    elif not print_as(args.output, lambda: [to_builtins(channel) for channel in channels]):
        if channels:
            Table(
                ["CHANNEL", "KIND", "TO"], [[each.name, each.kind, each.shown] for each in channels]
            ).print()
        else:
            print_message("No channel: nothing is sent. `traindeck alerts channels add NAME KIND` adds one.")
    return 0


def _print_test(args: argparse.Namespace, delivery: Delivery) -> int:
    is_sent = delivery.state is DeliveryState.SENT
    if not print_as(args.output, lambda: to_builtins(delivery)):
        came = "sent" if is_sent else f"not sent: {delivery.why}"
        print_message(sentence(f"The message to {delivery.channel} was {came}"))
    return 0 if is_sent else 1


_RUNS: Mapping[str, Callable[[argparse.Namespace, JobBackend], Awaitable[int]]] = {
    "list": _list,
    "ack": _acknowledge,
    "snooze": _snooze,
    "wishes": _wishes,
    "set": _set,
    "channels": _channels,
    "quiet": _quiet,
}

ALERTS = BackendHandler(alerts, add_alerts_flags)
