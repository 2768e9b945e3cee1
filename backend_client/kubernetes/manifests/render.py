"""JobSpec -> manifests, and the merge patches that release, stop and resume a job (pure).

A job is one root object, a Deployment or a Job, and the objects that it owns: Secret, Services, Ingress.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from backend_client.errors import Invalid, Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests import code, networking, validation
from backend_client.kubernetes.manifests.pod_template import (
    drop_empty,
    job_labels,
    render_pod_template,
    secret_name,
)
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from backend_client.models.code import Code
from backend_client.models.fields import explicit_fields
from backend_client.models.outputs import claim_outputs
from backend_client.models.secret import Secret

Manifest = dict[str, Any]
"""A Kubernetes object, as JSON has it."""


def render_manifests(
    spec: JobSpec,
    site: KubernetesSettings,
    facts: ClusterFacts,
    *,
    key: str = "",
    owner: str = "",
    server: str = "",
    secrets: Mapping[str, Secret] | None = None,
    packed: bytes | None = None,
) -> list[Manifest]:
    """Render all objects of a running job, the root object first.

    Without `secrets` and `packed` (the code), for a plan, their values are dots. Raises Refused, which names
    every wrong field, and Invalid, which names the secrets without a value.
    """
    invalid = validation.errors(spec, site, facts)
    if invalid:
        sentences = "; ".join(f"{field}: {sentence}" for field, sentence in invalid.items())
        raise Refused(sentences, fields=invalid)
    outputs = claim_outputs(spec.name, spec.outputs, key)
    annotations = drop_empty(
        {
            labels.KEY: key,
            labels.OWNER: owner,
            labels.CODE: msgspec.json.encode(facts.code).decode() if facts.code else "",
            labels.OUTPUTS: msgspec.json.encode(outputs).decode() if outputs else "",
            labels.URL: networking.job_url(spec, facts.namespace, site),
        }
    )
    root = _root(spec, render_pod_template(spec, site, facts, outputs), annotations, server, facts.code)
    owned = _owned_objects(spec, site, facts, secrets, packed)
    return [_in_namespace(manifest, spec, facts.namespace) for manifest in (root, *owned)]


def _owned_objects(
    spec: JobSpec,
    site: KubernetesSettings,
    facts: ClusterFacts,
    secrets: Mapping[str, Secret] | None,
    packed: bytes | None,
) -> Iterator[Manifest]:
    if spec.secrets:
        yield _secret(spec, secrets)
    if facts.code:
        yield from code.part_manifests(spec, facts.code.size, packed)
    if spec.ports:
        yield networking.service(spec)
    if spec.nodes > 1:
        yield networking.ranks_service(spec)
    if networking.has_ingress(spec, site):
        yield networking.ingress(spec, facts.namespace, site)


def _in_namespace(manifest: Manifest, spec: JobSpec, namespace: str) -> Manifest:
    metadata = manifest["metadata"]
    common = {"namespace": namespace, "labels": metadata.get("labels", {}) | job_labels(spec)}
    return {**manifest, "metadata": metadata | common}


def _root(
    spec: JobSpec, pods: Manifest, annotations: Mapping[str, str], server: str, packed: Code | None
) -> Manifest:
    metadata = {
        "name": spec.name,
        "labels": spec.labels
        | drop_empty(
            {
                labels.QUEUE: spec.queue,
                labels.QUEUE_PRIORITY: spec.queue_priority,
                labels.SERVER: server,
                labels.SWEEP: spec.sweep.name,
                labels.CODE: code_label(packed.sha256) if packed else "",
            }
        ),
        "annotations": spec.annotations | {labels.SPEC: spec_text(spec), **annotations},
    }
    workload = _deployment(spec, pods) if spec.kind == "deployment" else _job(spec, pods)
    return {**workload, "metadata": metadata}


def code_label(sha256: str) -> str:
    """Return the label of the root objects of this code."""
    return sha256[:63]


def spec_text(spec: JobSpec) -> str:
    """Write a spec as the JSON of its annotation: the fields that were set, of secrets only the names."""
    return msgspec.json.encode({field: getattr(spec, field) for field in explicit_fields(spec)}).decode()


def _deployment(spec: JobSpec, pods: Manifest) -> Manifest:
    """Render the Deployment. Its strategy is Recreate: a second pod would wait for the GPUs of the first."""
    body = {
        "replicas": spec.replicas,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": job_labels(spec)},
        "template": pods,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": body}


def _job(spec: JobSpec, pods: Manifest) -> Manifest:
    """Render the Job. Preemption and drain cost no retry: condition DisruptionTarget (KEP-3329)."""
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
    """Encode any bytes that an environment can hold; Python keeps those that are no UTF-8 as surrogates."""
    return base64.b64encode(value.reveal().encode(errors="surrogateescape")).decode()


def with_owner(manifest: Manifest, root: Manifest) -> Manifest:
    """Add the owner reference to a root object, as the server returned it: both are deleted together."""
    owner = {field: root[field] for field in ("apiVersion", "kind")}
    owner |= {field: root["metadata"][field] for field in ("name", "uid")}
    return {**manifest, "metadata": manifest["metadata"] | {"ownerReferences": [owner]}}


def held_back(root: Manifest) -> Manifest:
    """Hold a root object for its creation: it starts no pod before all that it owns is there."""
    metadata = root["metadata"]
    held = metadata | {"annotations": metadata["annotations"] | {labels.HELD: "true"}}
    paused = {"replicas": 0} if root["kind"] == "Deployment" else {"suspend": True}
    return {**root, "metadata": held, "spec": root["spec"] | paused}


def release_patch(root: Manifest, spec: JobSpec) -> Manifest:
    """Return the merge patch that starts a held root object, as the server returned it."""
    return _merge_patch(root, {labels.HELD: None}, _running_spec(root, spec.replicas))


def stop_patch(root: Manifest, now: datetime) -> Manifest:
    """Return the merge patch that stops a job: suspended, or 0 pods, their number before in an annotation."""
    annotations = {labels.STOPPED: now.isoformat(timespec="seconds")}
    count = _count_field(root)
    if not count:
        return _merge_patch(root, annotations, {"suspend": True})
    before = root["spec"].get(count, 1)
    no_limit = {"activeDeadlineSeconds": None} if root["spec"].get("activeDeadlineSeconds") else {}
    replicas = {labels.REPLICAS: str(before)} if before else {}
    return _merge_patch(root, annotations | replicas, {count: 0, **no_limit})


def resume_patch(root: Manifest, spec: JobSpec, now: datetime) -> Manifest:
    """Return the merge patch that undoes `stop_patch`, and notes when the job was stopped and resumed."""
    noted = root["metadata"].get("annotations") or {}
    before = noted.get(labels.REPLICAS, "")
    number = int(before) if before.isdecimal() and len(before) < 6 else 1
    count = _count_field(root)
    running: Manifest = {count: number} if count else {"suspend": False}
    limited = count == "parallelism" and spec.max_runtime
    limit = {"activeDeadlineSeconds": spec.max_runtime} if limited else {}
    annotations = {labels.STOPPED: None, labels.REPLICAS: None, labels.PAUSES: pauses_after(root, now)}
    return _merge_patch(root, annotations, running | limit)


def extend_patch(root: Manifest, max_runtime: int) -> Manifest:
    """Return the merge patch that gives a Job another time limit, in the spec of its annotation too.

    activeDeadlineSeconds is one of the few fields of a Job that may be changed while it runs
    (ValidateJobSpecUpdate of Kubernetes).
    """
    annotations = {}
    with suppress(msgspec.DecodeError):
        noted = msgspec.json.decode(root["metadata"]["annotations"][labels.SPEC], type=dict[str, Any])
        annotations[labels.SPEC] = msgspec.json.encode(noted | {"max_runtime": max_runtime}).decode()
    return _merge_patch(root, annotations, {"activeDeadlineSeconds": max_runtime})


def pauses_after(root: Manifest, now: datetime) -> str:
    """Return the annotation that notes when a job was stopped and resumed, after a resume."""
    noted = root["metadata"].get("annotations") or {}
    pause = f"{noted.get(labels.STOPPED, '')}/{now.isoformat(timespec='seconds')}"
    return " ".join([*noted.get(labels.PAUSES, "").split(), pause][-labels.PAUSES_KEPT :])


def _count_field(root: Manifest) -> str:
    """Return the field with the number of pods, where 0 stops them; "" for a Job that is to be suspended.

    A Job with a queue label, even one that Kueue itself has put there, is suspended and started by Kueue
    alone: it undoes anybody else's suspend at once, but gives back the quota of a Job without pods. Such a
    Job is not suspended, so its time limit goes on: it is lifted too, and begins anew with the resume. To
    take its Workload out of the queue would do the same, but users may seldom change Workloads (all tried
    with Kueue 0.17).
    """
    if root["kind"] == "Deployment":
        return "replicas"
    return "parallelism" if _is_queued(root) else ""


def _is_queued(root: Manifest) -> bool:
    return labels.QUEUE in (root["metadata"].get("labels") or {})


def _running_spec(root: Manifest, replicas: int) -> Manifest:
    if root["kind"] == "Deployment":
        return {"replicas": replicas}
    return {} if _is_queued(root) else {"suspend": False}


def _merge_patch(root: Manifest, annotations: Mapping[str, str | None], spec: Manifest) -> Manifest:
    """Return a patch with the uid: it fails (409 or 422, at metadata.uid) on another object of this name."""
    metadata = {"uid": root["metadata"]["uid"], "annotations": dict(annotations)}
    return {"metadata": metadata, **drop_empty({"spec": spec})}
