"""How many pods are asked at once, for how long, and what is told of those that do not answer."""

import asyncio
import contextlib
import json

import msgspec

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.usage.nvidia_smi import AT_ONCE, GIVES, MOST_PODS, NvidiaSmi
from backend_client.prometheus.pod_spans import PodSpan
from backend_client.usage import UsageSource
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.exec_server import SUCCESS, ExecServer

LINE = b"\x010, GPU-1, NVIDIA H200, Disabled, 97, 1024, 143771, 301.55, 41\n"
TOLD = UsageSource(name="nvidia-smi", gives=GIVES)
MISSING = (
    b"\x03"
    + json.dumps(
        {
            "status": "Failure",
            "reason": "InternalError",
            "message": 'exec: "nvidia-smi": executable file not found',
        }
    ).encode()
)


def pods_of(count, state="running", **resources):
    container = {"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}, **resources}}
    status = {"containerStatuses": [{"name": "main", "state": {state: {}}}]}
    made = [
        {"metadata": {"name": f"p{n}"}, "spec": {"containers": [container]}, "status": status}
        for n in range(count)
    ]
    return msgspec.convert(made, list[Pod])


def spans_of(count):
    return [PodSpan(namespace="team", pod=f"p{n}", rank=n) for n in range(count)]


class Pods:
    """A cluster whose pods answer as `fates` says: "" is well."""

    def __init__(self, fates=None, seconds=0.0):
        self.fates, self.seconds = fates or {}, seconds
        self.asked, self.now, self.most = [], 0, 0
        self._stack = contextlib.AsyncExitStack()

    async def serve(self, peer):
        pod = peer.path.split("/")[-2]
        self.asked.append(pod)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        fate = self.fates.get(pod, "")
        if fate != "lost":
            peer.send(*{"": [LINE, SUCCESS], "absent": [MISSING], "hangs": [], "untold": []}[fate])
        self.now -= 1
        if fate == "hangs":
            while await peer.hear():
                peer.flush()
        elif fate != "lost":
            peer.close()
            await peer.hear()

    async def __aenter__(self):
        server = await self._stack.enter_async_context(ExecServer(self.serve))
        transport = Transport(server.target())
        self._stack.push_async_callback(transport.aclose)

        async def opened():
            return transport

        self.reader = NvidiaSmi(opened, asyncio.get_running_loop().time)
        self._stack.callback(self.reader.cancel)
        return self

    async def __aexit__(self, *error):
        await self._stack.aclose()


def test_few_at_once_and_the_first_ranks_of_many():
    async def main():
        async with Pods(seconds=0.01) as pods:
            gpus, sources = await pods.reader.gpus(spans_of(MOST_PODS + 3), pods_of(MOST_PODS + 3))
            assert set(gpus) == {("team", f"p{n}") for n in range(MOST_PODS)}
            assert len(pods.asked) == MOST_PODS
            assert pods.most == AT_ONCE
            cut = UsageSource(name="nvidia-smi", missing=f"it is read of the first {MOST_PODS} ranks alone")
            assert sources == (TOLD, cut)

    run(main())


def test_those_without_a_device_or_not_begun_are_not_asked():
    async def main():
        async with Pods() as pods:
            assert await pods.reader.gpus(spans_of(2), pods_of(2, limits={"cpu": "1"})) == ({}, ())
            assert await pods.reader.gpus(spans_of(2), pods_of(2, "waiting")) == ({}, ())
            assert await pods.reader.gpus(spans_of(2), pods_of(2, "terminated")) == ({}, ())
            assert await pods.reader.gpus(spans_of(2), []) == ({}, ())
            assert pods.asked == []

    run(main())


def test_what_some_do_not_tell_costs_the_others_nothing():
    async def main():
        async with Pods({"p1": "absent", "p3": "absent"}) as pods:
            for _ in range(3):
                gpus, sources = await pods.reader.gpus(spans_of(4), pods_of(4))
                assert set(gpus) == {("team", "p0"), ("team", "p2")}
                words = "there is no nvidia-smi in container main of pod p1 (and 1 more)"
                assert sources == (TOLD, UsageSource(name="nvidia-smi", missing=words))
                await asyncio.sleep(11)  # of the virtual clock
            assert sorted(pods.asked) == ["p0", "p0", "p0", "p1", "p2", "p2", "p2", "p3"]
            await asyncio.sleep(300)
            await pods.reader.gpus(spans_of(4), pods_of(4))
            assert pods.asked.count("p1") == 2

    run(main())


def test_pods_that_hang_hold_nobody_up_and_are_left_alone():
    async def main():
        async with Pods({f"p{n}": "hangs" for n in range(6)}) as pods:
            clock = asyncio.get_running_loop().time
            begun = clock()
            gpus, (source,) = await pods.reader.gpus(spans_of(6), pods_of(6))
            assert gpus == {}
            assert clock() - begun < 12.5
            words = "the command nvidia-smi did not end in 8 s in container main of pod p0 (and 5 more)"
            assert source.missing == words
            await asyncio.sleep(20)
            again = await pods.reader.gpus(spans_of(6), pods_of(6))
            assert again == (gpus, (source,))
            assert len(pods.asked) == 6

    run(main())


def test_a_lost_link_is_tried_again_and_tells_no_figures():
    async def main():
        async with Pods({"p0": "lost", "p1": "untold"}) as pods:
            for turn in (1, 2):
                gpus, (source,) = await pods.reader.gpus(spans_of(2), pods_of(2))
                assert gpus == {}
                assert "broke" in source.missing
                assert len(pods.asked) == 2 * turn
            pods.fates.clear()
            gpus, sources = await pods.reader.gpus(spans_of(2), pods_of(2))
            assert len(gpus) == 2
            assert sources == (TOLD,)

    run(main())
