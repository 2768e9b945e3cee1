"""A training job of another tool, read as the Job that it amounts to (pure).

What the rest of this package knows of a Job (its pods' template, how many there are, whether it is suspended,
how it ended) is taken from where its kind keeps it, so that one code tells of both.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import cache
from math import prod
from typing import Any, TypeVar

import msgspec
from msgspec import field
from msgspec.structs import replace

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object
from backend_client.kubernetes.resources.resource_types import ObjectList, ResourceType, without_nulls
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS, PodSet, TrainingKind
from backend_client.kubernetes.resources.workloads import (
    JobControllerSpec,
    JobControllerStatus,
    KubeJob,
    Template,
)
from backend_client.models.state import JobState

V = TypeVar("V")

_MOST_PODS = 1_000_000
"""A number of pods above this is no number that anybody meant."""
_OWN = frozenset((labels.STOPPED, labels.PAUSES))
"""Annotations of ours that we write on such an object too; any other there is not ours."""


def _asks_for_devices(template: Template) -> bool:
    return any(container.resources.asks_for_devices for container in template.spec.containers)


class RankGroup(KubeStruct, frozen=True):
    """The pods of one sort, which have ranks in a row."""

    name: str = ""
    """In small letters, as labels have it."""
    offset: int = 0
    """Rank of the first."""
    counts: tuple[int, ...] = ()
    """Numbers whose product is the number of pods."""
    template: Template = Template()
    leader: Template | None = None
    """Template of the first pod of each replica, where it is another one."""

    @property
    def size(self) -> int:
        return prod(self.counts)

    @property
    def asks_for_devices(self) -> bool:
        return _asks_for_devices(self.template)

    @property
    def alike(self) -> int:
        """The number of pods that ask for devices as `template` does."""
        leads_otherwise = self.leader and _asks_for_devices(self.leader) != self.asks_for_devices
        return self.size - (self.counts[0] if leads_otherwise else 0)


class TrainingJob(KubeJob, frozen=True):
    """An object of one of `TRAINING_KINDS`."""

    training: TrainingKind = field(default_factory=lambda: TRAINING_KINDS["jobset"])
    groups: tuple[RankGroup, ...] = ()
    """Those that ask for devices first: their ranks are then the ones that the training counts."""
    said: JobState | None = None
    """What the object says of itself beyond its end: STARTING, STOPPING, STOPPED."""
    raw: str = ""
    """What it says that is not known here, in its own words."""


class Intermediate(Object, frozen=True):
    """An object between a training job and its pods, by its metadata alone: a StatefulSet."""


class TrainingType(ResourceType[TrainingJob]):
    """The type of a kind in a version that the cluster serves."""

    def __init__(self, training: TrainingKind, version: str) -> None:
        super().__init__(f"/apis/{training.group}/{version}", training.kind, training.plural, TrainingJob)
        self.training = training

    def decode_object(self, body: bytes | msgspec.Raw) -> TrainingJob:
        """Decode one object. Raises msgspec.DecodeError."""
        return read_training_job(self.training, msgspec.json.decode(body))

    def decode_page(self, body: bytes) -> ObjectList[TrainingJob]:
        """Decode one page of a list. Raises msgspec.DecodeError."""
        page = msgspec.json.decode(body, type=dict[str, Any])
        items = tuple(read_training_job(self.training, item) for item in page.pop("items", None) or ())
        return replace(msgspec.convert(without_nulls(page), ObjectList[TrainingJob]), items=items)


@cache
def training_type(api_version: str, kind: str) -> TrainingType | None:
    """Return the type of a manifest; None where it is none of `TRAINING_KINDS`."""
    group, _, version = api_version.partition("/")
    found = (entry for entry in TRAINING_KINDS.values() if (entry.group, entry.kind) == (group, kind))
    return next((TrainingType(entry, version) for entry in found), None)


def read_training_job(training: TrainingKind, raw: Any) -> TrainingJob:
    """Read an object of a kind. Raises msgspec.ValidationError where its metadata are none."""
    manifest = without_nulls(raw)
    job = msgspec.convert({"metadata": _at(manifest, "metadata") or {}}, TrainingJob)
    annotations = {
        key: value
        for key, value in job.metadata.annotations.items()
        if key in _OWN or not key.startswith("traindeck.dev/")
    }
    groups = tuple(_groups(training, manifest))
    conditions, said, unknown = _states(training, manifest)
    main = groups[0] if groups else RankGroup()
    return TrainingJob(
        metadata=replace(job.metadata, annotations=annotations),
        spec=JobControllerSpec(
            suspend=bool(training.suspend) and _at(manifest, training.suspend) is True,
            parallelism=sum(
                group.alike for group in groups if group.asks_for_devices == main.asks_for_devices
            ),
            backoff_limit=0,
            template=main.template,
        ),
        status=JobControllerStatus(
            conditions=conditions,
            completion_time=_ended_at(training, manifest, conditions),
        ),
        training=training,
        groups=groups,
        said=said,
        raw="; ".join(unknown),
    )


def with_child(job: TrainingJob, child: TrainingJob) -> TrainingJob:
    """Return a job that describes no pods itself with those of what it is made of."""
    return replace(
        job,
        spec=replace(job.spec, template=child.spec.template, parallelism=child.spec.parallelism),
        groups=child.groups,
        training=replace(
            job.training, set_labels=child.training.set_labels, index_labels=child.training.index_labels
        ),
    )


def _ended_at(training: TrainingKind, manifest: Any, ends: tuple[Condition, ...]) -> datetime | None:
    """Return when a job ended: as it says in a field of its own, else in the condition of its end."""
    times = (_time(_at(manifest, path)) for path in training.ended)
    return (_first(times) or _first(end.last_transition_time for end in ends)) if ends else None


_ENDS = {JobState.SUCCEEDED: "Complete", JobState.FAILED: "Failed"}
"""The conditions by which a Job says how it ended."""


def _states(
    training: TrainingKind, manifest: Any
) -> tuple[tuple[Condition, ...], JobState | None, tuple[str, ...]]:
    """Return how it ended, what else it says of itself, and what it says that is not known here."""
    ends: list[Condition] = []
    said: JobState | None = None
    unknown: list[str] = []
    for word, condition in (*_conditions(manifest), *_phase(training, manifest)):
        state = training.states.get(word)
        if state in _ENDS:
            ends.append(replace(condition, type=_ENDS[state], status="True"))
        elif state is None:
            unknown.append(": ".join(filter(None, (word, condition.message or condition.reason))))
        elif state is not JobState.RUNNING:
            said = state
    return tuple(ends), said, tuple(unknown)


def _conditions(manifest: Any) -> Iterator[tuple[str, Condition]]:
    """Yield the conditions that hold, by their types."""
    listed = _at(manifest, "status.conditions")
    for item in listed if isinstance(listed, list) else ():
        with suppress(msgspec.ValidationError):
            condition = msgspec.convert(item, Condition)
            if condition.true and condition.type:
                yield condition.type, condition


def _phase(training: TrainingKind, manifest: Any) -> Iterator[tuple[str, Condition]]:
    """Yield the word that says how it stands, where its kind has one."""
    words = (_text(_at(manifest, path)) for path in training.phases)
    word = next((word for word in words if word not in training.phases_open), "")
    if word:
        time = _first(_time(_at(manifest, path)) for path in training.ended)
        message = _first(_text(_at(manifest, path)) for path in training.messages)
        yield word, Condition(message=message or "", last_transition_time=time)


def _groups(training: TrainingKind, manifest: Any) -> Iterator[RankGroup]:
    """Yield the sorts of pods: those that ask for devices first, else in the order of the spec."""
    found = [_group(pods, name, item) for pods in training.pod_sets for name, item in _items(pods, manifest)]
    offset = 0
    for group in sorted(found, key=lambda group: not group.asks_for_devices):
        yield replace(group, offset=offset)
        offset += group.size


def _items(pods: PodSet, manifest: Any) -> Iterator[tuple[str, Any]]:
    """Yield the objects at the path of a sort, each with its name."""
    value = _at(manifest, pods.path.removesuffix("[]"))
    if not pods.path.endswith("[]"):
        yield from ((pods.name, value),) * isinstance(value, dict)
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((_text(_at(item, pods.name_field)), item) for item in value)


def _group(pods: PodSet, name: str, item: Any) -> RankGroup:
    leader = _at(item, pods.leader) if pods.leader else None
    return RankGroup(
        name=name.lower(),
        counts=tuple(_number(_at(item, path)) for path in pods.counts),
        template=_template(_at(item, pods.template)),
        leader=_template(leader) if leader else None,
    )


def _template(value: Any) -> Template:
    """Read a pod template; an empty one where it cannot be read."""
    with suppress(msgspec.ValidationError):
        return msgspec.convert(_with_quantities(value or {}), Template)
    return Template()


def _with_quantities(value: Any) -> Any:
    """Return a template with its quantities as text: of a custom object they may be numbers too."""
    if isinstance(value, list):
        return [_with_quantities(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: str(number) for name, number in item.items()}
        if key in ("limits", "requests") and isinstance(item, dict)
        else _with_quantities(item)
        for key, item in value.items()
    }


def _at(value: Any, path: str) -> Any:
    """Return what stands at a path; None where there is nothing."""
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _number(value: Any) -> int:
    """Return a number of pods; 1 where it is absent."""
    return min(max(value, 0), _MOST_PODS) if isinstance(value, int) else 1


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    with suppress(msgspec.ValidationError):
        return msgspec.convert(value, datetime)
    return None


def _first(values: Iterator[V]) -> V | None:
    """Return the first value that is one."""
    return next((value for value in values if value), None)
