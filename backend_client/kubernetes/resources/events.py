"""v1 Events: what the cluster reports about an object."""

from datetime import datetime

from backend_client.kubernetes.resources.core import KubeStruct, Object


class ObjectReference(KubeStruct, frozen=True):
    """The object that an event is about."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class EventSeries(KubeStruct, frozen=True):
    """An event that is still repeated."""

    count: int = 0
    last_observed_time: datetime | None = None


class KubeEvent(Object, frozen=True):
    """v1 Event; `models.Event` is what a person sees of it."""

    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int = 0
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: EventSeries | None = None

    @property
    def time(self) -> datetime | None:
        """The time it last happened: events.k8s.io writers and older ones fill different fields (KEP-383)."""
        last_repeat = self.series.last_observed_time if self.series else None
        return last_repeat or self.last_timestamp or self.event_time or self.metadata.creation_timestamp

    @property
    def times(self) -> int:
        """How often it has happened."""
        return max(1, self.count, self.series.count if self.series else 0)
