"""Quotas of a person: GPUs, pods, CPUs, memory; in the plan as in the create, and race-free."""

import asyncio

import pytest

from backend.jobs import quotas
from backend_client.local import capabilities
from backend_client.local.backend import LocalBackend
from backend_client.models import JobSpec
from backend_client.protocol import FieldRule, Plan, Use
from tests.backend.support.people import enter


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    """Let this machine take jobs, as if they had CPUs, memory and replicas of their own, and start none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    rules = capabilities.FIELDS | dict.fromkeys(
        ("cpu", "memory", "nodes", "shm_size"), FieldRule(Use.OPTIONAL)
    )
    monkeypatch.setattr(LocalBackend, "fields", rules)
    monkeypatch.setattr(LocalBackend, "plan", no_objections)
    return settings.model_copy(update={"local": True, "local_gpus": 8, "max_cpus": 16, "max_memory_gib": 64})


async def no_objections(self, spec):
    return Plan(name=spec.name, yaml="", place="")


@pytest.fixture
async def ann(app):
    return await enter(app, "ann")


@pytest.mark.parametrize(
    ("spec", "demand"),
    [
        (JobSpec(), quotas.Demand(0, 1, 0, 0)),
        (JobSpec(gpus=8, nodes=4, cpu="500m", memory="1Gi"), quotas.Demand(32, 4, 2000, 4096)),
        (JobSpec(kind="deployment", gpus=1, replicas=3, nodes=1, cpu="2"), quotas.Demand(3, 3, 6000, 0)),
        (JobSpec(memory="64Gi", shm_size="8Gi"), quotas.Demand(0, 1, 0, 72 * 1024)),
        (JobSpec(cpu="0.0001", memory="1"), quotas.Demand(0, 1, 1, 1)),
        (JobSpec(cpu="8E", memory="8E", nodes=1000), quotas.Demand(0, 1000, 2**53, 7629394531250 * 1000)),
    ],
)
def test_what_a_spec_asks_for(spec, demand):
    assert quotas.demand_of(spec) == demand


async def planned(person, **fields):
    body = {"kind": "job", "command": ["true"], **fields}
    return {
        notice["field"]: notice["message"]
        for notice in (await person.ask("POST", "/plan", json=body))["errors"]
    }


async def submitted(person, **fields):
    problem = await person.submit("sleep 60", 400, **fields)
    return problem["fields"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (
            {"cpu": "19", "memory": "1Gi"},
            {"cpu": "asks for 19, which would be 3 over your 16 CPUs; 0 are taken"},
        ),
        (
            {"cpu": "1", "memory": "65Gi"},
            {"memory": "asks for 65, which would be 1 over your 64 GiB of memory; 0 are taken"},
        ),
        ({"cpu": "1"}, {"memory": "say how much; 64 GiB of memory at a time are yours"}),
        (
            {"cpu": "5", "memory": "1Gi", "nodes": 4},
            {"cpu": "asks for 20, which would be 4 over your 16 CPUs; 0 are taken"},
        ),
        (
            {"cpu": "16500m", "memory": "1Gi"},
            {"cpu": "asks for 16.5, which would be 0.5 over your 16 CPUs; 0 are taken"},
        ),
    ],
)
async def test_the_plan_and_the_create_say_the_same(ann, fields, wrong):
    assert await planned(ann, **fields) == wrong
    assert await submitted(ann, **fields) == wrong


async def test_a_person_has_their_own_pods_and_they_come_free_again(app, ann):
    root = await enter(app, "root", "admin")
    told = await root.ask(
        "PATCH", "/users/ann", json={"max_pods": 3, "max_cpus": None, "max_memory_gib": 1000}
    )
    assert (told["max_pods"], told["max_cpus"], told["max_memory_gib"]) == (3, None, 1000)
    room = {"cpu": "1", "memory": "1Gi"}
    assert set(await planned(ann, nodes=4, **room)) == {"nodes"}
    assert "1 over your 3 pods" in (await planned(ann, nodes=4, **room))["nodes"]
    assert await planned(ann, nodes=3, **room) == {}
    bob = await enter(app, "bob")
    assert await planned(bob, nodes=16, **room) == {}


async def test_creates_at_once_do_not_all_pass(app, ann, monkeypatch):
    """20 at once of 5 CPUs each: three fit into 16."""
    root = await enter(app, "root", "admin")
    await root.ask("PATCH", "/users/ann", json={"max_jobs": 100})
    held = asyncio.Event()

    async def create(self, spec, *, key, secrets):
        await held.wait()

    monkeypatch.setattr(LocalBackend, "create", create)
    body = {"kind": "job", "command": ["true"], "cpu": "5", "memory": "1Gi"}
    asks = [asyncio.create_task(ann.ask_status("POST", "/jobs", json=body)) for _ in range(20)]
    answers = asyncio.as_completed(asks, timeout=60)
    assert {await next(answers) for _ in range(17)} == {400}
    assert sum(not ask.done() for ask in asks) == 3
    for ask in asks:
        ask.cancel()
    await asyncio.gather(*asks, return_exceptions=True)
