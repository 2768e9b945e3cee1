"""JobSpec -> Kubernetes objects, and the patches that hold, release, stop and resume them (pure).

A job is one anchor, a Deployment or a Job, and parts that the anchor owns: Secret, Services, Ingress.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from backend_client.errors import Invalid, Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests import networking
from backend_client.kubernetes.manifests.pod_template import drop_empty, job_labels, secret_name, template
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.manifests.validation import errors
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from backend_client.models.fields import explicit_fields
from backend_client.models.secret import Secret

Manifest = dict[str, Any]


def objects(
    spec: JobSpec,
    site: KubernetesSettings,
    seen: ClusterFacts,
    *,
    key: str = "",
    owner: str = "",
    server: str = "",
    secrets: Mapping[str, Secret] | None = None,
) -> list[Manifest]:
    """All objects of a job as they run, the anchor first. Raises Refused, which names every wrong field.

    Without `secrets`, for a plan, their values are dots; with it, Invalid names those that lack one.
    """
    wrong = errors(spec, site, seen)
    if wrong:
        sentences = "; ".join(f"{field}: {sentence}" for field, sentence in wrong.items())
        raise Refused(sentences, fields=wrong)
    marks = drop_empty(
        {labels.KEY: key, labels.OWNER: owner, labels.URL: networking.url(spec, seen.namespace, site)}
    )
    anchor = _anchor(spec, template(spec, site, seen), marks, server)
    return [_at_home(manifest, spec, seen) for manifest in (anchor, *_parts(spec, site, seen, secrets))]


def _parts(
    spec: JobSpec, site: KubernetesSettings, seen: ClusterFacts, secrets: Mapping[str, Secret] | None
) -> Iterator[Manifest]:
    if spec.secrets:
        yield _secret(spec, secrets)
    if spec.ports:
        yield networking.service(spec)
    if spec.nodes > 1:
        yield networking.ranks(spec)
    if networking.has_ingress(spec, site):
        yield networking.ingress(spec, seen.namespace, site)


def _at_home(manifest: Manifest, spec: JobSpec, seen: ClusterFacts) -> Manifest:
    metadata = manifest["metadata"]
    home = {"namespace": seen.namespace, "labels": metadata.get("labels", {}) | job_labels(spec)}
    return {**manifest, "metadata": metadata | home}


def _anchor(spec: JobSpec, pods: Manifest, marks: Mapping[str, str], server: str) -> Manifest:
    metadata = {
        "name": spec.name,
        "labels": spec.labels | drop_empty({labels.QUEUE: spec.queue, labels.SERVER: server}),
        "annotations": spec.annotations | {labels.SPEC: spec_text(spec), **marks},
    }
    make = _deployment if spec.kind == "deployment" else _job
    return {**make(spec, pods), "metadata": metadata}


def spec_text(spec: JobSpec) -> str:
    """The spec as the annotation keeps it: what was given, as JSON. It names secrets, not their values."""
    return msgspec.json.encode({field: getattr(spec, field) for field in explicit_fields(spec)}).decode()


def _deployment(spec: JobSpec, pods: Manifest) -> Manifest:
    """Recreate: a second pod beside the first would wait for the GPUs that the first one holds."""
    body = {
        "replicas": spec.replicas,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": job_labels(spec)},
        "template": pods,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": body}


def _job(spec: JobSpec, pods: Manifest) -> Manifest:
    """Preemption and drain burn no retry (podFailurePolicy)."""
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    together = {"completionMode": "Indexed", "completions": spec.nodes, "parallelism": spec.nodes}
    body = {
        "suspend": False,
        "backoffLimit": spec.retries,
        "podFailurePolicy": policy,
        **({"activeDeadlineSeconds": spec.max_runtime} if spec.max_runtime else {}),
        **(together if spec.nodes > 1 else {}),
        "template": pods,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": body}


def _secret(spec: JobSpec, secrets: Mapping[str, Secret] | None) -> Manifest:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret_name(spec)}, "type": "Opaque"}
    if secrets is None:
        return {**secret, "stringData": dict.fromkeys(spec.secrets, "•••")}
    missing = [name for name in spec.secrets if name not in secrets]
    if missing:
        raise Invalid({"secrets": f"{', '.join(missing)}: no value was given"})
    return {**secret, "data": {name: _base64(secrets[name]) for name in spec.secrets}}


def _base64(value: Secret) -> str:
    """Any bytes that an environment can hold (Python keeps odd ones as surrogates)."""
    return base64.b64encode(value.reveal().encode(errors="surrogateescape")).decode()


def with_owner(part: Manifest, anchor: Manifest) -> Manifest:
    """A part that goes when the anchor (as the server answered it) goes."""
    owner = {field: anchor[field] for field in ("apiVersion", "kind")}
    owner |= {field: anchor["metadata"][field] for field in ("name", "uid")}
    return {**part, "metadata": part["metadata"] | {"ownerReferences": [owner]}}


def held_back(anchor: Manifest) -> Manifest:
    """The anchor as it is created: no pod starts before all parts stand."""
    metadata = anchor["metadata"]
    marked = metadata | {"annotations": metadata["annotations"] | {labels.HELD: "true"}}
    stopped = {"replicas": 0} if anchor["kind"] == "Deployment" else {"suspend": True}
    return {**anchor, "metadata": marked, "spec": anchor["spec"] | stopped}


def release(anchor: Manifest, spec: JobSpec) -> Manifest:
    """The merge patch that starts a held anchor (as the server answered it)."""
    return _patch(anchor, {labels.HELD: None}, _go(anchor, spec.replicas))


def stop(anchor: Manifest, now: datetime) -> Manifest:
    """The merge patch that stops it: suspended, or 0 pods and the number before kept."""
    marks = {labels.STOPPED: now.isoformat(timespec="seconds")}
    count = _count(anchor)
    if not count:
        return _patch(anchor, marks, {"suspend": True})
    before = anchor["spec"].get(count, 1)
    rest = {"activeDeadlineSeconds": None} if anchor["spec"].get("activeDeadlineSeconds") else {}
    return _patch(anchor, marks | ({labels.REPLICAS: str(before)} if before else {}), {count: 0, **rest})


def resume(anchor: Manifest, spec: JobSpec) -> Manifest:
    """The merge patch that undoes `stop`."""
    before = (anchor["metadata"].get("annotations") or {}).get(labels.REPLICAS, "")
    number = int(before) if before.isdecimal() and len(before) < 6 else 1
    count = _count(anchor)
    go: Manifest = {count: number} if count else {"suspend": False}
    limited = count == "parallelism" and spec.max_runtime
    limit = {"activeDeadlineSeconds": spec.max_runtime} if limited else {}
    return _patch(anchor, {labels.STOPPED: None, labels.REPLICAS: None}, go | limit)


def _count(anchor: Manifest) -> str:
    """What says how many pods it has, where that stops it; "" for a Job that can be suspended.

    A Job with a queue label, be it put there by Kueue itself, is suspended and started by Kueue alone: it
    undoes anybody else's suspend at once, but gives the quota of a Job without pods back. Such a Job is not
    suspended, so its time limit goes on: it is lifted too, and begins anew with the resume. To take its
    Workload out of the queue would do the same, but users may seldom change Workloads (all tried with 0.17).
    """
    if anchor["kind"] == "Deployment":
        return "replicas"
    return "parallelism" if _queued(anchor) else ""


def _queued(anchor: Manifest) -> bool:
    return labels.QUEUE in (anchor["metadata"].get("labels") or {})


def _go(anchor: Manifest, replicas: int) -> Manifest:
    if anchor["kind"] == "Deployment":
        return {"replicas": replicas}
    return {} if _queued(anchor) else {"suspend": False}


def _patch(anchor: Manifest, marks: Mapping[str, str | None], spec: Manifest) -> Manifest:
    """The uid makes it fail (409 or 422, at metadata.uid) on another object of the same name."""
    metadata = {"uid": anchor["metadata"]["uid"], "annotations": dict(marks)}
    return {"metadata": metadata, **drop_empty({"spec": spec})}
