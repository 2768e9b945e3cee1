"""Owner chains: which training job an object was made for, by the controllers that made it (pure).

TrainJob -> JobSet -> Job -> Pod: each object names its controller alone, by uid, and a uid is never given
twice. Labels say the same in one step, but whoever makes a pod writes them as he likes. An owner counts in
its own namespace only, as for the garbage collector (kubernetes.io, "Owners and Dependents").
"""

from collections import defaultdict
from collections.abc import Iterator

from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.training import Intermediate, TrainingJob
from backend_client.kubernetes.resources.workloads import KubeJob

Link = tuple[str, str]
"""Namespace and uid of an object."""
_LONGEST = 8
"""Steps of a chain: the longest that a tool makes has five (LeaderWorkerSet to worker)."""


def link_of(item: Object) -> Link:
    """Return the namespace and uid of an object."""
    return item.namespace, item.uid


class OwnerChains:
    """Learns of objects in any order. Nothing is kept before the first training job comes."""

    def __init__(self) -> None:
        self.active = False
        """Whether there has been a training job."""
        self._owners: dict[Link, Link] = {}
        self._made: defaultdict[Link, set[Link]] = defaultdict(set)
        self._gone: set[Link] = set()
        """Objects that are gone and still stand between others."""
        self._jobs: set[Link] = set()
        """Training jobs."""

    def put(self, item: Object) -> bool:
        """Learn of an object; return whether objects below it may be of another training job now."""
        if not isinstance(item, Pod | KubeJob | Intermediate):
            return False
        self.active |= isinstance(item, TrainingJob)
        link = link_of(item)
        owner = (item.namespace, item.owner.uid) if item.owner else ("", "")
        if self._owners.get(link) == owner and link not in self._gone:
            return False
        self._forget(link)
        self._owners[link] = owner
        self._made[owner].add(link)
        if isinstance(item, TrainingJob):
            self._jobs.add(link)
        return link in self._made

    def remove(self, item: Object) -> bool:
        """Learn that an object is gone; return whether objects below it may be of another job now.

        A Job that goes before its pods still says whose they were.
        """
        link = link_of(item)
        if link not in self._owners:
            return False
        if link in self._made and link not in self._jobs:
            self._gone.add(link)
            return False
        self._jobs.discard(link)
        self._forget(link)
        return link in self._made

    def job_of(self, item: Object) -> str:
        """Return the uid of the training job that an object belongs to, the highest of several; or ""."""
        link, found = link_of(item), ""
        for _ in range(_LONGEST):
            if link in self._jobs:
                found = link[1]
            if link not in self._owners:
                break
            link = self._owners[link]
        return found

    def below(self, item: Object) -> Iterator[str]:
        """Yield the uids of what an object's chain leads to, each once."""
        links = [link_of(item)]
        seen = set(links)
        while links:
            below = self._made.get(links.pop(), set()) - seen
            seen |= below
            links += below
            yield from (uid for _, uid in below)

    def _forget(self, link: Link) -> None:
        """Drop an object's link, and those of objects above it that are gone and have nothing below now."""
        while (owner := self._owners.pop(link, None)) is not None:
            self._gone.discard(link)
            made = self._made[owner]
            made.discard(link)
            if not made:
                del self._made[owner]
            if made or owner not in self._gone:
                break
            link = owner
