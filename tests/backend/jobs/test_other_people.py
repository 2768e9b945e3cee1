"""What a caller is told of other people's jobs: figures always, names only where the server says so."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from backend.auth.caller import Caller
from backend.clusters.hub import Hub, Owner
from backend.jobs.other_people import as_seen_by, may_name
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from backend_client.models import Job, JobRef, JobSpec, JobState
from backend_client.server.roles import Role
from backend_client.why import Cause, Explanation
from tests.backend.support.people import enter

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ANN, BOB, CAM = Owner(1, "ann"), Owner(2, "bob"), Owner(3, "cam")
NOBODYS = "uid-of-nobody"


def job(owner: Owner) -> Job:
    ref = JobRef("lab", "ns", "job", f"of-{owner.name}", f"uid-{owner.name}")
    return Job(ref=ref, state=JobState.RUNNING, spec=JobSpec(name=ref.name), created=NOW)


def service(*, show_others: bool) -> SimpleNamespace:
    hub = Hub()
    hub.add("lab")
    for owner in (ANN, BOB, CAM):
        hub.claim(owner, job(owner))
    return SimpleNamespace(settings=SimpleNamespace(show_others=show_others), hub=hub)


def caller(user_id: int, role: Role = Role.RESEARCHER, team: frozenset[int] | None = frozenset()) -> Caller:
    return Caller(user_id, "x", role, 1, "127.0.0.1", "r", team)


RESEARCHER, VIEWER = caller(1), caller(9, Role.VIEWER, frozenset({2}))
ADMIN = caller(8, Role.ADMIN, None)
OF = ("uid-ann", "uid-bob", "uid-cam", NOBODYS)


@pytest.mark.parametrize(
    ("who", "named"),
    [(RESEARCHER, ["uid-ann"]), (VIEWER, ["uid-bob"]), (ADMIN, ["uid-ann", "uid-bob", "uid-cam"])],
    ids=["researcher", "viewer of a team", "admin"],
)
def test_a_job_is_named_to_whom_may_see_it(who: Caller, named: list[str]):
    jobs = service(show_others=False)
    assert [uid for uid in OF if may_name(jobs, who, uid)] == named


@pytest.mark.parametrize("who", [RESEARCHER, VIEWER, ADMIN])
def test_every_job_is_named_where_the_server_shows_others(who: Caller):
    jobs = service(show_others=True)
    assert [uid for uid in OF if may_name(jobs, who, uid)] == list(OF)


def holder(uid: str) -> Holder:
    return Holder(gpus=2, uid=uid, name=f"of {uid}", owner="as its object says", until=NOW)


def node() -> GpuNode:
    return GpuNode(name="gpu-7", total=8, free=0, holders=tuple(map(holder, OF)))


def seen(who: Caller, *, show_others: bool) -> list[tuple[Whose, str, str, str]]:
    found = as_seen_by(service(show_others=show_others), who, node())
    assert (found.name, found.total, found.free) == ("gpu-7", 8, 0)
    assert [(one.gpus, one.until) for one in found.holders] == [(2, NOW)] * len(OF)
    return [(one.whose, one.uid, one.name, one.owner) for one in found.holders]


HIDDEN = (Whose.OTHER, "", "", "")
NOBODY = (Whose.OTHER, NOBODYS, f"of {NOBODYS}", "as its object says")


def named(whose: Whose, owner: Owner) -> tuple[Whose, str, str, str]:
    uid = f"uid-{owner.name}"
    return whose, uid, f"of {uid}", owner.name


def test_a_researcher_sees_figures_of_others():
    assert seen(RESEARCHER, show_others=False) == [named(Whose.MINE, ANN), HIDDEN, HIDDEN, HIDDEN]


def test_a_viewer_sees_the_names_of_the_team():
    assert seen(VIEWER, show_others=False) == [HIDDEN, named(Whose.TEAM, BOB), HIDDEN, HIDDEN]


def test_an_admin_sees_all_that_have_an_owner():
    others = [named(Whose.OTHER, owner) for owner in (ANN, BOB, CAM)]
    assert seen(ADMIN, show_others=False) == [*others, HIDDEN]


def test_where_the_server_shows_others_all_are_named_by_their_row():
    mine, others = named(Whose.MINE, ANN), [named(Whose.OTHER, owner) for owner in (BOB, CAM)]
    assert seen(RESEARCHER, show_others=True) == [mine, *others, NOBODY]


# Over the routes


@pytest.fixture
async def settings(settings, tmp_path, monkeypatch, request):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    more = {"local": True, "local_gpus": 2, "local_grace": 0.5, "show_others": request.param}
    return settings.model_copy(update=more)


@pytest.mark.parametrize("settings", [False, True], indirect=True, ids=["numbers alone", "show_others"])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_why_and_nodes_ask_the_same_question(app, settings, monkeypatch):
    ann, bob = await enter(app, "ann"), await enter(app, "bob")
    held = await ann.submit(name="secret")
    await bob.submit(name="bobs")
    backend = app.state.runtime.jobs.clusters.get("local").backend

    async def explain_for(ref, may_name):
        name = "secret" if may_name(held["ref"]["uid"]) else "another job"
        return Explanation(sentence="waits", chain=(Cause(id="", sentence=f"{name} holds it", object="x"),))

    async def nodes(scope):
        holders = (Holder(gpus=1, uid=held["ref"]["uid"], name="secret"),)
        return GpuNodes((GpuNode(name="gpu-7", total=1, free=0, holders=holders),))

    monkeypatch.setattr(backend, "explain_for", explain_for)
    monkeypatch.setattr(backend, "nodes", nodes)
    shown = {True: {"ann", "bob"}, False: {"ann"}}[settings.show_others]
    for person, job in ((ann, "secret"), (bob, "bobs")):
        for path in (f"/jobs/{job}/why", "/nodes"):
            await person.ask("GET", path)
            assert ("secret" in person.last.text) is (person.name in shown), (person.name, path)
    await bob.ask("GET", "/jobs/secret/why", 404)
