"""Open registration takes some an hour from one address, and in all; a disabled person is told so."""

import contextlib

import httpx
import pytest

from backend.auth.password_guard import TooMany
from backend.auth.registration_limit import IN_ALL, PER_ADDRESS, RegistrationLimit
from tests.backend.conftest import PASSWORD, person
from tests.backend.support.people import enter


def granted(limit, address, tries):
    count = 0
    for _ in range(tries):
        with contextlib.suppress(TooMany):
            limit.take(address)
            count += 1
    return count


def test_one_address_takes_its_own_and_leaves_the_others():
    limit = RegistrationLimit()
    assert granted(limit, "192.0.2.1", 50) == PER_ADDRESS
    assert granted(limit, "192.0.2.2", 50) == PER_ADDRESS
    assert granted(limit, "2001:db8::1", 5) == 5
    assert granted(limit, "2001:db8::ffff", 50) == PER_ADDRESS - 5, "a /64 is one"


def test_many_addresses_take_so_many_in_all():
    limit = RegistrationLimit()
    assert sum(granted(limit, f"192.0.2.{number}", 3) for number in range(200)) == IN_ALL


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"registration": "open"})


async def test_registrations_from_one_address_are_429_after_some(app, client):
    await person(app, "ann")
    weak = {"user": "weak", "password": "x"}
    for _ in range(PER_ADDRESS * 2):  # what is refused anyway takes nobody's place
        assert (await client.post("/api/auth/register", json=weak)).status_code == 422
    tries = [
        await client.post("/api/auth/register", json={"user": f"new{number}", "password": PASSWORD})
        for number in range(PER_ADDRESS + 3)
    ]
    assert [answer.status_code for answer in tries] == [201] * PER_ADDRESS + [429] * 3
    assert int(tries[-1].headers["Retry-After"]) > 0
    elsewhere = httpx.ASGITransport(app=app, client=("192.0.2.9", 1))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://test") as other:
        assert (
            await other.post("/api/auth/register", json={"user": "far", "password": PASSWORD})
        ).status_code == 201


async def test_a_disabled_person_with_the_right_password_is_told_so(app, client):
    root = await enter(app, "root", "admin")
    await person(app, "dan")
    await root.ask("PATCH", "/users/dan", json={"disabled": True})
    right = await client.post("/api/auth/login", json={"user": "dan", "password": PASSWORD})
    assert right.status_code == 403
    assert right.json()["title"] == "The account dan is disabled."
    assert "admin" in right.json()["detail"]
    wrong = await client.post("/api/auth/login", json={"user": "dan", "password": "not the right one"})
    unknown = await client.post("/api/auth/login", json={"user": "nobody", "password": "not the right one"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["title"] == unknown.json()["title"]
    lines = (await root.ask("GET", "/audit"))["items"]
    assert "the account is disabled" in {line["result"] for line in lines}
