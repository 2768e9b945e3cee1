"""The footer: what fits into a line, with the way out and help always there."""

import pytest

from tui.actions import Place, actions
from tui.ui.footer import fit_actions

WITHOUT_WAY_OUT = {Place.APP, Place.LIST}


def words(where: Place, width: int = 80, *, without: str = "") -> str:
    shown = fit_actions([action for action in actions(where) if action.label != without], {}, width)
    return " ".join(f"{action.shown_key} {action.label}" for action in shown)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("where", [where for where in Place if where not in WITHOUT_WAY_OUT])
def test_the_way_out_and_one_help_stand_last(where: Place, width: int):
    shown = fit_actions(actions(where), {}, width)
    assert shown[-2].label in ("back", "leave")
    assert [action.label for action in shown].count("help") == 1
    assert shown[-1].label == "help"
    assert sum(len(action.shown_key) + len(action.label) + 3 for action in shown) <= width + 1


def test_what_stands_in_80_columns():
    assert words(Place.LIST) == ("enter detail n new l log w why x stop d delete r again / filter ? help")
    runs, stopped = (words(Place.DETAIL, without=label) for label in ("resume", "stop"))
    assert runs == "l log w why v plot y YAML r again x stop d delete escape back ? help"
    assert stopped == "l log w why v plot y YAML u resume r again d delete escape back ? help"
    assert words(Place.WHY) == "enter open 1 offer l log r again d delete escape back ? help"
    assert words(Place.LOG) == "/ search n next e error f follow & only ] rank escape back ? help"
    assert words(Place.QUEUE) == "h hold p priority m move n next of mine escape back ? help"
    assert words(Place.FORM) == ("f2 submit f3 YAML f4 more f5 template f6 sh -c escape leave f1 help")


def test_more_room_shows_the_machines_and_the_queues():
    assert "g GPUs Q queue space mark" in words(Place.LIST, 120)


def test_the_labels_fit_into_the_column_of_help():
    assert not [action.label for where in Place for action in actions(where) if len(action.label) > 12]
