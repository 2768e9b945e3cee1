"""Every rule of the reflector, one by one, on a clock that jumps. `test_reflector_machine` mixes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from backend_client.errors import Unreachable
from backend_client.kubernetes.api import json_lines
from backend_client.kubernetes.api.credentials import Login, bearer
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.kubernetes.watch import reflector
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.protocol import Freshness, FreshnessState, Synced
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.faults import BEFORE_ANSWER, IN_WATCH, FaultyApi, Pods


class Mirror:
    """What a consumer makes of the batches."""

    def __init__(self, api: FaultyApi, transport: Transport) -> None:
        self.api = api
        self.reflector = Reflector(transport, PODS, "ns")
        self.told: dict[str, str] = {}
        """uid -> version."""
        self.links: list[Freshness] = []
        self.synced = 0
        self.repeated: list[str] = []

    async def follow(self) -> None:
        async with contextlib.aclosing(self.reflector.batches()) as batches:
            async for batch in batches:
                self.take(batch)

    def take(self, batch: object) -> None:
        match batch:
            case Delta():
                for uid in batch.gone:
                    del self.told[uid]
                for pod in batch.changed:
                    version = pod.metadata.resource_version
                    if self.told.get(pod.uid) == version:
                        self.repeated.append(pod.uid)
                    self.told[pod.uid] = version
            case Synced():
                self.synced += 1
            case Freshness():
                self.links.append(batch)

    @property
    def states(self) -> list[str]:
        return [link.state.value for link in self.links]

    def true(self) -> bool:
        live = bool(self.links) and self.links[-1].state is FreshnessState.LIVE
        return live and self.told == self.api.pods.versions()

    async def until(self, holds: Callable[[], bool], seconds: float = 400) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.25)


@contextlib.asynccontextmanager
async def mirrored(credentials: Any = None, *faults: str) -> AsyncIterator[tuple[Pods, FaultyApi, Mirror]]:
    pods = Pods()
    for number in range(5):
        pods.put(f"p{number}", f"u{number}")
    api = FaultyApi(pods)
    api.faults.extend(faults)
    await api.start()
    transport = Transport(api.target(credentials))
    mirror = Mirror(api, transport)
    task = asyncio.create_task(mirror.follow())
    try:
        yield pods, api, mirror
        assert not task.done() or task.result()
        assert not mirror.repeated
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.aclose()
        await api.stop()


def told(test: Callable[[Pods, FaultyApi, Mirror], Awaitable[None]], *faults: str) -> None:
    async def main() -> None:
        async with mirrored(None, *faults) as (pods, api, mirror):
            await test(pods, api, mirror)

    run(main())


def test_lists_in_pages_then_watches() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        assert mirror.synced == 1
        assert [query.get("limit") for _, _, query in api.requests] == ["100", "500", "500", None]
        pods.put("p0", "u0")
        pods.put("new", "u9")
        pods.remove("p1")
        await mirror.until(mirror.true)
        assert len(api.requests) == 4

    told(test)


def test_a_namesake_is_another_object() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        pods.put("p0", "other")
        await mirror.until(mirror.true)
        assert "u0" not in mirror.told
        await api.stop()
        pods.put("p0", "third")
        pods.compact()
        pods.put("p1", "u1")
        await api.start()
        await mirror.until(mirror.true)
        assert mirror.synced == 2

    told(test)


def test_the_latest_of_each_object_in_one_delta() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        deltas: list[Delta[Any]] = []
        take = mirror.take
        mirror.take = lambda batch: (deltas.append(batch), take(batch))  # type: ignore[method-assign,assignment]
        for _ in range(100):
            pods.put("p0", "u0")
        pods.put("brief", "u8")
        pods.remove("brief")
        await mirror.until(mirror.true)
        assert len(deltas) < 20

    told(test)


@pytest.mark.parametrize("fault", BEFORE_ANSWER)
@pytest.mark.parametrize("first", [True, False], ids=["list", "watch"])
def test_heals_after_a_failed_request(fault: str, first: bool) -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        if not first:
            await mirror.until(mirror.true)
            api.faults.append("end")
            api.faults.append(fault)
            pods.put("p0", "u0")
        await mirror.until(lambda: not api.faults)
        pods.put("p3", "u3")
        await mirror.until(mirror.true)
        assert len(api.requests) < 16

    told(test, *[fault] * first)


@pytest.mark.parametrize("fault", IN_WATCH)
def test_heals_after_a_broken_watch(fault: str) -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        api.faults.append(fault)
        pods.put("p0", "u0")
        pods.remove("p1")
        await mirror.until(lambda: not api.faults)
        await mirror.until(mirror.true)
        relists = fault in ("error 410", "garbage", "odd event")
        assert mirror.synced == 1 + relists
        assert len(api.requests) < 16

    told(test)


def test_a_list_whose_second_page_has_expired_begins_again() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        assert mirror.synced == 1
        pages = [query.get("continue", "") for _, _, query in api.requests[:3]]
        assert [bool(page) for page in pages] == [False, True, False]

    told(test, "pass", "410")


def test_a_stopped_process_is_noticed_in_45_s_though_its_kernel_answers() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        loop = asyncio.get_running_loop()
        began = loop.time()
        api.alive = False
        await mirror.until(lambda: mirror.states[-1] == "stale")
        assert 44 < loop.time() - began < 46
        assert "no answer in 15 s" in mirror.links[-1].why
        age = mirror.links[-1].since
        api.alive = True
        pods.put("p0", "u0")
        await mirror.until(mirror.true)
        assert mirror.synced == 1
        assert mirror.links[-2].since == age

    told(test)


def test_a_silent_watch_of_a_live_server_is_opened_again_after_90_s() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        api.faults.append("half-open")
        pods.put("p0", "u0")
        began = asyncio.get_running_loop().time()
        await mirror.until(mirror.true)
        assert 85 < asyncio.get_running_loop().time() - began < 95
        assert api.paths().count("/version") == 2
        assert mirror.states == ["live"]

    told(test)


def test_a_watch_that_ends_at_once_makes_no_hot_loop() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        api.faults.extend(["end at once"] * 1000)
        pods.put("p0", "u0")
        api.faults.appendleft("end")
        await asyncio.sleep(60)
        assert 4 < len(api.requests) < 30
        assert mirror.states == ["live"]

    told(test)


@pytest.mark.parametrize("fault", ["410", "error 410", "429", "error 429", "500", "garbage", "reset"])
def test_what_fails_for_ever_is_asked_ever_less(fault: str) -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        api.faults.extend(["end", *[fault] * 1000])
        before = len(api.requests)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 300:
            pods.put("p0", "u0")
            for _ in range(2):  # half seconds: before a whole one the clock waits ten times as long
                await asyncio.sleep(0.5)
        assert len(api.requests) - before < 160
        api.faults.clear()
        await mirror.until(mirror.true)

    told(test)


def test_the_versions_of_bookmarks_are_used() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        pods.version += 50
        await asyncio.sleep(70)
        pods.compact()
        await api.stop()
        await api.start()
        await mirror.until(lambda: mirror.states[-2:] == ["stale", "live"])
        assert mirror.synced == 1

    told(test)


def test_what_was_never_allowed_is_said_at_once_and_asked_again_in_seconds_then_in_minutes() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(lambda: mirror.states == ["forbidden"])
        assert mirror.links[0].why == "you may not read pods in ns"
        await asyncio.sleep(100)
        asked = len(api.requests)
        assert 3 < asked < 20
        await asyncio.sleep(250)
        assert len(api.requests) <= asked + 1
        api.faults.clear()
        await mirror.until(mirror.true)
        assert mirror.states == ["forbidden", "live"]

    told(test, *["403"] * 100)


def test_a_server_that_starts_and_refuses_all_is_asked_again_in_seconds() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        api.faults.extend(["403"] * 4)
        await mirror.until(lambda: mirror.states == ["forbidden"])
        began = asyncio.get_running_loop().time()
        await mirror.until(mirror.true)
        assert asyncio.get_running_loop().time() - began < 30

    told(test, "403")


def test_a_403_on_what_was_allowed_is_an_outage_first() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        await api.stop()
        pods.put("new", "u-new")
        api.faults.extend(["403"] * 5)
        await api.start()
        await mirror.until(lambda: bool(mirror.links) and "which was allowed before" in mirror.links[-1].why)
        began = asyncio.get_running_loop().time()
        assert mirror.told  # what was seen stays
        await mirror.until(mirror.true)
        assert asyncio.get_running_loop().time() - began < 60
        assert "forbidden" not in mirror.states

    told(test)


@pytest.mark.parametrize(("answer", "state"), [(False, "forbidden"), (True, "stale"), (None, "stale")])
def test_a_right_is_lost_when_the_403_holds_and_the_server_says_so(
    answer: bool | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decide(transport: Transport, rule: object) -> bool:
        assert str(rule) in ("list pods in ns", "watch pods in ns")
        if answer is None:
            raise Unreachable("It does not answer.")
        return answer

    monkeypatch.setattr(reflector, "is_allowed", decide)

    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        await api.stop()
        api.faults.extend(["403"] * 500)
        await api.start()
        await asyncio.sleep(50)
        assert mirror.states[-1] == "stale"
        await asyncio.sleep(100)
        assert mirror.states[-1] == state

    told(test)


def test_a_refresh_lists_at_once_whatever_is_waited_for() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(lambda: mirror.states == ["forbidden"])
        await asyncio.sleep(100)
        api.faults.clear()
        mirror.reflector.refresh()
        await mirror.until(mirror.true, seconds=5)
        lists = api.paths().count("/api/v1/namespaces/ns/pods")
        mirror.reflector.refresh()  # and in a watch that goes on
        await mirror.until(lambda: mirror.synced == 2, seconds=5)
        assert api.paths().count("/api/v1/namespaces/ns/pods") > lists
        await mirror.until(mirror.true, seconds=5)

    told(test, *["403"] * 100)


def test_retry_after_is_honoured() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        assert api.requests[1][0] - api.requests[0][0] >= 7
        assert "busy" in mirror.links[0].why

    told(test, "429")


def test_a_refused_login_is_renewed_once_and_said_when_that_is_no_use() -> None:
    class Renewed:
        made = 0

        async def login(self, rejected: Login | None = None) -> Login:
            self.made += rejected is not None
            return logins[min(self.made, 2)]

    logins = [Login(bearer(token)) for token in ("old", "new", "wrong")]

    async def main() -> None:
        credentials = Renewed()
        async with mirrored(credentials) as (pods, api, mirror):
            api.tokens = {"new"}
            await mirror.until(mirror.true)
            assert credentials.made == 1
            api.tokens = {"another"}
            api.faults.append("end")
            pods.put("p0", "u0")
            await mirror.until(lambda: mirror.states[-1] == "stale" and "login" in mirror.links[-1].why)
            api.tokens = set()
            await mirror.until(mirror.true)

    run(main())


def test_an_event_too_large_to_hold_is_no_reason_to_die(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "LARGEST", 2000)

    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        api.faults.append("huge")
        pods.put("p0", "u0")
        await mirror.until(lambda: mirror.synced == 2)
        await mirror.until(mirror.true)
        assert "stale" in mirror.states

    told(test)


def test_what_is_odd_in_a_text_does_not_split_it() -> None:
    async def test(pods: Pods, api: FaultyApi, mirror: Mirror) -> None:
        await mirror.until(mirror.true)
        pods.put("p0", "u0", status={"message": "a\u0085b\u2028c\x0bd\re\nf\x1b[31m" + "x" * 3_000_000})
        await mirror.until(mirror.true)
        assert len(api.requests) == 4

    told(test)


def test_a_defect_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PODS, "decode_page", lambda _: 1 / 0)

    async def main() -> None:
        async with mirrored() as (_, __, mirror):
            await mirror.until(lambda: False, 5)

    with pytest.raises((ZeroDivisionError, TimeoutError)):
        run(main())
