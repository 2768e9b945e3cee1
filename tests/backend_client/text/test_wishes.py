"""A person's wishes as fields, and back."""

from backend_client.alerts.alert import (
    AlertWishes,
    Channel,
    ChannelKind,
    QuietHours,
)
from backend_client.text.wishes import by_field, field_texts, meaning, wishes_of, wrong_rules

MAIL = Channel(name="mail", kind=ChannelKind.EMAIL, shown="a…@example.org")
WISHES = AlertWishes(
    rules={"gpu-idle": "45m", "of-another-version": "on"},
    channels=(MAIL,),
    quiet=QuietHours(start="22:00", end="07:00", zone="Europe/Berlin"),
)


def test_fields_and_wishes_are_one_another():
    assert wishes_of(field_texts(WISHES), WISHES) == AlertWishes(rules=WISHES.rules, quiet=WISHES.quiet)
    assert wishes_of(field_texts(AlertWishes()), AlertWishes()) == AlertWishes()


def test_errors_go_to_their_fields_and_the_rest_is_said():
    fields, rest = by_field({"rules.gpu-idle": "a", "silent": "b", "quiet": "c", "quiet.zone": "d", "x": "e"})
    assert fields == {"gpu-idle": "a", "silent": "b", "quiet.start": "c", "quiet.zone": "d"}
    assert rest == "x: e"


def test_a_threshold_that_cannot_be_read_is_wrong():
    assert set(wrong_rules({"gpu-idle": "soon", "silent": "30m", "loss": "", "failed": "off"})) == {
        "gpu-idle"
    }


def test_what_a_field_means_says_what_is_written_in_it():
    about = "None of its GPUs was used for this time or amount."
    assert meaning("45m", about) == "None of its GPUs was used for 45m."
    assert meaning("", about) == meaning("on", about) == about
    assert meaning("off", about).startswith("Off. ")
