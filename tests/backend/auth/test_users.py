"""Accounts: how people come in, log in and out, and what admins do to them."""

import asyncio
import time

import pytest

from backend.auth.login_throttle import LoginThrottle, network
from backend.auth.passwords import Passwords, check_new_password
from backend.auth.users import get_user
from backend_client.errors import Invalid, Unreachable
from tests.backend.conftest import PASSWORD, login, person

NEW = "another good one"


async def log_in(client, user, password=PASSWORD):
    return await client.post("/api/auth/login", json={"user": user, "password": password, "name": "laptop"})


def bearer(answer):
    assert answer.status_code in (200, 201), answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_log_in_and_out(app, client):
    await person(app, "ann")
    answer = await log_in(client, "ANN")
    headers = bearer(answer)
    assert answer.json()["role"] == "researcher"
    assert (await client.get("/api/auth/me", headers=headers)).json()["user"] == "ann"
    assert (await client.post("/api/auth/logout", headers=headers)).status_code == 204
    dead = await client.get("/api/auth/me", headers=headers)
    assert (dead.status_code, dead.json()["kind"]) == (401, "LoginNeeded")
    assert dead.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_user_and_a_wrong_password_are_answered_alike(app, client):
    await person(app, "ann")
    answers = [await log_in(client, "ann", "wrong wrong"), await log_in(client, "nobody", "wrong wrong")]
    bodies = [answer.json() for answer in answers]
    assert [body.pop("request_id") != "" for body in bodies] == [True, True]
    assert bodies[0] == bodies[1]
    assert [answer.status_code for answer in answers] == [401, 401]


async def test_an_unknown_user_takes_as_long_as_a_wrong_password():
    passwords = Passwords(memory=19456, time=2)
    stored = await passwords.hash(PASSWORD)
    assert "$m=19456,t=2,p=1$" in stored

    async def took(hashed):
        began = time.process_time()
        assert not await passwords.verify(hashed, "wrong")
        return time.process_time() - began

    known, unknown = zip(*[(await took(stored), await took(None)) for _ in range(5)], strict=True)
    assert 0.5 < min(known) / min(unknown) < 2


async def test_a_disabled_user_cannot_log_in(app, client):
    root, ann = await login(app, "root"), await login(app, "ann")
    done = await client.patch("/api/users/ann", json={"disabled": True}, headers=root)
    assert done.json()["disabled"] is True
    assert (await client.get("/api/auth/me", headers=ann)).status_code == 401
    assert (await log_in(client, "ann")).json()["title"] == "The account ann is disabled."


async def test_a_password_that_changes_while_somebody_logs_in_with_the_old_one(app, client):
    await person(app, "ann")
    root, runtime = await login(app, "root"), app.state.runtime
    verify = runtime.passwords.verify

    async def slowly(stored, password, origin):
        right = await verify(stored, password)
        done = await client.patch("/api/users/ann", json={"password": NEW}, headers=root)
        assert done.status_code == 200
        return right

    runtime.passwords.verify = slowly
    assert (await log_in(client, "ann")).status_code == 401
    runtime.passwords.verify = verify
    assert (await log_in(client, "ann", NEW)).status_code == 200


async def test_a_flood_of_logins_is_sent_away():
    passwords = Passwords(memory=64, time=1)
    answers = await asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(150)), return_exceptions=True)
    assert sum(isinstance(answer, Unreachable) for answer in answers) == 48
    assert await passwords.hash(PASSWORD)


async def test_a_hash_with_other_costs_is_replaced_at_login(app, client):
    await person(app, "ann")
    runtime = app.state.runtime
    runtime.passwords = Passwords(memory=128, time=1)
    assert (await log_in(client, "ann")).status_code == 200
    async with runtime.database.read() as session:
        stored = (await get_user(session, "ann")).password_hash
    assert not runtime.passwords.needs_rehash(stored)
    assert (await log_in(client, "ann")).status_code == 200


@pytest.mark.parametrize("password", ["short", "password123", "annannannann", "aaaaaaaaaa", "x" * 1025])
async def test_bad_passwords_are_refused_before_anything_is_hashed(password):
    with pytest.raises(Invalid):
        check_new_password(password, "AnnAnnAnnAnn")


@pytest.mark.parametrize("password", ["päßwörter für alle", "\ud800" * 9 + "abc", "☃" * 5 + "abc"])
async def test_any_characters_make_a_password(password):
    check_new_password(password, "ann")
    passwords = Passwords(memory=64, time=1)
    assert await passwords.verify(await passwords.hash(password), password)


async def test_a_huge_password_is_never_hashed(app, client):
    await person(app, "ann")
    answer = await log_in(client, "ann", "x" * 2000)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["password"])


async def test_change_of_password_ends_the_other_logins(app, client):
    mine, other = await login(app, "ann"), await login(app, "ann")
    wrong = await client.post("/api/auth/password", json={"old": "wrong", "new": NEW}, headers=mine)
    assert wrong.status_code == 403
    done = await client.post("/api/auth/password", json={"old": PASSWORD, "new": NEW}, headers=mine)
    assert done.status_code == 204
    assert (await client.get("/api/auth/me", headers=mine)).status_code == 200
    assert (await client.get("/api/auth/me", headers=other)).status_code == 401
    assert (await log_in(client, "ann")).status_code == 401
    assert (await log_in(client, "ann", NEW)).status_code == 200


async def test_registration_is_closed_unless_it_is_opened(app, client):
    body = {"user": "eve", "password": PASSWORD}
    closed = await client.post("/api/auth/register", json=body)
    assert (closed.status_code, closed.json()["kind"]) == (403, "Forbidden")
    app.state.settings.registration = "open"
    opened = await client.post("/api/auth/register", json=body)
    assert (opened.status_code, opened.json()["role"]) == (201, "viewer")
    assert (await client.get("/api/auth/me", headers=bearer(opened))).json()["user"] == "eve"
    again = await client.post("/api/auth/register", json={**body, "user": "EVE"})
    assert (again.status_code, again.json()["kind"]) == (409, "Conflict")


async def test_odd_names_are_refused_in_words(app, client):
    root = await login(app, "root")
    for name in ("", "-a", "a b", "a\nb", "a/../b", "ünder", "x" * 65, "kube:admin"):
        answer = await client.post("/api/users", json={"user": name, "password": PASSWORD}, headers=root)
        assert (answer.status_code, answer.json()["kind"]) == (422, "Invalid"), name
        assert "user" in answer.json()["fields"]


async def test_admins_make_and_change_accounts(app, client):
    root = await login(app, "root")
    made = await client.post("/api/users", json={"user": "bob", "password": PASSWORD}, headers=root)
    assert (made.status_code, made.json()["role"]) == (201, "viewer")
    body = {"role": "researcher", "max_gpus": 4, "password": NEW}
    changed = (await client.patch("/api/users/bob", json=body, headers=root)).json()
    assert (changed["role"], changed["max_gpus"], changed["max_jobs"]) == ("researcher", 4, None)
    changed = (await client.patch("/api/users/bob", json={"max_gpus": None}, headers=root)).json()
    assert (changed["role"], changed["max_gpus"]) == ("researcher", None)
    bob = bearer(await log_in(client, "bob", NEW))
    assert (await client.get("/api/users", headers=bob)).status_code == 403
    names = [item["user"] for item in (await client.get("/api/users", headers=root)).json()["items"]]
    assert names == ["bob", "root"]
    assert (await client.get("/api/users/nobody", headers=root)).status_code == 404


async def test_the_last_admin_stays(app, client):
    root = await login(app, "root")
    for change in ({"disabled": True}, {"role": "viewer"}):
        answer = await client.patch("/api/users/root", json=change, headers=root)
        assert (answer.status_code, answer.json()["kind"]) == (409, "Conflict")
    await person(app, "two", "admin")
    assert (await client.patch("/api/users/root", json={"role": "viewer"}, headers=root)).status_code == 200
    assert (await client.get("/api/users", headers=root)).status_code == 403


async def test_two_admins_who_disable_each_other_leave_one(app, client):
    await person(app, "two", "admin")
    root, two = await login(app, "root"), await login(app, "two")
    body = {"disabled": True}
    await asyncio.gather(
        client.patch("/api/users/two", json=body, headers=root),
        client.patch("/api/users/root", json=body, headers=two),
    )
    left = [
        headers for headers in (root, two) if (await client.get("/api/users", headers=headers)).is_success
    ]
    assert len(left) == 1


async def test_guessing_is_slowed_down_and_another_network_is_not(app, client):
    await person(app, "ann")
    answers = [await log_in(client, "ann", "wrong wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert (await log_in(client, "ann")).status_code == 429
    assert app.state.runtime.throttle.wait("ann", "10.0.0.1") == 0


async def test_many_guesses_at_once_count_as_many(app, client):
    await person(app, "ann")
    answers = await asyncio.gather(*(log_in(client, "ann", f"guess no {n}") for n in range(20)))
    assert sum(answer.status_code == 401 for answer in answers) == 5


def test_the_throttle_doubles_forgets_and_has_a_ceiling():
    now = [0.0]
    throttle = LoginThrottle(clock=lambda: now[0])
    waits = []
    for _ in range(15):
        throttle.failed("ann", "192.0.2.1")
        waits.append(throttle.wait("ann", "192.0.2.77"))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert throttle.wait("ann", "198.51.100.1") == 0
    throttle.succeeded("ann", "203.0.113.5")
    for number in range(100):
        throttle.failed("ann", f"198.51.{number}.1")
    assert throttle.wait("ann", "10.9.9.9") == 3600
    assert throttle.wait("ann", "203.0.113.9") == 0
    now[0] = 3601
    assert throttle.wait("ann", "10.9.9.9") == 0


def test_the_network_of_an_address():
    assert network("192.0.2.9") == network("192.0.2.200") == "192.0.2.0/24"
    assert network("::ffff:192.0.2.9") == "192.0.2.0/24"
    assert network("2001:db8::1") == network("2001:db8::ffff:1") == "2001:db8::/64"
    assert network("local") == "local"
