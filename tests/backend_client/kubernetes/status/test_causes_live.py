"""Every cause made for real: its sentence in the list, and the chain down to what blocks."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from fnmatch import fnmatchcase

import pytest
from msgspec import Struct

from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import Job
from backend_client.protocol import Changed, LogItem, LogQuery, Scope, Snapshot
from backend_client.why import Explanation
from tests.backend_client.kubernetes.conftest import Cluster, need_controllers
from tests.backend_client.kubernetes.support.cause_cases import CASES, Case
from tests.backend_client.kubernetes.support.cause_stage import Stage, staged
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.live import Live
from tests.backend_client.kubernetes.support.tiny_registry import tiny_registry

SECONDS = 80.0
"""The longest that the slowest of them may take on a busy machine."""


class Seen(Struct):
    """What was said of one job last: in the list, out of the watch, and by requests alone."""

    reason: str = ""
    watched: Explanation = Explanation()
    asked: Explanation = Explanation()


async def _no_log(_query: LogQuery, *, after: str = "") -> AsyncGenerator[Sequence[LogItem], None]:
    for items in ():
        yield items


class Look:
    """Everything that is to be seen, and what was seen of it."""

    def __init__(self, cluster: Cluster, stage: Stage, names: list[str]) -> None:
        self.stage, self.cases = stage, {name: CASES[name] for name in names}
        self.seen = {name: Seen() for name in names}
        self.jobs: dict[str, Job] = {}
        self._acts = {name: case.act for name, case in self.cases.items() if case.act}
        self._watching, self._asking = (
            KubernetesBackend("kind", KubernetesSettings(), target=cluster.target()) for _ in range(2)
        )
        for backend in (self._watching, self._asking):
            backend.logs = _no_log  # type: ignore[method-assign]  # a look at 18 failed jobs reads as many logs

    async def run(self) -> None:
        watch = asyncio.create_task(self._watch())
        waiting = set(self.cases)
        try:
            async with asyncio.timeout(SECONDS):
                while waiting:
                    for name in [name for name in waiting if name in self.jobs]:
                        if await self._is_seen(name):
                            waiting.remove(name)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pass
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await self._watching.aclose()
            await self._asking.aclose()

    async def _watch(self) -> None:
        scopes = [Scope(namespace) for namespace in self.stage.places.values()]
        async with contextlib.aclosing(self._watching.watch(scopes)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Snapshot | Changed):
                        self.jobs.update({job.name: job for job in event.jobs})

    async def _is_seen(self, name: str) -> bool:
        job, case, seen = self.jobs[name], self.cases[name], self.seen[name]
        if (act := self._acts.get(name)) and act(self.stage, job):
            del self._acts[name]
        seen.reason, seen.watched = job.reason, await self._watching.explain(job.ref)
        if name in self._acts or not fits(case, seen.watched):
            return False
        if job.reason not in (seen.watched.sentence, ""):
            return False
        seen.asked = await self._asking.explain(job.ref)
        return fits(case, seen.asked)


def fits(case: Case, found: Explanation) -> bool:
    """Whether the last link of a chain is what is wanted."""
    return bool(found.chain) and (
        found.chain[-1].id == case.id
        and fnmatchcase(found.chain[-1].sentence, case.sentence)
        and fnmatchcase(found.chain[-1].object, case.object)
    )


def wrong(case: Case, found: Explanation) -> str:
    """What is not as it should be in an explanation; "" where all is."""
    if not fits(case, found):
        return f"{found.chain[-1:]} is not {case.id} {case.sentence!r} {case.object}"
    if found.sentence != found.chain[-1].sentence:
        return f"{found.sentence!r} is not that of the last link"
    return "" if all(link.sentence and link.object for link in found.chain) else f"{found.chain} lacks words"


def stage_of(cluster: Cluster, *, node: bool) -> dict[str, str]:
    """Make the cases that take nodes, or the others, all at once; name -> what is wrong with it."""
    with tiny_registry() as registry, staged(Live(cluster.kubeconfig), registry, nodes=node) as stage:
        if node and not stage.has_nodes:
            pytest.skip(f"needs nodes labelled type=real and type=kwok: set {GIVEN}")
        names = [name for name, case in CASES.items() if case.node is node]
        for name in names:
            stage.make(CASES[name].make(stage, name))
        look = Look(cluster, stage, names)
        asyncio.run(look.run())
    told = {
        name: wrong(CASES[name], seen.watched) or wrong(CASES[name], seen.asked)
        for name, seen in look.seen.items()
    }
    return {name: words for name, words in told.items() if words}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "node", [pytest.param(False, marks=pytest.mark.controllers), pytest.param(True, marks=pytest.mark.node)]
)
def test_every_cause_is_told(shared_cluster: Cluster, node: bool) -> None:
    """One test for all: each worker that took a part of them would make them all anew."""
    need_controllers(shared_cluster)
    assert stage_of(shared_cluster, node=node) == {}
