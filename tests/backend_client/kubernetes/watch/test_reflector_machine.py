"""Whatever happens to pods, server and network, in any order: the reflector ends up with what is true.

The model is a dict; the server has every fault that docs/FACTS.md, "Watch and list"
names. Time is virtual.
"""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backend_client.kubernetes.api.transport import Transport
from tests.backend_client.kubernetes.support.clock import VirtualLoop
from tests.backend_client.kubernetes.support.faults import BEFORE_ANSWER, IN_WATCH, FaultyApi, Pods
from tests.backend_client.kubernetes.watch.test_reflector import Mirror

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
FAULTS = st.sampled_from([*BEFORE_ANSWER, *IN_WATCH, "end at once"])


class ReflectorMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.pods = Pods()
        self.uids = 0
        self.api = FaultyApi(self.pods)
        self.up = True
        self.do(self.api.start())
        self.transport = Transport(self.api.target())
        self.mirror = Mirror(self.api, self.transport)
        self.task = self.runner.get_loop().create_task(self.mirror.follow())

    def do(self, coroutine: object) -> None:
        self.runner.run(coroutine)  # type: ignore[arg-type]

    def teardown(self) -> None:
        try:
            self.becomes_true_once_all_is_well()
        finally:
            self.end()

    def end(self) -> None:
        self.task.cancel()
        self.do(self.ended())
        self.runner.close()

    async def ended(self) -> None:
        await asyncio.gather(self.task, return_exceptions=True)
        await self.transport.aclose()
        if self.up:
            await self.api.stop()

    @rule(name=NAMES)
    def put(self, name: str) -> None:
        known = self.pods.now.get(name)
        self.pods.put(name, known["metadata"]["uid"] if known else self.new_uid())

    @rule(name=NAMES)
    def put_a_namesake(self, name: str) -> None:
        self.pods.put(name, self.new_uid())

    def new_uid(self) -> str:
        self.uids += 1
        return f"u{self.uids}"

    @precondition(lambda self: self.pods.now)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        self.pods.remove(data.draw(st.sampled_from(sorted(self.pods.now))))

    @rule()
    def compact(self) -> None:
        self.pods.compact()

    @rule(lost=st.sets(NAMES), replaced=st.sets(NAMES))
    def happens_while_nobody_looks(self, lost: set[str], replaced: set[str]) -> None:
        if self.up:
            self.stop()
        for name in sorted(lost & self.pods.now.keys()):
            self.pods.remove(name)
        for name in sorted(replaced):
            self.pods.put(name, self.new_uid())
        self.pods.compact()
        self.put("a")
        self.start()

    @rule(fault=FAULTS)
    def fail(self, fault: str) -> None:
        self.api.faults.append(fault)

    @precondition(lambda self: self.up)
    @rule()
    def stop(self) -> None:
        self.do(self.api.stop())
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def start(self) -> None:
        self.do(self.api.start())
        self.up = True

    @rule()
    def freeze(self) -> None:
        self.api.alive = False

    @rule()
    def thaw(self) -> None:
        self.api.alive = True

    @rule(seconds=st.sampled_from([0, 0.5, 3, 50, 300]))
    def wait(self, seconds: float) -> None:
        before = len(self.api.requests)
        self.do(asyncio.sleep(seconds))
        assert len(self.api.requests) - before <= 12 + seconds

    @rule()
    def becomes_true_once_all_is_well(self) -> None:
        self.api.alive = True
        self.api.faults.clear()
        if not self.up:
            self.start()
        self.do(self.mirror.until(self.mirror.true, 600))

    @invariant()
    def lives(self) -> None:
        assert not self.task.done() or self.task.result()

    @invariant()
    def tells_nothing_twice(self) -> None:
        assert not self.mirror.repeated


ReflectorMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
TestReflector = ReflectorMachine.TestCase
