"""The form's folder of code: what is wrong with it stands there; what goes is the folder as it is then."""

from pathlib import Path

import pytest

from backend_client.code_bundle import Bundle
from backend_client.errors import Unreachable
from backend_client.models import JobRef, JobSpec
from tests.support.scripted import ScriptedBackend
from tests.tui.support.form_app import SMALL, FormApp, until
from tui.form import form_screen


class WithCode(ScriptedBackend):
    """Takes packed code, and keeps what it was given."""

    code_limit = 2**20

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Bundle] = []

    async def keep_code(self, bundle: Bundle) -> None:
        self.kept.append(bundle)

    async def code_of(self, ref: JobRef) -> bytes:
        raise NotImplementedError(ref)

    def codes(self, method: str) -> list[str]:
        """The code of the specs that a method was called with."""
        return [spec.code for name, spec in self.calls if name == method and isinstance(spec, JobSpec)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_screen, "PLAN_AFTER_SECONDS", 0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "proj"
    made.mkdir()
    (made / "train.sh").write_text("exit 3")
    return made


async def test_what_is_wrong_with_the_folder_stands_at_its_field(folder: Path):
    app = FormApp(backend := WithCode())
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="sh train.sh", code=str(folder / "none"))
        await until(pilot, lambda: "there is no folder" in app.below("code"))
        (folder / ".env").write_text("TOKEN=1")
        app.write(code=str(folder))
        await until(pilot, lambda: ".env looks like a login or a key" in app.below("code"))
        await pilot.press("f2")
        await until(pilot, lambda: app.focused is app.form.list.fields["code"].line)
        assert "looks like a login" in app.shown
        assert (backend.codes("create"), backend.kept) == ([], [])


async def test_what_goes_is_the_folder_as_it_is_when_it_is_submitted(folder: Path):
    app = FormApp(backend := WithCode())
    async with app.run_test(size=SMALL) as pilot:
        app.write(name="fit", command="sh train.sh", code=str(folder))
        await until(pilot, lambda: backend.kept and backend.codes("plan")[-1] == backend.kept[-1].name)
        planned = backend.kept[-1]
        (folder / "train.sh").write_text("exit 0")
        backend.fail["create"] = Unreachable("The cluster is away.")
        await pilot.press("f2")
        await until(pilot, lambda: "The cluster is away" in app.shown)
        sent = backend.kept[-1]
        assert sent.name != planned.name
        del backend.fail["create"]
        await pilot.press("f2")
        await until(pilot, lambda: app.results)
        assert backend.codes("create") == [sent.name, sent.name]
        assert len(backend.created) == 1
