"""One line to write on: what stands there is safe to show, and means what was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.events import Paste

from backend_client.text.sanitize import clean
from tests.tui.support.form_app import until
from tui.ui.inputs import LineInput, Radio, from_line, to_line


@given(st.text())
def test_a_line_is_safe_to_show(text: str):
    line = to_line(text)
    assert clean(line, len(line) + 1) == line


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"], include_characters="\n")))
def test_line_breaks_come_back(text: str):
    assert from_line(to_line(text)) == text


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="cannot be shown"):
        from_line(to_line("a\x1b[31mb"))


class Lines(App[None]):
    def compose(self) -> ComposeResult:
        yield LineInput()
        yield Radio({"job": "until it finishes", "deployment": "until you stop it"}, "job")


@pytest.mark.parametrize(
    ("pasted", "line"),
    [
        ("python train.py\n", "python train.py"),
        ("torchrun a.py \\\n    --lr 1e-3 \\\r\n    --epochs 3\n", "torchrun a.py --lr 1e-3 --epochs 3"),
        ("bash -c 'a\nb'", "bash -c 'a\u23ceb'"),
        ("\x1b]52;c;eA==\x07x", "\ufffd]52;c;eA==\ufffdx"),
        ("\n", ""),
    ],
)
async def test_a_paste_is_taken_whole(pasted: str, line: str):
    app = Lines()
    async with app.run_test() as pilot:
        app.post_message(Paste(pasted))
        app.post_message(Paste("!"))
        await until(pilot, lambda: app.query_one(LineInput).value.endswith("!"))
        assert app.query_one(LineInput).value == line + "!"


async def test_up_and_down_go_through_what_was_written_before():
    app = Lines()
    async with app.run_test() as pilot:
        line = app.query_one(LineInput)
        line.set_history(["newest", "older"])
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(line.value)
        assert seen == ["newest", "older", "older", "newest", "", ""]


async def test_a_choice_by_key_and_by_mouse():
    app = Lines()
    async with app.run_test() as pilot:
        choice = app.query_one(Radio)
        await pilot.press("tab", "space")
        assert choice.value == "deployment"
        await pilot.press("left")
        assert choice.value == "job"
        await pilot.click(Radio, offset=(30, 0))
        assert choice.value == "deployment"
        assert "(o) until you stop it" in str(choice.render())
