"""Visible jobs of many screens: each cluster is told once what anybody may see."""

from types import SimpleNamespace

import pytest

from backend.auth.caller import Caller
from backend.clusters.hub import Hub, Owner
from backend.jobs.visible_jobs import EXPIRY_SECONDS, MAX_SCREENS, VisibleJobsRegistry
from backend_client.server.bodies import VisibleJobs
from backend_client.server.roles import Role
from tests.backend.clusters.test_hub import ANN, BOB, job
from tests.support.scripted import ScriptedBackend


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def caller(owner: Owner, token: int = 0, role: Role = Role.RESEARCHER) -> Caller:
    return Caller(owner.user_id, owner.name, role, token or owner.user_id, "here", "r")


class Lab:
    """Two clusters, whose backends write down what they are told."""

    def __init__(self):
        self.hub, self.clock = Hub(), Clock()
        self.backends = {name: ScriptedBackend() for name in ("c", "d")}
        self.clusters = [SimpleNamespace(name=name, backend=made) for name, made in self.backends.items()]
        self.visible_jobs = VisibleJobsRegistry(self.hub, self.clusters, self.clock)
        for owner, uid, cluster in ((ANN, "a1", "c"), (ANN, "a2", "d"), (BOB, "b1", "c"), (BOB, "b2", "c")):
            self.hub.claim(owner, job(uid, cluster))

    def told(self, cluster="c"):
        """Return the visible jobs of each report to a cluster, in order."""
        calls = self.backends[cluster].calls
        return [[ref.uid for ref in refs] for name, refs in calls if name == "look"]


@pytest.fixture
def lab():
    return Lab()


async def test_each_cluster_hears_of_its_jobs_once(lab):
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("a1", "a2")))
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("a1", "a2")))
    await lab.visible_jobs.set_visible_jobs(caller(ANN, token=7), VisibleJobs("other", ("a1",)))
    assert (lab.told("c"), lab.told("d")) == ([["a1"]], [["a2"]])


async def test_a_look_at_anothers_job_is_none(lab):
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("b1", "unknown", "a1")))
    assert lab.told() == [["a1"]]
    await lab.visible_jobs.set_visible_jobs(
        caller(Owner(3, "root"), role=Role.ADMIN), VisibleJobs("s", ("b1",))
    )
    assert lab.told()[-1] == ["a1", "b1"]


async def test_the_first_of_everybody_come_first(lab):
    await lab.visible_jobs.set_visible_jobs(caller(BOB), VisibleJobs("s", ("b1", "b2")))
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("a1",)))
    assert lab.told()[-1] == ["b1", "a1", "b2"]


async def test_who_says_nothing_any_more_is_forgotten(lab):
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("a1",)))
    lab.clock.now = EXPIRY_SECONDS - 1
    await lab.visible_jobs.set_visible_jobs(caller(BOB), VisibleJobs("s", ("b1",)))
    lab.clock.now = EXPIRY_SECONDS + 1
    await lab.visible_jobs.expire()
    assert lab.told() == [["a1"], ["a1", "b1"], ["b1"]]
    await lab.visible_jobs.set_visible_jobs(caller(BOB), VisibleJobs("s", ()))
    assert lab.told()[-1] == []


async def test_one_login_does_not_pile_up_screens(lab):
    for number in range(3 * MAX_SCREENS):
        await lab.visible_jobs.set_visible_jobs(
            caller(BOB), VisibleJobs(f"s{number}", ("b1" if number else "b2",))
        )
    assert lab.told()[-1] == ["b1"]


async def test_a_cluster_that_was_opened_anew_is_told_anew(lab):
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("a1",)))
    lab.clusters[0].backend = lab.backends["c"] = ScriptedBackend()
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", ("a1",)))
    assert lab.told() == [["a1"]]
