"""A call that is to come once comes, however long the program was held up."""

import ast
from pathlib import Path

from textual import timer
from textual.app import App

from tests.support.wait import async_until
from tui.ui.once import once

TUI = Path(__file__).parents[3] / "tui"


async def test_a_call_comes_though_its_time_is_over_before_its_task_begins(monkeypatch):
    """As on a busy machine: each look at the clock is a second after the one before."""
    now, called = 0.0, []

    def get_time():
        nonlocal now
        now += 1.0
        return now

    async with App[None]().run_test() as pilot:
        monkeypatch.setattr(timer._time, "get_time", get_time)
        once(pilot.app, 0.001, lambda: called.append("once"))
        await async_until(lambda: called)
        monkeypatch.undo()
    assert called == ["once"]


def _sets_a_timer(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "set_timer"
    )


def test_nobody_sets_a_timer_that_may_never_tick():
    files = {path.relative_to(TUI).as_posix(): ast.parse(path.read_text()) for path in TUI.rglob("*.py")}
    assert [name for name, tree in files.items() if any(map(_sets_a_timer, ast.walk(tree)))] == ["ui/once.py"]
