"""Which context the screen shows: picked by a part of its name, for this screen alone; and its namespace."""

from collections.abc import Sequence
from pathlib import Path

from backend_client.contexts import ContextInfo, Contexts
from backend_client.errors import Forbidden, Refused
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend
from tests.tui.support.deck import Deck, Recorder, deck
from tui.app import TraindeckApp


class Many:
    """A source of 2,000 contexts, none of them current."""

    kind = "k8s"

    def __init__(self) -> None:
        self.opened: list[str] = []

    def contexts(self) -> Sequence[ContextInfo]:
        return [ContextInfo(f"gke_lab_{number}", self.kind, f"cluster {number}") for number in range(2000)]

    def current(self) -> str:
        raise Refused("The kubeconfig /x is no YAML in line 3.", "Mend it.")

    def open(self, name: str) -> ScriptedBackend:
        self.opened.append(name)
        return ScriptedBackend()


def app(source: Many, tmp_path: Path, **options: str) -> TraindeckApp:
    made = TraindeckApp(Contexts([source], tmp_path / "chosen"), **options)
    made.driver_class = Recorder
    made.session.tick = 0.02
    return made


async def test_without_a_usable_context_the_screen_says_why_and_asks(tmp_path: Path):
    source = Many()
    program = app(source, tmp_path, context="", note="The kubeconfig /x is no YAML in line 3.\nMend it.")
    async with program.run_test(headless=False, size=(80, 24)) as pilot:
        running = Deck(program, pilot, None)
        await running.until("The kubeconfig /x is no YAML in line 3.")
        await running.until("gke_lab_0")
        await running.press(*"1733", "enter")
        await running.until("gke_lab_1733")
        await running.until("No jobs yet")
    assert source.opened == ["gke_lab_1733"]


async def test_escape_there_leaves_with_the_same_words(tmp_path: Path):
    program = app(Many(), tmp_path, context="", note="The kubeconfig /x is no YAML.")
    async with program.run_test(headless=False, size=(80, 24)) as pilot:
        await Deck(program, pilot, None).until("is no YAML")
        await pilot.press("escape")
    assert (program.return_code, program.last_words) == (1, "The kubeconfig /x is no YAML.")


async def test_the_list_of_contexts_is_filtered_by_what_is_typed(tmp_path: Path):
    source = Many()
    async with app(source, tmp_path, context="gke_lab_0").run_test(headless=False, size=(80, 24)) as pilot:
        running = Deck(pilot.app, pilot, None)
        await running.until("No jobs yet")
        await running.press("c")
        await running.until("a part of the name")
        await running.press(*"lab_17", "space", *"99")
        await running.until(lambda: "gke_lab_1799" in running.shown and "cluster 1 " not in running.shown)
        assert running.shown.count("cluster ") == 1
        await running.press("enter")
        await running.until(lambda: source.opened[-1] == "gke_lab_1799")
    assert not (tmp_path / "chosen").exists(), "what is chosen on a screen is for that screen"


async def test_a_note_about_another_context_stands_on_the_screen(tmp_path: Path):
    note = "Jobs run in a, which `traindeck use` chose; kubectl's current context is b."
    async with app(Many(), tmp_path, context="gke_lab_0", note=note).run_test(
        headless=False, size=(80, 24), notifications=True
    ) as pilot:
        running = Deck(pilot.app, pilot, None)
        await running.until("Jobs run in a, which `traindeck use`")
        await running.until("kubectl's current context is")


class InCluster(ScriptedBackend):
    """A backend with namespaces."""

    features = frozenset({Feature.NAMESPACES})
    names: Sequence[str] | Forbidden = ("team-a", "team-b")

    def __init__(self) -> None:
        super().__init__()
        self.namespace = "team-a"

    async def list_namespaces(self) -> Sequence[str]:
        if isinstance(self.names, Forbidden):
            raise self.names
        return self.names


def watched(backend: ScriptedBackend) -> list[str]:
    return [call[1][0].namespace for call in backend.calls if call[0] == "watch"]


async def test_another_namespace(tmp_path: Path):
    backend = InCluster()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("N")
        await running.until("team-b")
        await running.press(*"am-b", "down", "enter")
        await running.until("scripted/team-b")
        await running.press("N")
        await running.until("all namespaces")
        await running.press("up", "up", "enter")
        await running.until("scripted/all namespaces")
    assert watched(backend) == ["team-a", "team-b", ""]


async def test_a_namespace_is_typed_where_they_may_not_be_listed(tmp_path: Path):
    backend = InCluster()
    backend.names = Forbidden("You may not list namespaces.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("N")
        await running.until("cannot be listed, so type one")
        await running.press(*"Team", "enter")
        await running.until("use small letters")
        await running.press("N")
        await running.until("type one")
        await running.press(*"team-c", "enter")
        await running.until("scripted/team-c")
    assert watched(backend) == ["team-a", "team-c"]
