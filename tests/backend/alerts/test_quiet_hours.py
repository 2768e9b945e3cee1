"""Quiet hours: what is held back until when, in the person's zone, over midnight and clock changes."""

from datetime import UTC, datetime

import pytest

from backend.alerts.quiet_hours import check_quiet_hours, quiet_until
from backend_client.alerts.alert import QuietHours
from backend_client.errors import Invalid

BERLIN = QuietHours(start="22:00", end="07:00", zone="Europe/Berlin")
NOON = QuietHours(start="12:00", end="13:30", zone="Asia/Kolkata")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (BERLIN, "2026-07-01 19:59", None),  # 21:59
        (BERLIN, "2026-07-01 20:00", "2026-07-02 05:00"),
        (BERLIN, "2026-07-01 23:00", "2026-07-02 05:00"),  # 01:00
        (BERLIN, "2026-07-02 04:59", "2026-07-02 05:00"),
        (BERLIN, "2026-07-02 05:00", None),
        (BERLIN, "2026-01-01 20:30", None),  # winter: 21:30
        (BERLIN, "2026-10-24 21:00", "2026-10-25 06:00"),  # 23:00; the night has an hour more
        (BERLIN, "2026-03-28 22:00", "2026-03-29 05:00"),  # and an hour less
        (NOON, "2026-07-01 06:30", "2026-07-01 08:00"),
        (NOON, "2026-07-01 08:00", None),
        (QuietHours(), "2026-07-01 08:00", None),
        (QuietHours(start="08:00", end="08:00"), "2026-07-01 08:00", None),
        # an hour that comes twice, 02:00 to 03:00
        (
            QuietHours(start="01:00", end="02:30", zone="Europe/Berlin"),
            "2026-10-25 00:10",
            "2026-10-25 00:30",
        ),
        (
            QuietHours(start="01:00", end="02:30", zone="Europe/Berlin"),
            "2026-10-25 01:10",
            "2026-10-25 01:30",
        ),
        # one that does not come at all
        (
            QuietHours(start="01:00", end="02:30", zone="Europe/Berlin"),
            "2026-03-29 00:30",
            "2026-03-29 01:30",
        ),
    ],
)
def test_until_when(quiet, now, until):
    assert quiet_until(quiet, utc(now)) == (utc(until) if until else None)


@pytest.mark.parametrize(
    ("quiet", "field"),
    [
        (QuietHours(start="22:00"), "quiet"),
        (QuietHours(start="24:00", end="07:00"), "quiet.start"),
        (QuietHours(start="22:00", end="7"), "quiet.end"),
        (QuietHours(start="22:00", end="22:00"), "quiet.end"),
        (QuietHours(zone="Mars/Base"), "quiet.zone"),
        (QuietHours(zone="../../etc/passwd"), "quiet.zone"),
        (QuietHours(zone="/etc/localtime"), "quiet.zone"),
        (QuietHours(zone="Europe"), "quiet.zone"),
        (QuietHours(zone=""), "quiet.zone"),
    ],
)
def test_what_is_none(quiet, field):
    with pytest.raises(Invalid) as caught:
        check_quiet_hours(quiet)
    assert field in caught.value.fields


def test_what_is_one():
    for quiet in (BERLIN, NOON, QuietHours()):
        check_quiet_hours(quiet)
