"""The merge patches that change how a waiting Job is queued: its queue, its priority, its hold (pure).

Kueue takes a change of the queue's label of a Job that is suspended into its Workload, which keeps the age by
which it is placed; of one that runs its webhook refuses it. What names a queue that is not there waits as
Inadmissible, and comes back as it was (all tried with Kueue 0.17; docs/FACTS.md, "Kueue").
"""

from typing import Any

from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.render import Manifest, spec_text
from backend_client.models import JobSpec


def held_queue(root: Manifest) -> str:
    """Return the queue into which the release of a held Job puts it; "" where it is not held."""
    if queue_label(root) != labels.NO_QUEUE:
        return ""
    return str((root["metadata"].get("annotations") or {}).get(labels.QUEUE_BEFORE_HOLD, ""))


def queue_label(root: Manifest) -> str:
    """Return the queue that a Job names; "" where it names none."""
    return _label(root, labels.QUEUE)


def priority_label(root: Manifest) -> str:
    """Return the priority in its queue that a Job names; "" where it names none."""
    return _label(root, labels.QUEUE_PRIORITY)


def hold_patch(root: Manifest) -> Manifest:
    """Return the patch that holds a Job back: it names a queue that is not there."""
    return _patch(root, {labels.QUEUE: labels.NO_QUEUE}, {labels.QUEUE_BEFORE_HOLD: queue_label(root)})


def queue_release_patch(root: Manifest) -> Manifest:
    """Return the patch that undoes `hold_patch`."""
    return _patch(root, {labels.QUEUE: held_queue(root)}, {labels.QUEUE_BEFORE_HOLD: None})


def move_patch(root: Manifest, spec: JobSpec) -> Manifest:
    """Return the patch by which a Job names the queue of `spec`; one that is held stays held."""
    annotations: dict[str, str | None] = {labels.SPEC: spec_text(spec)}
    if held_queue(root):
        return _patch(root, {}, annotations | {labels.QUEUE_BEFORE_HOLD: spec.queue})
    return _patch(root, {labels.QUEUE: spec.queue}, annotations)


def priority_patch(root: Manifest, spec: JobSpec) -> Manifest:
    """Return the patch by which a Job names the priority of `spec` in its queue."""
    return _patch(root, {labels.QUEUE_PRIORITY: spec.queue_priority}, {labels.SPEC: spec_text(spec)})


def spec_patch(root: Manifest, spec: JobSpec) -> Manifest:
    """Return the patch that notes `spec` alone."""
    return _patch(root, {}, {labels.SPEC: spec_text(spec)})


def _label(root: Manifest, name: str) -> str:
    return str((root["metadata"].get("labels") or {}).get(name, ""))


def _patch(root: Manifest, changed: dict[str, str], annotations: dict[str, str | None]) -> Manifest:
    """Return a patch with the uid: it fails (409 or 422, at metadata.uid) on another object of this name."""
    metadata: dict[str, Any] = {"uid": root["metadata"]["uid"], "annotations": annotations}
    return {"metadata": metadata | ({"labels": changed} if changed else {})}
