"""The command's field says what only a shell would do, and a key has one do it."""

from pathlib import Path

import pytest
from textual import events

from backend_client.local.backend import LocalBackend
from tests.tui.support.form_app import SMALL, FormApp, until


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "local" / "gpu-7", gpus=2)


async def test_a_pipe_is_said_at_the_field_and_put_into_a_shell(backend: LocalBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "command" in app.form.list.fields)
        app.write(command="python a.py | tee log")
        await until(pilot, lambda: "f6 puts it into sh -c: | is passed on as a word" in app.below("command"))
        await pilot.press("f6")
        await until(pilot, lambda: app.form.spec and app.form.spec.command[:2] == ("sh", "-c"))
        assert app.form.spec.command == ("sh", "-c", "python a.py | tee log")
        assert "f6" not in app.below("command")
        await pilot.press("f6")  # once is enough
        assert app.form.spec.command == ("sh", "-c", "python a.py | tee log")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
async def test_a_paste_of_several_lines_is_one_command(backend: LocalBackend, newline: str):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.form.list.fields["command"].text)  # a first start's example
        app.write(command="")
        app.form.list.fields["command"].line.focus()
        await pilot.pause()
        text = f'python3 -c "import sys" \\{newline}  --lr 3e-4 \\{newline}  --name "a b"{newline}'
        app.form.list.fields["command"].line.post_message(events.Paste(text))
        words = ("python3", "-c", "import sys", "--lr", "3e-4", "--name", "a b")
        await until(pilot, lambda: app.form.spec and app.form.spec.command == words)
