"""The circuit breaker: one person's slow requests are theirs, a cluster that is down is everybody's."""

import asyncio

import pytest

from backend.clusters import circuit_breaker
from backend.clusters.circuit_breaker import FAILURE_THRESHOLD, MAX_PER_PERSON, SERVER, CircuitBreaker
from backend_client.errors import Forbidden, LoginNeeded, Refused, Unreachable
from backend_client.local.backend import LocalBackend
from tests.backend.support.people import enter
from tests.support.wait import async_until

ANN, BOB = 1, 2


class Cluster:
    """Answers its probe, or not."""

    def __init__(self):
        self.failure, self.probes = None, 0

    async def probe(self):
        self.probes += 1
        if self.failure:
            raise self.failure


@pytest.fixture
def behind():
    return Cluster()


@pytest.fixture
async def breaker(behind):
    made = CircuitBreaker("lab", behind.probe)
    yield made
    await made.aclose()


async def slow(breaker, person):
    """Send a request that is never answered."""
    with pytest.raises(Unreachable) as caught:
        async with breaker.call(person, 0.01):
            await asyncio.Event().wait()
    return caught.value


async def fine(breaker, person):
    async with breaker.call(person):
        return True


async def probed(behind):
    await async_until(lambda: asyncio.sleep(0, behind.probes), 10)


async def test_slow_requests_of_one_person_pause_that_person_alone(breaker, behind):
    for _ in range(FAILURE_THRESHOLD):
        assert "no answer in 0.01 s" in (await slow(breaker, ANN)).title
    await probed(behind)
    with pytest.raises(Unreachable, match="3 requests of yours") as caught:
        await fine(breaker, ANN)
    assert 0 < caught.value.retry_after <= circuit_breaker.PAUSE_SECONDS
    assert await fine(breaker, BOB)
    assert await fine(breaker, SERVER)


async def test_one_person_takes_a_few_places_and_leaves_the_others(breaker):
    async def hold():
        async with breaker.call(ANN):
            await asyncio.Event().wait()

    held = [asyncio.create_task(hold()) for _ in range(MAX_PER_PERSON)]
    await asyncio.sleep(0)
    with pytest.raises(Unreachable, match="too much of yours"):
        await fine(breaker, ANN)
    assert await fine(breaker, BOB)
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert await fine(breaker, ANN)


async def test_a_cluster_that_is_down_is_down_for_everybody_until_it_answers(breaker, behind, monkeypatch):
    monkeypatch.setattr(circuit_breaker, "PAUSE_SECONDS", 0.05)
    behind.failure = Unreachable("10.0.0.1:6443 refused the connection.")
    await slow(breaker, ANN)

    async def closed():
        try:
            return not await fine(breaker, BOB)
        except Unreachable as error:
            return "does not answer: 10.0.0.1:6443 refused the connection." in error.title

    await async_until(closed, 10)
    behind.failure = None

    async def opened():
        return not await closed()

    await async_until(opened, 10)
    assert await fine(breaker, ANN)


@pytest.mark.parametrize("answer", [Forbidden("No."), LoginNeeded("No."), Refused("No.")])
async def test_a_cluster_that_refuses_its_probe_is_up(breaker, behind, answer):
    behind.failure = answer
    await slow(breaker, ANN)
    await probed(behind)
    assert await fine(breaker, BOB)


async def test_a_refusal_is_an_answer_and_the_servers_bad_login_nobodys_fault(breaker, behind):
    for error in (Refused("No."), LoginNeeded("No.")) * FAILURE_THRESHOLD:
        with pytest.raises((Refused, Unreachable)):
            async with breaker.call(ANN):
                raise error
    assert await fine(breaker, ANN)
    assert not behind.probes


async def test_what_the_servers_account_may_not_do_is_not_the_persons_fault(breaker):
    for right, hint in (
        ("list secrets in td-ann", "write the name"),
        ("create jobs.batch in td-ann", "account.yaml"),
    ):
        with pytest.raises(Refused, match=f"This server's account in lab may not {right}") as caught:
            async with breaker.call(ANN):
                raise Forbidden(f"You may not {right}.")
        assert hint in caught.value.hint
    assert await fine(breaker, ANN)


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return settings.model_copy(update={"local": True, "local_gpus": 2})


async def test_costly_plans_of_one_person_leave_the_cluster_open_for_others(app, monkeypatch):
    """Costly ones: as a quantity that takes the API server minutes."""

    plan = LocalBackend.plan

    async def costly(self, spec):
        return await (asyncio.Event().wait() if spec.name == "costly" else plan(self, spec))

    monkeypatch.setattr(LocalBackend, "plan", costly)
    monkeypatch.setattr(circuit_breaker, "LIMIT_SECONDS", 0.05)
    ann, bob = await enter(app, "ann"), await enter(app, "bob")
    body = {"kind": "job", "command": ["true"]}
    for _ in range(FAILURE_THRESHOLD + 2):
        await ann.ask("POST", "/plan", 503, json=body | {"name": "costly"})
    assert "Retry-After" in ann.last.headers
    assert "yours" in (await ann.ask("POST", "/plan", 503, json=body))["title"]
    await bob.ask("POST", "/plan", 200, json=body)
