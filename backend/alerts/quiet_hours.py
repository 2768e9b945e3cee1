"""Quiet hours of a person (pure): until when a message is held back."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from backend_client.alerts.alert import QuietHours
from backend_client.errors import Invalid

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")


def quiet_until(quiet: QuietHours, now: datetime) -> datetime | None:
    """Return when the quiet hours that hold now are over; None outside of them."""
    if not quiet.start or quiet.start == quiet.end:
        return None
    zone = ZoneInfo(quiet.zone)
    local = now.astimezone(zone)
    clock, start, end = local.time(), time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    over_midnight = end < start
    holds = (clock >= start or clock < end) if over_midnight else start <= clock < end
    if not holds:
        return None
    day = local.date() + timedelta(days=1) if over_midnight and clock >= start else local.date()
    fold = local.fold if day == local.date() else 0  # of an hour that comes twice, the one that it is
    until = datetime.combine(day, end, zone).replace(fold=fold).astimezone(UTC)
    return until if until > now else None


def check_quiet_hours(quiet: QuietHours) -> None:
    """Check quiet hours as a person wrote them. Raises Invalid, by field."""
    wrong = {
        f"quiet.{name}": "write a time as 22:00"
        for name, text in (("start", quiet.start), ("end", quiet.end))
        if text and not _TIME.fullmatch(text)
    }
    if bool(quiet.start) != bool(quiet.end):
        wrong["quiet"] = "name the start and the end, or neither"
    elif quiet.start and quiet.start == quiet.end:
        wrong["quiet.end"] = "is the start; for all but a minute write 00:00-23:59"
    if not _is_zone(quiet.zone):
        wrong["quiet.zone"] = "write a time zone as Europe/Berlin"
    if wrong:
        raise Invalid(wrong)


def _is_zone(name: str) -> bool:
    try:
        return bool(_ZONE.fullmatch(name)) and bool(ZoneInfo(name).key)
    except (KeyError, ValueError, OSError):
        return False
