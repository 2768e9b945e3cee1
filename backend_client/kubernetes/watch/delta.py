"""Deltas: what a list or a watch changes, compared by uid and resourceVersion (pure)."""

from typing import Generic

from msgspec import Struct

from backend_client.kubernetes.resources.resource_types import T

Key = tuple[str, str]
"""Namespace and name."""


class Delta(Struct, Generic[T], frozen=True):
    """A change of objects: first `gone` (uids), then `changed` (objects as they are now)."""

    changed: tuple[T, ...] = ()
    gone: tuple[str, ...] = ()
    last: tuple[T, ...] = ()
    """What objects of `gone` were at their end, where a watch tells it."""


class DeltaBuilder(Generic[T]):
    """The delta of one batch, with the latest of each object; it keeps `versions` up to date."""

    def __init__(self, versions: dict[Key, tuple[str, str]]) -> None:
        self._versions = versions
        self._changed: dict[str, T] = {}
        self._gone: dict[str, T | None] = {}
        self._new: set[str] = set()

    def put(self, item: T) -> None:
        """Add an object as it is now. A namesake with another uid is gone."""
        key = item.namespace, item.name
        version = item.uid, item.metadata.resource_version
        before = self._versions.get(key)
        if before == version:
            return
        if before and before[0] != item.uid:
            self.remove(key)
            before = None
        self._versions[key] = version
        if item.uid in self._gone:
            del self._gone[item.uid]
        elif not before:
            self._new.add(item.uid)
        self._changed[item.uid] = item

    def remove(self, key: Key, last: T | None = None) -> None:
        """Remove an object, if it was known. What came and went within one batch is in no delta.

        `last`: the object at its end.
        """
        if before := self._versions.pop(key, None):
            uid = before[0]
            self._changed.pop(uid, None)
            if uid in self._new:
                self._new.remove(uid)
            else:
                self._gone[uid] = last if last and last.uid == uid else None

    def delta(self) -> Delta[T] | None:
        """Return the delta; None where nothing changed."""
        if not self._changed and not self._gone:
            return None
        last = tuple(item for item in self._gone.values() if item)
        return Delta(tuple(self._changed.values()), tuple(self._gone), last)
