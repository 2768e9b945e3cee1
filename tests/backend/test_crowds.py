"""Crowds: what others do from the same address takes nothing from a login, nor from its person."""

import asyncio

import httpx
import pytest

from backend.app import create_app
from backend.auth.hash_queue import OF_ALL, OF_ONE_ORIGIN, HashQueue
from backend.auth.login_throttle import LoginThrottle
from backend.auth.passwords import Passwords
from backend.auth.tokens import new_token
from backend.proxy_headers import TrustedProxies
from backend.routes import streams
from backend_client.errors import Refused, Unreachable
from tests.backend.conftest import PASSWORD, login, person
from tests.backend.support.people import as_cookie
from tests.backend_client.server.support.running import running

ADDRESS = "192.0.2.7"


@pytest.fixture
async def small(settings):
    """A server that takes five requests at once from an address, and one password."""
    settings.rate, settings.burst = 0.001, 5
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        yield made


def client_of(app, address=ADDRESS):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://test")


async def sign_in(client, user, password=PASSWORD, headers=None):
    body = {"user": user, "password": password}
    return await client.post("/api/auth/login", json=body, headers=headers or {})


@pytest.mark.parametrize("flood", ["nobody", "new tokens", "garbage", "wrong passwords"])
async def test_a_flood_from_an_address_takes_no_logins_requests(small, flood):
    ann = await login(small, "ann")
    async with client_of(small) as client:
        for _ in range(30):
            if flood == "nobody":
                await client.get("/api/auth/me")
            elif flood == "new tokens":
                token = new_token().reveal()
                await client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
            elif flood == "garbage":
                await client.get("/api/auth/me", headers={"Authorization": "Bearer td_x"})
            else:
                await sign_in(client, "nobody", "wrong wrong")
        assert (await client.get("/api/auth/me")).status_code == (401 if "passwords" in flood else 429)
        assert (await client.get("/api/auth/me", headers=ann)).status_code == 200
        again = await sign_in(client, "ann", headers=ann)
        assert again.status_code == 200
        fresh = {"Authorization": f"Bearer {again.json()['token']}"}
        assert (await client.get("/api/auth/me", headers=fresh)).status_code == 200


async def test_logins_are_known_again_after_a_restart(settings):
    settings.rate, settings.burst = 0.001, 5
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        ann = await login(made, "ann")
    again = create_app(settings, announce=lambda words: None)
    async with again.router.lifespan_context(again), client_of(again) as client:
        for _ in range(10):
            await client.get("/api/auth/me")
        assert (await client.get("/api/auth/me", headers=ann)).status_code == 200


@pytest.mark.parametrize("browser", [False, True])
async def test_who_guesses_at_a_login_node_does_not_lock_its_people_out(app, client, browser):
    """Ann's login has ended, valid or not it tells that she is not the one who guesses."""
    await person(app, "ann")
    first = (await sign_in(client, "ann")).json()["token"]
    earlier = {"Authorization": f"Bearer {first}"}
    if browser:
        earlier = as_cookie(first) | {"Sec-Fetch-Site": "same-origin"}
    await client.post("/api/auth/logout", headers=earlier)
    for _ in range(30):
        await sign_in(client, "ann", "wrong wrong")
    assert (await sign_in(client, "ann", "wrong wrong")).status_code == 429
    assert (await sign_in(client, "ann", headers=earlier)).status_code == 200


async def test_an_earlier_login_of_somebody_else_helps_nobody_guess(app, client):
    await person(app, "ann")
    eve = await login(app, "eve")
    answers = [await sign_in(client, "ann", "wrong wrong", eve) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3


async def test_an_earlier_login_is_throttled_too(app, client):
    ann = await login(app, "ann")
    answers = [await sign_in(client, "ann", "wrong wrong", ann) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3


async def test_a_change_of_password_is_not_held_up_by_guesses(app, client):
    ann = await login(app, "ann")
    for _ in range(10):
        await sign_in(client, "ann", "wrong wrong")
    change = {"old": PASSWORD, "new": "another good one"}
    assert (await client.post("/api/auth/password", json=change, headers=ann)).status_code == 204


def test_the_hourly_ceiling_spares_who_is_trusted():
    throttle = LoginThrottle(clock=lambda: 0.0)
    throttle.trust("ann", "login 7")
    for number in range(120):
        throttle.failed("ann", f"198.51.{number}.1")
    assert throttle.wait("ann", "203.0.113.1") > 0
    assert throttle.wait("ann", "login 7") == 0
    assert throttle.wait("ann", "uid 1000") > 0


async def test_a_crowd_of_hashes_waits_behind_itself():
    queue, done = HashQueue(), []

    async def enter(origin):
        try:
            await queue.run(origin, done.append, origin)
        except Unreachable:
            return "refused"

    crowd = [asyncio.create_task(enter("crowd")) for _ in range(OF_ONE_ORIGIN + 50)]
    await asyncio.sleep(0)
    await enter("ann")
    assert len(done) < 10
    assert (await asyncio.gather(*crowd)).count("refused") == 48


async def test_many_crowds_do_not_fill_the_queue():
    queue = HashQueue()
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    crowd = [asyncio.create_task(queue.run(f"crowd {n % 3}", work)) for n in range(OF_ALL + 2)]
    await asyncio.sleep(0)
    late = [asyncio.create_task(queue.run(f"person {n}", lambda: "in")) for n in range(5)]
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*late) == ["in"] * 5
    ends = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(end, Unreachable) for end in ends) == 5


async def test_who_gives_up_waiting_leaves_the_queue():
    queue = HashQueue()
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    running_ones = [asyncio.create_task(queue.run("a", work)) for _ in range(2)]
    await asyncio.sleep(0)
    gone = asyncio.create_task(queue.run("a", work))
    await asyncio.sleep(0)
    gone.cancel()
    release.set()
    await asyncio.gather(*running_ones, gone, return_exceptions=True)
    assert await asyncio.gather(*(queue.run("b", lambda: 1) for _ in range(5))) == [1] * 5


@pytest.mark.parametrize(
    ("listed", "peer", "forwarded", "client"),
    [
        (["10.0.0.1"], "10.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["10.0.0.1"], "10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        (["10.0.0.1"], "10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        (["10.0.0.1"], "10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        (["10.0.0.1"], "10.0.0.1", "2001:db8::7", "2001:db8::7"),
        (["10.0.0.1"], "10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
        (["10.0.0.1"], "10.0.0.1", "192.0.2.7, unknown", "10.0.0.1"),
        (["10.0.0.1"], "10.0.0.1", 'x"\x1b[2J', "10.0.0.1"),
        (["10.0.0.1"], "::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["2001:db8::/32"], "2001:db8::1", "192.0.2.7", "192.0.2.7"),
        (["unix"], "uid 33", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        (["10.0.0.1"], "uid 33", "192.0.2.7", "uid 33"),
        (["unix"], "127.0.0.1", "192.0.2.7", "127.0.0.1"),
        (["10.0.0.1"], "10.0.0.2", "192.0.2.7", "10.0.0.2"),
        ([], "127.0.0.1", "192.0.2.7", "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_last_known_proxy_names(listed, peer, forwarded, client):
    assert TrustedProxies(listed).client_of(forwarded, peer) == client


@pytest.mark.parametrize("wrong", ["*", "proxy.example.org", "10.0.0.0/40", ""])
def test_what_is_no_proxy(wrong):
    with pytest.raises(Refused, match="no address of a proxy"):
        TrustedProxies([wrong])


NFC, NFD, WIDE = "p\u00e4\u00dfw\u00f6rter", "pa\u0308\u00dfwo\u0308rter", "\uff50a\u0308\u00dfw\u00f6rter"


@pytest.mark.parametrize("kept", [NFC, NFD, WIDE])
@pytest.mark.parametrize("typed", [NFC, NFD, WIDE])
async def test_a_password_is_right_on_every_keyboard(kept, typed):
    passwords = Passwords(memory=64, time=1)
    stored = await passwords.hash(kept)
    assert await passwords.verify(stored, typed)
    assert not await passwords.verify(stored, typed + "x")


@pytest.mark.parametrize(("kept", "typed"), [(NFC, NFD), (NFD, NFC), (NFC, NFC), (NFD, NFD), (WIDE, WIDE)])
async def test_a_hash_of_a_password_as_it_was_typed_still_works(kept, typed):
    passwords = Passwords(memory=64, time=1)
    stored = passwords._hasher.hash(kept.encode())
    assert await passwords.verify(stored, typed)
    assert not await passwords.verify(stored, "patworter")


async def test_the_streams_of_one_login_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MOST", 3)
    with running(tmp_path / "server", people={"root": "admin", "ann": "researcher"}) as server:
        body = {"password": PASSWORD}
        tokens = [
            httpx.post(f"{server.url}/api/auth/login", json=body | {"user": user}).json()["token"]
            for user in ("root", "ann")
        ]
        root, ann = ({"Authorization": f"Bearer {token}"} for token in tokens)
        async with httpx.AsyncClient(
            base_url=server.url, limits=httpx.Limits(max_connections=None)
        ) as client:

            async def watch(headers):
                request = client.build_request("GET", "/api/watch", headers=headers)
                return await client.send(request, stream=True)

            answers = await asyncio.gather(*(watch(ann) for _ in range(8)))
            assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 5
            refused = next(answer for answer in answers if answer.status_code == 429)
            assert "3 streams open" in (await refused.aread()).decode()
            assert (await watch(root)).status_code == 200
            for answer in answers:
                await answer.aclose()
            async with asyncio.timeout(60):
                while (await watch(ann)).status_code != 200:
                    await asyncio.sleep(0.05)
