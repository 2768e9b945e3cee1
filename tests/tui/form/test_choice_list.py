"""What the context offers for a field: a list below it, by keys; what it does not tell is written by hand."""

from textual.pilot import Pilot

from backend_client.errors import Forbidden
from backend_client.protocol import Choice
from tests.support.scripted import ScriptedBackend
from tests.tui.support.form_app import SMALL, FormApp, until

QUEUES = [Choice(f"team-{n}") for n in range(9)] + [Choice("research", "best effort")]


def go_to(app: FormApp, name: str) -> None:
    app.form.list.fold(folded=False)
    app.form.set_focus(app.form.list.fields[name].line)


def text(app: FormApp, name: str) -> str:
    return app.form.list.fields[name].text


async def ready(pilot: Pilot[None], app: FormApp, name: str, words: str) -> None:
    go_to(app, name)
    await until(pilot, lambda: words in app.shown)


async def test_typed_letters_narrow_it_and_enter_takes_one():
    backend = ScriptedBackend()
    backend.offered["queue"] = QUEUES
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(namespace="mine")
        await ready(pilot, app, "queue", "and 5 more")
        assert ("choices", ("queue", "mine", "")) in backend.calls
        await pilot.press(*"se", "down")
        await until(pilot, lambda: "> research  best effort" in app.shown and "team" not in app.shown)
        await pilot.press("enter")
        await until(pilot, lambda: text(app, "queue") == "research")
        assert app.focused is app.form.list.fields["queue"].line
        await until(pilot, lambda: "best effort" not in app.shown)
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is not app.form.list.fields["queue"].line)


async def test_keys_in_one_go_and_a_list_longer_than_its_lines():
    backend = ScriptedBackend()
    backend.offered["queue"] = QUEUES
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await ready(pilot, app, "queue", "and 5 more")
        await pilot.press(*["down"] * 8, "up", "enter")
        await until(pilot, lambda: text(app, "queue") == "team-6")


async def test_without_a_choice_enter_goes_on_as_ever():
    backend = ScriptedBackend()
    backend.offered["queue"] = QUEUES
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await ready(pilot, app, "queue", "team-0")
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is not app.form.list.fields["queue"].line)
        assert text(app, "queue") == ""
        assert "team-0" not in app.shown


async def test_a_word_of_several():
    backend = ScriptedBackend()
    backend.offered["volumes"] = [Choice("data:/data"), Choice("scratch:/scratch")]
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(volumes="data:/d scr")
        await ready(pilot, app, "volumes", "scratch:/scratch")
        await pilot.press("down", "enter")
        await until(pilot, lambda: text(app, "volumes") == "data:/d scratch:/scratch")


async def test_a_dataset_and_a_claim_with_what_it_holds_free():
    backend = ScriptedBackend()
    backend.offered["volumes"] = [Choice("~imagenet", "dataset, read-only at /data/imagenet")]
    backend.offered["outputs"] = [Choice("results", "100Gi RWX, free space unknown")]
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(volumes="~im")
        await ready(pilot, app, "volumes", "dataset, read-only at /data/imagenet")
        await pilot.press("down", "enter")
        await until(pilot, lambda: text(app, "volumes") == "~imagenet")
        await ready(pilot, app, "outputs", "results  100Gi RWX, free space unknown")
        await pilot.press("down", "enter")
        await until(pilot, lambda: text(app, "outputs") == "results")


async def test_what_is_hidden_is_written_by_hand():
    backend = ScriptedBackend()
    backend.fail["choices"] = Forbidden("you may not list secrets")
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await ready(pilot, app, "image_pull_secrets", "write it by hand: you may not list secrets")
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: "you may not" not in app.shown)
        assert text(app, "image_pull_secrets") == "mine"
