"""The job form by keyboard: errors while you type, one submit one job, and nothing typed is lost."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from backend_client.errors import Conflict, Refused, Unreachable
from backend_client.example import example_command
from backend_client.gpu_nodes import GpuNode, GpuNodes
from backend_client.models import Job, JobSpec
from backend_client.models.fields import parse_spec
from backend_client.models.secret import Secret
from backend_client.protocol import Diagnostic, JobQuery, Page
from backend_client.text.form_fields import FIRST
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck
from tests.tui.support.form_app import NO_CLUSTER, NO_IMAGE, SMALL, WIDE, FormApp, refusing, until
from tui.form import form_screen, prefill, recent_values
from tui.form.form_screen import FormScreen


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_screen, "PLAN_AFTER_SECONDS", 0.01)
    monkeypatch.delenv("TOKEN", raising=False)


A100 = GpuNode(name="gpu-a", product="A100", total=4, free=2)
H100 = GpuNode(name="gpu-b", product="H100", total=8, free=0)


@pytest.fixture
def backend() -> ScriptedBackend:
    return ScriptedBackend([make_job("bert-ft")])


def creates(backend: ScriptedBackend) -> list[object]:
    return [about for method, about in backend.calls if method == "create"]


class SlowToList(ScriptedBackend):
    """Tells which names are taken only when it is let."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(jobs)
        self.let = asyncio.Event()

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        await self.let.wait()
        return await super().list(query, after=after)


async def test_a_submit_waits_for_the_name_that_is_on_its_way():
    backend = SlowToList([make_job("bert-ft")])
    app = FormApp(backend, spec=JobSpec(name="bert-ft", image="img", command=("python", "train.py")))
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("f2")
        await until(pilot, lambda: "submitting" in app.shown)
        backend.let.set()
        await until(pilot, lambda: app.results)
        assert app.results[0].name == "bert-ft-2"


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_the_first_fields_fit_without_scrolling(backend: ScriptedBackend, size: tuple[int, int]):
    app = FormApp(backend)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "4 of 4 free" in app.shown)
        assert app.form.list.max_scroll_y == 0
        for words in ("name", "(o) until it finishes   ( ) until you stop it", "image", "command", "GPUs"):
            assert words in app.shown
        assert "30 more fields" in app.shown
        assert "f2 submit" in app.shown
        assert "escape leave" in app.shown


async def test_errors_stand_at_their_field_while_you_type(backend: ScriptedBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press(*"B F")
        await until(pilot, lambda: "b-f" in app.below("name"))
        await pilot.press("tab", "tab", "tab", *"p '")
        await until(pilot, lambda: app.below("command") == "a quotation mark is not closed")
        await pilot.press("a", "'", "enter", "-")
        await until(pilot, lambda: "whole number" in app.below("gpus"))
        assert app.below("command") == "runs: p a"
        await pilot.press("f2")
        await until(pilot, lambda: app.focused is app.form.list.fields["name"].line)
        assert not creates(backend)


async def test_errors_between_fields_unfold_where_they_stand(backend: ScriptedBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py", gpu_type="H100")
        await until(pilot, lambda: "set gpus too" in app.below("gpu_type"))
        assert app.form.list.folded
        await pilot.press("f2")
        await until(pilot, lambda: app.focused is app.form.list.fields["gpu_type"].line)
        assert not app.form.list.folded
        assert "set gpus too" in app.shown


async def test_what_the_context_says_stands_at_its_field(backend: ScriptedBackend):
    backend.plan_errors = (Diagnostic("gpus", "this machine has 4 GPUs"),)
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py", gpus="9")
        await until(pilot, lambda: app.below("gpus") == "this machine has 4 GPUs")
        backend.plan_errors = ()
        app.write(gpus="4")
        await until(pilot, lambda: app.below("gpus") == "starts now: 4 x A100 free on box")


async def test_what_belongs_to_no_field_stands_above(backend: ScriptedBackend):
    backend.plan_errors = (
        Diagnostic("", "the queue is closed"),
        Diagnostic("gpus", "too many"),
        Diagnostic("gpus", "too big"),
    )
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await until(pilot, lambda: "the queue is closed" in app.shown)
        assert app.below("gpus") == "too many; too big"


async def test_keys_typed_in_one_go_land_where_they_belong(backend: ScriptedBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        keys = ["tab"] * 3 + list("sh a") + ["tab", "2", "f4"] + list("/d") + ["f2"]
        await pilot.press(*keys)
        await until(pilot, lambda: app.results)
        job = app.results[0]
        assert isinstance(job, Job)
        assert (job.spec.command, job.spec.gpus) == (("sh", "a"), 2)
        assert job.spec.workdir == "/d"
        assert recent_values.load()["workdir"] == ["/d"]


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_the_plan_stands_beside_the_form_or_under_f3(backend: ScriptedBackend, size: tuple[int, int]):
    app = FormApp(backend)
    async with app.run_test(size=size) as pilot:
        app.write(command="python train.py")
        await until(pilot, lambda: app.form.list.fields["name"].line.placeholder == "train")
        await until(pilot, lambda: ("# train, a script" in app.shown) == (size == WIDE))
        await pilot.press("f3")
        await until(pilot, lambda: "# train, a script" in app.shown)
        assert "command:\n- python\n- train.py".splitlines()[1] in app.shown
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.form)


async def test_the_spec_file_is_saved_and_never_over_another(
    backend: ScriptedBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python 'a b.py'", name="probe", max_runtime="2h30m", env="A=1")
        await pilot.press("f3")
        await until(pilot, lambda: "spec file" in app.shown)
        await pilot.press("S", "enter")
        file = tmp_path / "probe.yaml"
        await until(pilot, file.exists)
        assert parse_spec(yaml.safe_load(file.read_text())) == app.form.spec
        file.write_text("mine")
        await pilot.press("S", "enter")
        await until(pilot, lambda: "Overwrite probe.yaml?" in app.shown)
        await pilot.press("enter")
        await until(pilot, lambda: "Overwrite" not in app.shown)
        assert file.read_text() == "mine"


async def test_leaving_asks_only_where_something_was_typed(backend: ScriptedBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("x", "escape")
        await until(pilot, lambda: "Throw away" in app.shown)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.form)
        assert app.form.list.fields["name"].text == "x"
        await pilot.press("backspace", "escape")
        await until(pilot, lambda: app.results == [None])


async def test_a_step_to_the_next_field_costs_few_bytes(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:
        form = FormScreen(backend)
        running.app.push_screen(form)
        await running.until(lambda: "more fields" in running.sent)  # the list shows free GPUs too
        await running.until("4 of 4 free")
        # What it asks for comes from threads too, and later than any quiet on a busy machine.
        asked = [one for one in running.app.workers if one.node is form]
        await running.until(lambda: all(one.is_finished for one in asked))
        await running.quiet()
        before = len(running.sent)
        await running.press("tab")
        await running.until(lambda: form.list.fields["kind"].has_focus_within)
        await running.quiet()
        assert 0 < len(running.sent) - before < 4000


async def test_a_letter_beside_the_fields_throws_nothing_away(backend: ScriptedBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("x", "tab", "q", "space")
        await until(pilot, lambda: "(o) until you stop it" in app.shown)
        assert app.form.list.fields["name"].text == "x"
        assert app.screen is app.form
        assert "f1 help" in app.shown


async def test_a_failed_submit_keeps_the_form_and_is_said(backend: ScriptedBackend):
    backend.fail["create"] = Conflict("bert is taken.", "Choose another name.", fields={"name": "is taken"})
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(name="bert", command="python a.py", labels="a=b")
        await pilot.press("tab", "f2")
        await until(pilot, lambda: "Choose another name." in app.shown)
        assert app.below("name") == "is taken"
        assert app.focused is app.form.list.fields["name"].line
        texts = [app.form.list.fields[name].text for name in ("name", "command", "labels")]
        assert texts == ["bert", "python a.py", "a=b"]
        backend.fail.clear()
        await pilot.press("2", "f2")
        await until(pilot, lambda: app.results)
        assert [job.name for job in backend.jobs.values()] == ["bert-ft", "bert2"]


class Slow(ScriptedBackend):
    """Waits before each create; the first `losses` answers are lost behind it."""

    def __init__(self, losses: int = 0) -> None:
        super().__init__([make_job("bert-ft")])
        self.go = asyncio.Event()
        self.keys: list[str] = []
        self.losses = losses

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        self.keys.append(key)
        await self.go.wait()
        job = await super().create(spec, key=key, secrets=dict(secrets))
        if self.losses:
            self.losses -= 1
            raise Unreachable("The link broke.", "Try again.")
        return job


async def test_a_double_press_is_one_job():
    backend = Slow()
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await pilot.press("f2", "f2")
        await until(pilot, lambda: backend.keys)
        await pilot.press("f2", "escape")
        await until(pilot, lambda: "Still submitting" in app.shown)
        backend.go.set()
        await until(pilot, lambda: app.results)
        assert len(creates(backend)) == 1


async def test_the_answer_may_come_while_something_lies_over_the_form():
    backend = Slow()
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await pilot.press("f2")
        await until(pilot, lambda: backend.keys)
        await pilot.press("f3")
        await until(pilot, lambda: app.screen is not app.form)
        backend.go.set()
        await until(pilot, lambda: app.form._created)
        assert app.screen is not app.form
        await pilot.press("escape")
        await until(pilot, lambda: app.results)


async def test_a_lost_answer_then_f2_again_is_one_job():
    backend = Slow(losses=1)
    backend.go.set()
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await pilot.press("f2")
        await until(pilot, lambda: "The link broke." in app.shown)
        await pilot.press("f2")
        await until(pilot, lambda: app.results)
        assert backend.keys[0] == backend.keys[1]
        assert [job.name for job in backend.jobs.values()] == ["bert-ft", "a"]


async def test_another_content_goes_with_another_key():
    backend = Slow(losses=1)
    backend.go.set()
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await pilot.press("f2")
        await until(pilot, lambda: "The link broke." in app.shown)
        app.write(gpus="1")
        await pilot.press("f2")
        await until(pilot, lambda: app.results)
        assert backend.keys[0] != backend.keys[1]


async def test_a_defect_takes_nothing_away(backend: ScriptedBackend):
    backend.fail["create"] = ZeroDivisionError("secret words")  # type: ignore[assignment]
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await pilot.press("f2")
        await until(pilot, lambda: "A defect" in app.shown)
        assert "secret words" not in app.shown
        backend.fail.clear()
        await pilot.press("f2")
        await until(pilot, lambda: app.results)


async def test_a_question_is_asked_first_and_no_is_the_default(backend: ScriptedBackend):
    backend.question = "Run on gpu-7?"
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await pilot.press("f2")
        await until(pilot, lambda: "Run on gpu-7?" in app.shown)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.form)
        assert not creates(backend)
        await pilot.press("f2")
        await until(pilot, lambda: "Run on gpu-7?" in app.shown)
        await pilot.press("y")
        await until(pilot, lambda: app.results)


async def test_secrets_are_asked_unseen(backend: ScriptedBackend, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FROM_ENV", "out-of-the-environment")
    backend.fail["create"] = Refused("Not now.")
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py", secrets="TOKEN FROM_ENV")
        await pilot.press("f2")
        for attempt in range(2):
            await until(pilot, lambda: "Value of TOKEN" in app.shown)
            await pilot.press("enter")
            await until(pilot, lambda: "must be filled in" in app.shown)
            app.paste("hf_not_to_be_seen")
            await until(pilot, lambda: "\u2022" * 17 in app.shown)
            assert "hf_not" not in app.shown
            await pilot.press("enter")
            if attempt == 0:
                await until(pilot, lambda: "Not now." in app.shown)
                assert "hf_not" not in repr(vars(app.form)) + repr(vars(app.form.submission)) + app.shown
                backend.fail.clear()
                await pilot.press("f2")
        await until(pilot, lambda: app.results)
        values = {name: secret.reveal() for name, secret in backend.secrets.items()}
        assert values == {"TOKEN": "hf_not_to_be_seen", "FROM_ENV": "out-of-the-environment"}
        assert "hf_not" not in recent_values.drafts_path().read_text()


async def test_no_value_no_job(backend: ScriptedBackend):
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py", secrets="TOKEN")
        await pilot.press("f2")
        await until(pilot, lambda: "Value of TOKEN" in app.shown)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.form and not app.form._busy)
        assert not creates(backend)


async def test_refused_fields_are_told_with_the_reason(backend: ScriptedBackend):
    app = FormApp(refusing(backend))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: NO_IMAGE in app.shown)
        assert set(app.form.list.fields) == set("name kind command workdir env secrets gpus".split()) | {
            "max_runtime", "labels", "annotations",
        }  # fmt: skip
        assert "6 more fields" in app.shown
        await pilot.press("f4")
        await until(pilot, lambda: not app.form.list.folded)
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: "volumes" in app.shown and NO_CLUSTER in " ".join(app.shown.split()))


async def test_a_refused_value_is_never_dropped_in_silence(backend: ScriptedBackend):
    spec = JobSpec(name="old", command=("python", "a.py"), queue="research")
    app = FormApp(refusing(backend), spec)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.below("queue") == NO_CLUSTER)
        await pilot.press("f2")
        await until(pilot, lambda: app.focused is app.form.list.fields["queue"].line)
        app.write(queue="")
        await pilot.press("f2")
        await until(pilot, lambda: app.results)


async def test_a_required_field_is_missed_only_when_submitted(backend: ScriptedBackend):
    app = FormApp(refusing(backend))
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "4 of 4 free" in app.shown)
        assert app.below("command") == ""
        await pilot.press("f2")
        await until(pilot, lambda: app.below("command") == "must be filled in")
        await pilot.press("p")
        await until(pilot, lambda: app.below("command") == "")


async def test_the_first_start_offers_the_example():
    backend = refusing(ScriptedBackend())
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.form.list.fields["command"].text == example_command())
        assert not app.form.list.changed
        await pilot.press("f2")
        await until(pilot, lambda: app.results)
        assert app.results[0].name == "train"
    later = FormApp(refusing(ScriptedBackend()))
    async with later.run_test(size=SMALL) as pilot:
        command = later.form.list.fields["command"]
        await until(pilot, lambda: "up arrow" in command.line.placeholder)
        assert command.text == ""
        await pilot.press("tab", "tab", "up")
        await until(pilot, lambda: command.text == example_command())


async def test_no_example_over_what_was_typed_already():
    backend = refusing(ScriptedBackend())
    hold = asyncio.Event()
    listed = backend.list

    async def slow(query, *, after=""):
        await hold.wait()
        return await listed(query, after=after)

    backend.list = slow
    app = FormApp(backend)
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python mine.py")
        hold.set()
        await until(pilot, lambda: any(method == "list" for method, _ in backend.calls))
        await pilot.pause()
        assert app.form.list.fields["command"].text == "python mine.py"


async def test_run_again_is_the_same_job_with_a_new_name(backend: ScriptedBackend):
    script = "echo a\necho '\x1b[31m'"
    old = JobSpec(
        name="bert-ft", command=("bash", "-c", script), gpus=2, env={"A": "x y"}, max_runtime=9000, kind="job"
    )
    app = FormApp(backend, old)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.form.list.fields["name"].line.placeholder == "bert-ft-2")
        assert app.form.list.fields["name"].text == ""
        assert "set: env, max_runtime" in app.shown
        await pilot.press("f2")
        await until(pilot, lambda: app.results)
        again = app.results[0].spec
        assert again == JobSpec(
            name="bert-ft-2", command=old.command, gpus=2, env=old.env, max_runtime=9000, kind="job"
        )


async def test_the_form_says_whether_it_starts_now_and_asks_nobody_for_a_key(backend: ScriptedBackend):
    backend.machines = GpuNodes((A100, H100))
    app = FormApp(backend)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: "2 of 12 free (A100" in app.shown)
        for gpus, words in {
            "2": "starts now: 2 x A100 free on gpu-a",
            "3": "waits: largest free block is 2 x A100 on gpu-a",
            "30": "waits: no machine has 30; the largest has 8",
            "": "",
        }.items():
            app.write(gpus=gpus)
            await until(pilot, lambda words=words: app.below("gpus") == words)
        assert [method for method, _ in backend.calls].count("nodes") == 1


async def test_what_is_free_is_asked_again_while_the_form_is_open(
    backend: ScriptedBackend, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prefill, "NODES_SECONDS", 0.1)
    backend.machines = GpuNodes((A100, H100))
    app = FormApp(backend)
    async with app.run_test(size=WIDE) as pilot:
        app.write(gpus="3")
        await until(pilot, lambda: app.below("gpus") == "waits: largest free block is 2 x A100 on gpu-a")
        backend.machines = GpuNodes((A100, replace(H100, free=8)))
        await until(pilot, lambda: app.below("gpus") == "starts now: 8 x H100 free on gpu-b")
        app.write(gpu_type="A100")
        await until(pilot, lambda: app.below("gpus") == "waits: largest free block is 2 x A100 on gpu-a")
        backend.fail["nodes"] = Unreachable("The cluster does not answer.")
        await until(pilot, lambda: app.below("gpus").startswith("when it starts is not known (the cluster"))


HOSTILE = "[/x][@click=app.quit]q[/] \x1b]52;c;eA==\x07\x1b[2J\u202ee\u200bl\x00\x9b31m"
CONTROLS = {chr(n) for n in (*range(32), *range(127, 160), 0x202E, 0x200B)} - {"\n"}


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_hostile_words_from_all_sides(size: tuple[int, int]):
    backend = refusing(ScriptedBackend([make_job(HOSTILE)]))
    backend.context = HOSTILE
    rules = {name: type(rule)(rule.use, HOSTILE if rule.why else "") for name, rule in backend.fields.items()}
    backend.fields = rules
    backend.machines = GpuNodes(unknown_because=HOSTILE)
    backend.plan_errors = tuple(Diagnostic(name, HOSTILE) for name in (*FIRST, "env", "", "nonsense"))
    backend.question = HOSTILE
    backend.fail["create"] = Refused(HOSTILE, HOSTILE, fields={"gpus": HOSTILE, "queue": HOSTILE})
    value = HOSTILE.replace("\x00", "")
    old = JobSpec(name=HOSTILE, command=("echo", value), env={"A": value}, queue=HOSTILE)
    app = FormApp(backend, old)
    async with app.run_test(size=size) as pilot:

        async def safe(words: str) -> None:
            await until(pilot, lambda: words in app.shown)
            assert not CONTROLS & set(app.shown)

        await safe("[/x]")
        app.form.list.fields["name"].line.focus()
        app.paste(HOSTILE)
        await until(pilot, lambda: "cannot be shown" in app.below("name"))
        await safe("cannot be shown")
        app.write(name="", queue="")
        await until(pilot, lambda: app.form.list.fields["gpus"].query_one(".message").display)
        await safe("[/x]")
        await pilot.press("f2")
        await until(pilot, lambda: app.form.query_one("#problem").display)
        await safe("[/x]")
        backend.plan_errors = ()
        await pilot.press("f2")
        await until(pilot, lambda: app.screen is not app.form)
        await safe("[/x]")
        await pilot.press("y")
        await until(pilot, lambda: app.screen is app.form and not app.form._busy)
        await safe("[/x]")
        await pilot.press("f3")
        await until(pilot, lambda: "spec file" in app.shown)
        await safe("[@click=app.quit]")
        assert not app.results
