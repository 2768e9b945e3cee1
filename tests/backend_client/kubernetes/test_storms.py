"""A server that is busy, fails or hangs up again and again: all that is asked comes about, and once."""

import contextlib
from itertools import pairwise

import pytest

from backend_client.errors import NotFound, Unreachable
from backend_client.kubernetes.api.errors import Expired
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.kubernetes.watch.lists import list_all
from backend_client.kubernetes.write.retrying_client import RetryingClient
from backend_client.kubernetes.write.writer import JobWriter
from backend_client.logs import follow
from backend_client.models import JobState
from backend_client.protocol import Closed, Gap, LogItem, LogQuery, Opened
from tests.backend_client.kubernetes.logs.test_stream import REF, Node, lines
from tests.backend_client.kubernetes.logs.test_stream_live import Backend
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.cutter import Cutter
from tests.backend_client.kubernetes.support.faults import FaultyApi, Pods
from tests.backend_client.kubernetes.support.live import Live
from tests.backend_client.kubernetes.support.writing import (  # noqa: F401  fixtures
    FULL,
    SECRETS,
    a_cut_off,
    a_cutter,
    a_live,
    anchors,
    called,
    runs,
    steps,
    there,
    whole,
)


@pytest.mark.controllers
@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("seed", range(2))
async def test_writes(
    cut_off: JobWriter, cutter: Cutter, live: Live, namespace: str, kind: str, seed: int
) -> None:
    cutter.storm(seed)

    async def insisted(act):  # as a person does
        for _ in range(50):
            with contextlib.suppress(Unreachable):
                return await act()
            for anchor in anchors(there(live, namespace)):
                assert not runs(anchor) or called(there(live, namespace)) == whole("bert", kind)
        raise AssertionError

    job = await insisted(lambda: cut_off.create(FULL[kind], key="k", secrets=SECRETS))
    made = there(live, namespace)
    assert called(made) == whole("bert", kind)
    assert [anchor["metadata"]["uid"] for anchor in anchors(made)] == [job.ref.uid]
    await insisted(lambda: cut_off.stop(job.ref))
    assert not runs(anchors(there(live, namespace))[0])
    assert (await insisted(lambda: cut_off.resume(job.ref))).state != JobState.STOPPED
    assert runs(anchors(there(live, namespace))[0])
    with contextlib.suppress(NotFound):  # an earlier try has done it
        await insisted(lambda: steps(cut_off, job.ref))
    assert there(live, namespace) == []
    assert len(cutter.requests) > 20


def test_a_write_waits_as_long_as_it_is_told_but_no_person_waits_for_ever() -> None:
    async def main() -> None:
        api = FaultyApi(Pods())
        await api.start()
        transport = Transport(api.target())
        pod = {"kind": "Pod", "metadata": {"name": "p", "namespace": "ns", "uid": "u"}}
        api.faults.extend(["429", "429", "503"])
        assert await RetryingClient(transport).remove(pod, "Background")
        times = [time for time, _, _ in api.requests]
        assert [round(later - time) for time, later in pairwise(times)][:2] == [5, 5]
        api.faults.extend(["429"] * 9)
        with pytest.raises(Unreachable, match="busy"):
            await RetryingClient(transport).remove(pod, "Background")
        assert len(api.requests) == 8
        await transport.aclose()
        await api.stop()

    run(main())


@pytest.mark.parametrize("faults", [["429", "503"], ["500", "429", "500", "503", "500"]])
def test_a_followed_log(faults: list[str]) -> None:
    async def main() -> None:
        api = Node()
        await api.start()
        transport = Transport(api.target())
        api.write("one", "two")
        api.ended()
        api.script = [*faults, "cut line", *faults, "cut", *faults, "end"]
        items: list[LogItem] = []
        async for batch in follow(Backend(transport), LogQuery(ref=REF, follow=True)):
            items += batch
        assert lines(items) == ["one", "two"]
        assert items[-1] == Closed("Succeeded")
        assert sum(isinstance(item, Opened) for item in items) == 1
        assert not any(isinstance(item, Gap) for item in items)
        assert len(api.queries) == 3 * len(faults) + 3
        await transport.aclose()
        await api.stop()

    run(main())


async def test_a_look_whose_second_page_has_expired_is_taken_again() -> None:
    pods = Pods()
    for number in range(5):
        pods.put(f"p{number}", f"u{number}")
    api = FaultyApi(pods)
    await api.start()
    transport = Transport(api.target())
    api.faults.extend(["pass", "410"])
    assert [pod.name for pod in await list_all(transport, PODS, "ns")] == [
        f"p{number}" for number in range(5)
    ]
    assert [sorted(query) for _, _, query in api.requests] == [["limit"], ["continue", "limit"], []]
    api.faults.append("410")
    with pytest.raises(Expired):
        await list_all(transport, PODS, "ns")
    await transport.aclose()
    await api.stop()
