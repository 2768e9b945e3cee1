"""Plan a job: its exact objects, and the cluster's errors and warnings from a server-side dry run.

A dry run passes admission and validation and stores nothing (kubernetes.io, "Dry-run" of the API concepts).
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from backend_client.errors import (
    BackendError,
    Conflict,
    Forbidden,
    Invalid,
    LoginNeeded,
    NotFound,
    Refused,
    Unreachable,
    fragment,
    sentence,
)
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests import networking, validation
from backend_client.kubernetes.manifests.pod_patch import written_by_patches
from backend_client.kubernetes.manifests.render import Manifest, render_manifests
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.watch.kueue_lists import queue_types
from backend_client.kubernetes.write.claim_findings import check_claims
from backend_client.kubernetes.write.cluster_facts import read_cluster_facts, read_quotas
from backend_client.kubernetes.write.code_parts import CodeParts
from backend_client.kubernetes.write.create import name_conflict
from backend_client.kubernetes.write.field_errors import (
    Findings,
    from_message,
    from_path,
    quota_findings,
)
from backend_client.kubernetes.write.job_names import find_by_name, free_name
from backend_client.kubernetes.write.retrying_client import KINDS, RetryingClient, name_of
from backend_client.models import JobSpec
from backend_client.multi_user import ManifestCheck
from backend_client.protocol import Diagnostic, Plan

_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}
"""Store nothing; refuse, all in one answer, the fields that the server does not know (KEP-2885)."""


async def plan_job(
    transport: Transport,
    spec: JobSpec,
    site: KubernetesSettings,
    context: str,
    namespace: str,
    *,
    code: CodeParts,
    inspect: ManifestCheck = lambda _: None,
) -> Plan:
    """Plan a create, and create nothing. Raises where the cluster does not answer or wants a login."""
    place = f"{context}, namespace {namespace}"
    if wrong := await check_patches(spec, site):
        return Plan(name=spec.name, yaml="", place=place, errors=(Diagnostic("pod", wrong),))
    facts = await read_cluster_facts(transport, namespace, spec)
    packed, about = await code.look(spec, namespace)
    facts = msgspec.structs.replace(facts, code=packed)
    if not spec.name:
        spec = msgspec.structs.replace(spec, name=await free_name(transport, spec, namespace))
    told = (Diagnostic("code", about),) if about else ()
    invalid = [Diagnostic(*item) for item in validation.errors(spec, site, facts).items()]
    if invalid:
        return Plan(name=spec.name, yaml="", place=place, errors=tuple(invalid), warnings=told)
    manifests = render_manifests(spec, site, facts)
    try:
        inspect(render_manifests(spec, unpatched(site), facts))
    except Refused as error:
        refused = [Diagnostic(*item) for item in error.fields.items()] or [
            Diagnostic("", fragment(error.title))
        ]
        return Plan(name=spec.name, yaml=as_yaml(manifests), place=place, errors=tuple(refused))
    findings = await _check(transport, manifests, spec, site, namespace)
    unreported = _not_yet_reported(findings.warnings, findings.errors)
    url = networking.job_url(spec, namespace, site)
    return Plan(
        name=spec.name,
        yaml=as_yaml(manifests),
        place=place,
        errors=tuple(dict.fromkeys(_without_owned(findings.errors, spec.name))),
        warnings=tuple(dict.fromkeys((*told, *validation.warnings(spec, site, facts), *unreported))),
        urls=(url,) if url else (),
    )


def as_yaml(manifests: Iterable[Manifest]) -> str:
    """Write several objects as one YAML file that kubectl reads."""
    import yaml  # noqa: PLC0415  dear, and not needed to list jobs

    return str(yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=True))


async def check_patches(spec: JobSpec, site: KubernetesSettings) -> str:
    """Check the patches of a job's pod template, in a thread: the models take a second to be imported."""
    if not (spec.pod or site.pod_template):
        return ""
    return await asyncio.to_thread(validation.patch_errors, spec, site)


def unpatched(site: KubernetesSettings) -> KubernetesSettings:
    """Return a site's settings without its patch: no server refuses what its admin gives all jobs."""
    return msgspec.structs.replace(site, pod_template={})


def with_fields(error: BackendError, patch: Mapping[str, Any]) -> BackendError:
    """Map the error of a create to the fields of the JobSpec, in our words where we know the message."""
    if isinstance(error, Invalid):
        by_path = {path: from_path(path, message, patch) for path, message in error.fields.items()}
        return Invalid({diagnostic.field or path: diagnostic.message for path, diagnostic in by_path.items()})
    if isinstance(error, Conflict):
        return error
    diagnostic = from_message(fragment(error.title))
    fields = {diagnostic.field: diagnostic.message} if diagnostic.field else {}
    return Refused(sentence(diagnostic.message), error.hint, fields=fields)


async def _check(
    transport: Transport,
    manifests: Sequence[Manifest],
    spec: JobSpec,
    site: KubernetesSettings,
    namespace: str,
) -> Findings:
    """Run all checks at once; of the dry-run pod keep only findings about fields that no other reports."""
    patch = written_by_patches(spec, site)
    quotas, pod, name, queue, claims, dry_runs = await asyncio.gather(
        _check_quotas(transport, spec, site, namespace),
        _dry_run_pod(transport, manifests[0], patch),
        _check_name(transport, spec, namespace),
        _check_queue(transport, spec, namespace),
        check_claims(transport, spec, namespace),
        asyncio.gather(*(_dry_run(transport, manifest, patch) for manifest in manifests)),
    )
    findings = quotas.merge(name, queue, claims, *dry_runs)
    return findings.merge(
        Findings(
            _not_yet_reported(pod.errors, findings.errors),
            _not_yet_reported(pod.warnings, quotas.warnings),
        )
    )


async def _check_name(transport: Transport, spec: JobSpec, namespace: str) -> Findings:
    """Check the name among the other kind: a Job and a Deployment of one name would share owned objects."""
    other = "deployment" if spec.kind == "job" else "job"
    if await find_by_name(RetryingClient(transport), namespace, spec.name, [other]):
        return Findings((_name_taken(spec.name),))
    return Findings()


async def _check_queue(transport: Transport, spec: JobSpec, namespace: str) -> Findings:
    """Check that a Job in a queue will be started: until Kueue does, it stays suspended."""
    if spec.kind != "job" or not (spec.queue or spec.queue_priority):
        return Findings()
    types = await queue_types(transport)
    if types is None:
        field = "queue" if spec.queue else "queue_priority"
        sentence = "this cluster has no Kueue, and nothing else starts a job that is in a queue"
        return Findings(warnings=(Diagnostic(field, sentence),))
    queue, priority = await asyncio.gather(
        _is_missing(transport, types.local_queues, namespace, spec.queue),
        _is_missing(transport, types.priorities, "", spec.queue_priority),
    )
    no_queue = f"there is no queue {spec.queue} in {namespace}: it waits until there is one"
    no_priority = f"Kueue knows no priority {spec.queue_priority}, and starts no job that names it"
    return Findings(
        (Diagnostic("queue_priority", no_priority),) * priority, (Diagnostic("queue", no_queue),) * queue
    )


async def _is_missing(transport: Transport, kind: ResourceType[Any], namespace: str, name: str) -> bool:
    """Return whether an object is not there; False where no name is given, or it may not be read."""
    if not name:
        return False
    try:
        return await RetryingClient(transport).find(kind, namespace, name) is None
    except Forbidden:
        return False


async def _check_quotas(
    transport: Transport, spec: JobSpec, site: KubernetesSettings, namespace: str
) -> Findings:
    return quota_findings(spec, site, await read_quotas(transport, namespace))


def _without_owned(errors: Sequence[Diagnostic], name: str) -> Iterator[Diagnostic]:
    """Leave out that names of owned objects are taken where the job's own is: one implies the other."""
    taken = _name_taken(name)
    return (error for error in errors if error == taken or error.field != "name" or taken not in errors)


def _name_taken(name: str) -> Diagnostic:
    return Diagnostic("name", name_conflict(name).fields["name"])


async def _dry_run(transport: Transport, manifest: Manifest, patch: Mapping[str, Any]) -> Findings:
    """Send one create as a server-side dry run, and collect its refusal or its warnings."""
    try:
        return Findings(warnings=await _post_dry(transport, manifest))
    except BackendError as error:
        return Findings(errors=_refusal(error, manifest, patch))


async def _dry_run_pod(transport: Transport, root: Manifest, patch: Mapping[str, Any]) -> Findings:
    """Send the pod of a job as a dry run: quotas and PodSecurity refuse pods, not the Job or Deployment.

    A caller who may not create pods learns nothing here: that is no error.
    """
    template: dict[str, Any] = root["spec"]["template"]
    metadata = {"namespace": root["metadata"]["namespace"], "generateName": "traindeck-plan-"}
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": template["metadata"] | metadata}
    try:
        return Findings(warnings=await _post_dry(transport, pod))
    except (Forbidden, NotFound):
        return Findings()
    except BackendError as error:
        refusal = _refusal(error, pod, patch)
        if message_parsers.is_quota(error.title):
            return Findings(warnings=tuple(_waits(diagnostic) for diagnostic in refusal))
        return Findings(errors=refusal)


async def _post_dry(transport: Transport, manifest: Manifest) -> tuple[Diagnostic, ...]:
    """Create an object as a dry run; its `Warning:` headers. Raises what refuses it."""
    path = KINDS[manifest["kind"]].path(manifest["metadata"]["namespace"])
    answer = await transport.request("POST", path, query=_DRY_RUN, body=msgspec.json.encode(manifest))
    return tuple(from_message(warning) for warning in answer.warnings)


def _refusal(error: BackendError, manifest: Manifest, patch: Mapping[str, Any]) -> tuple[Diagnostic, ...]:
    """Map what refused a dry run to diagnostics. Raises the error where the cluster has not judged."""
    if isinstance(error, Unreachable | LoginNeeded):
        raise error
    if isinstance(error, Invalid):
        return tuple(from_path(path, message, patch) for path, message in error.fields.items())
    if isinstance(error, Conflict):
        return (_collision(manifest),)
    if isinstance(error, NotFound):
        return (Diagnostic("namespace", f"there is no namespace {manifest['metadata']['namespace']}"),)
    message = fragment(error.title)
    return (Diagnostic("", message) if isinstance(error, Forbidden) else from_message(message),)


def _collision(manifest: Manifest) -> Diagnostic:
    kind, name = manifest["kind"], name_of(manifest)
    is_root = kind in ("Job", "Deployment")
    return _name_taken(name) if is_root else Diagnostic("name", f"there is a {kind} {name} already")


def _waits(diagnostic: Diagnostic) -> Diagnostic:
    return Diagnostic(diagnostic.field, f"{diagnostic.message}: it waits until there is room")


def _not_yet_reported(
    diagnostics: Iterable[Diagnostic], reported: Iterable[Diagnostic]
) -> tuple[Diagnostic, ...]:
    """Keep the diagnostics about fields that none of the reported ones is about."""
    fields = {diagnostic.field for diagnostic in reported} - {""}
    return tuple(diagnostic for diagnostic in diagnostics if diagnostic.field not in fields)
