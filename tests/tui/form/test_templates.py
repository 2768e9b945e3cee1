"""Templates in the form: what they name is filled in, what they do not name stays."""

from tests.support.scripted import ScriptedBackend
from tests.tui.support.form_app import NO_CLUSTER, SMALL, FormApp, refusing, until

BERT = {"command": ["torchrun", "train.py"], "gpus": 2, "env": {"A": "1", "B": "2"}, "queue": "research"}


async def test_what_it_says_is_filled_in_and_what_was_typed_stays():
    backend = ScriptedBackend()
    app = FormApp(backend, templates={"small": {"gpus": 1}, "bert": BERT})
    async with app.run_test(size=SMALL) as pilot:
        app.write(name="mine", gpus="7", env="A=0 C=3")
        await pilot.press("f5")
        await until(pilot, lambda: "command torchrun train.py" in app.shown)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "set: env, queue" in app.shown)
        await pilot.press("f2")
        await until(pilot, lambda: app.results)
        spec = app.results[0].spec
        assert (spec.name, spec.gpus, spec.queue) == ("mine", 2, "research")
        assert spec.command == ("torchrun", "train.py")
        assert spec.env == {"A": "1", "B": "2", "C": "3"}


async def test_what_the_context_refuses_is_left_out_aloud():
    app = FormApp(refusing(ScriptedBackend()), templates={"bert": BERT})
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("f5", "enter")
        await until(pilot, lambda: f"Left out: queue ({NO_CLUSTER})" in app.shown)
        assert app.form.list.fields["gpus"].text == "2"


async def test_no_choice_changes_nothing_and_no_templates_are_told():
    app = FormApp(ScriptedBackend(), templates={"bert": BERT})
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("f5", "escape")
        await until(pilot, lambda: app.screen is app.form)
        assert not app.form.list.changed
    app = FormApp(ScriptedBackend())
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: "[templates.NAME]" in app.shown)
