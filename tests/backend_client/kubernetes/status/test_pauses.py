"""When a person stopped and resumed a job."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status.job_status import job_of
from backend_client.kubernetes.status.pauses import pauses_of
from backend_client.models import Pause
from backend_client.text.timeline import timeline

OURS = {"traindeck.dev/spec": '{"image": "a"}'}
STOPPED, PAUSES, HELD = "traindeck.dev/stopped", "traindeck.dev/pauses", "traindeck.dev/held"
QUEUED = {"kueue.x-k8s.io/queue-name": "q"}
TWO = (
    "2026-11-29T14:00:00+00:00/2026-11-29T14:05:00+00:00 2026-11-29T15:00:00+00:00/2026-11-29T15:05:00+00:00"
)


def at(hour: int, minute: int) -> datetime:
    return datetime(2026, 11, 29, hour, minute, tzinfo=UTC)


def root(type_: type[Any], annotations: dict[str, str], suspended: str = "", **more: Any) -> Any:
    condition = {"type": "Suspended", "status": suspended, "lastTransitionTime": "2026-11-29T16:00:00Z"}
    metadata = {"name": "a", "namespace": "ns", "uid": "u", "annotations": annotations}
    metadata |= {"labels": more.get("labels", {}), "creationTimestamp": "2026-11-29T13:00:00Z"}
    body = {
        "metadata": metadata,
        "spec": {"suspend": suspended == "True"} if type_ is KubeJob else {},
        "status": {"conditions": [condition] * bool(suspended)},
    }
    return msgspec.convert(body, type_)


@pytest.mark.parametrize(
    ("made", "pauses"),
    [
        (root(KubeJob, OURS), []),
        (root(KubeJob, OURS | {STOPPED: "2026-11-29T14:00:00+00:00"}, "True"), [Pause(at(14, 0))]),
        (root(KubeJob, OURS, "True"), [Pause(at(16, 0))]),  # kubectl patch, of a job of ours
        (root(KubeJob, OURS, "False"), []),  # our own hold while it was created
        (root(KubeJob, OURS | {HELD: "true"}, "True"), []),
        (root(KubeJob, OURS, "True", labels=QUEUED), []),  # Kueue holds it
        (root(KubeJob, {}, "True"), [Pause(at(16, 0))]),
        (root(KubeJob, {}, "False"), [Pause(resumed=at(16, 0))]),
        (root(KubeJob, {}, "False", labels=QUEUED), []),
        (
            root(KubeJob, OURS | {PAUSES: TWO}, "False"),
            [Pause(at(14, 0), at(14, 5)), Pause(at(15, 0), at(15, 5))],
        ),
        (
            root(Deployment, OURS | {PAUSES: TWO, STOPPED: "2026-11-29T17:00:00+00:00"}),
            [Pause(at(14, 0), at(14, 5)), Pause(at(15, 0), at(15, 5)), Pause(at(17, 0))],
        ),
        (root(KubeJob, OURS | {PAUSES: "rubbish / /// 2026-11-29T14:00:00/x", STOPPED: "then"}), []),
    ],
)
def test_pauses(made: Any, pauses: list[Pause]) -> None:
    assert list(pauses_of(made)) == pauses


def test_the_timeline_tells_of_a_stop_that_is_over() -> None:
    job = job_of(root(KubeJob, OURS | {PAUSES: TWO}), [], "lab")
    assert [(entry.time, entry.text) for entry in timeline(job, [])] == [
        (at(13, 0), "asked for"),
        (at(14, 0), "asked to stop"),
        (at(14, 5), "resumed"),
        (at(15, 0), "asked to stop"),
        (at(15, 5), "resumed"),
    ]
