"""What a create would do: the exact objects, and what the cluster says against them beforehand."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
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
)
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests import networking, validation
from backend_client.kubernetes.manifests.render import Manifest, objects
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.watch.listing import served_workload_types
from backend_client.kubernetes.write.cluster_facts import read_cluster_facts, read_quotas
from backend_client.kubernetes.write.create import name_conflict
from backend_client.kubernetes.write.field_errors import from_message, from_path, quota_diagnostics
from backend_client.kubernetes.write.job_names import find_by_name, free_name
from backend_client.kubernetes.write.object_client import KINDS, ObjectClient, name_of
from backend_client.models import JobSpec
from backend_client.multi_user import ManifestCheck
from backend_client.protocol import Diagnostic, Plan

_DRY = {"dryRun": "All", "fieldValidation": "Strict"}

Said = tuple[list[Diagnostic], list[Diagnostic]]
"""(errors, warnings)."""


async def plan(
    transport: Transport,
    spec: JobSpec,
    site: KubernetesSettings,
    context: str,
    namespace: str,
    *,
    inspect: ManifestCheck = lambda _: None,
) -> Plan:
    """Nothing is made. Raises where the cluster does not answer or wants a login."""
    seen = await read_cluster_facts(transport, namespace, spec)
    if not spec.name:
        spec = msgspec.structs.replace(spec, name=await free_name(transport, spec, namespace))
    place = f"{context}, namespace {namespace}"
    wrong = [Diagnostic(field, words) for field, words in validation.errors(spec, site, seen).items()]
    if wrong:
        return Plan(name=spec.name, yaml="", place=place, errors=tuple(wrong))
    manifests = objects(spec, site, seen)
    try:
        inspect(manifests)
    except Refused as error:
        found = [Diagnostic(*item) for item in error.fields.items()] or [Diagnostic("", error.title)]
        return Plan(name=spec.name, yaml=as_yaml(manifests), place=place, errors=tuple(found))
    errors, warnings = await _asked(transport, manifests, spec, site, seen)
    where = networking.url(spec, namespace, site)
    return Plan(
        name=spec.name,
        yaml=as_yaml(manifests),
        place=place,
        errors=tuple(dict.fromkeys(_without_parts(errors, spec.name))),
        warnings=tuple(dict.fromkeys((*validation.warnings(spec, site, seen), *_unsaid(warnings, errors)))),
        urls=(where,) if where else (),
    )


def as_yaml(manifests: Iterable[Manifest]) -> str:
    """Several objects, as a file that kubectl takes."""
    import yaml  # noqa: PLC0415  # dear, and not needed to list jobs

    return str(yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=True))


def with_fields(error: BackendError) -> BackendError:
    """What a create was refused for, at the fields of the JobSpec and in our words."""
    if isinstance(error, Invalid):
        found = {path: from_path(path, message) for path, message in error.fields.items()}
        return Invalid({notice.field or path: notice.message for path, notice in found.items()})
    if isinstance(error, Conflict):
        return error
    notice = from_message(error.title)
    return Refused(notice.message, error.hint, fields={notice.field: notice.message} if notice.field else {})


async def _asked(
    transport: Transport,
    manifests: Sequence[Manifest],
    spec: JobSpec,
    site: KubernetesSettings,
    seen: ClusterFacts,
) -> Said:
    full, pod, *said = await asyncio.gather(
        _quotas(transport, spec, site, seen.namespace),
        _dry_pod(transport, manifests[0]),
        _names(transport, spec, seen.namespace),
        _queue(transport, spec),
        *(_dry_run(transport, manifest) for manifest in manifests),
    )
    errors = [notice for wrong, _ in (full, *said) for notice in wrong]
    warnings = [notice for _, notable in (full, *said) for notice in notable]
    return errors + _unsaid(pod[0], errors), warnings + _unsaid(pod[1], full[1])


async def _names(transport: Transport, spec: JobSpec, namespace: str) -> Said:
    """A Job and a Deployment of one name would share the names of their parts."""
    other = "deployment" if spec.kind == "job" else "job"
    if await find_by_name(ObjectClient(transport), namespace, spec.name, [other]):
        return [_name_taken(spec.name)], []
    return [], []


async def _queue(transport: Transport, spec: JobSpec) -> Said:
    """A Job in a queue is held until Kueue starts it."""
    if spec.kind != "job" or not spec.queue or await served_workload_types(transport):
        return [], []
    return [], [
        Diagnostic("queue", "this cluster has no Kueue, and nothing else starts a job that is in a queue")
    ]


def _without_parts(errors: Sequence[Diagnostic], name: str) -> Iterator[Diagnostic]:
    """Where the name is taken, so are those of the job's parts: that goes without saying."""
    whole = _name_taken(name)
    return (error for error in errors if error == whole or error.field != "name" or whole not in errors)


def _name_taken(name: str) -> Diagnostic:
    return Diagnostic("name", name_conflict(name).title)


async def _quotas(transport: Transport, spec: JobSpec, site: KubernetesSettings, namespace: str) -> Said:
    return quota_diagnostics(spec, site, await read_quotas(transport, namespace))


async def _dry_run(transport: Transport, manifest: Manifest) -> Said:
    kind, metadata = manifest["kind"], manifest["metadata"]
    path = KINDS[kind].path(metadata["namespace"])
    try:
        answer = await transport.request("POST", path, query=_DRY, body=msgspec.json.encode(manifest))
    except BackendError as error:
        return _refused(error, manifest), []
    return [], [from_message(warning) for warning in answer.warnings]


def _refused(error: BackendError, manifest: Manifest) -> list[Diagnostic]:
    if isinstance(error, Invalid):
        return [from_path(path, message) for path, message in error.fields.items()]
    if isinstance(error, Unreachable | LoginNeeded):
        raise error
    if isinstance(error, Conflict):
        return [_collision(manifest)]
    if isinstance(error, NotFound):
        return [Diagnostic("namespace", f"there is no namespace {manifest['metadata']['namespace']}")]
    return [Diagnostic("", error.title) if isinstance(error, Forbidden) else from_message(error.title)]


def _collision(manifest: Manifest) -> Diagnostic:
    kind, name = manifest["kind"], name_of(manifest)
    anchor = kind in ("Job", "Deployment")
    return _name_taken(name) if anchor else Diagnostic("name", f"there is a {kind} {name} already")


async def _dry_pod(transport: Transport, anchor: Manifest) -> Said:
    """Quotas and PodSecurity refuse pods, not what makes them. Not to be allowed to ask is no error."""
    template: dict[str, Any] = anchor["spec"]["template"]
    home = {"namespace": anchor["metadata"]["namespace"], "generateName": "traindeck-plan-"}
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "metadata": template["metadata"] | home}
    path = KINDS["Pod"].path(home["namespace"])
    try:
        answer = await transport.request("POST", path, query=_DRY, body=msgspec.json.encode(pod))
    except (Forbidden, NotFound):
        return [], []
    except BackendError as error:
        found = _refused(error, pod)
        return ([], list(map(_waits, found))) if message_parsers.is_quota(error.title) else (found, [])
    return [], [from_message(warning) for warning in answer.warnings]


def _waits(notice: Diagnostic) -> Diagnostic:
    return Diagnostic(notice.field, f"{notice.message}: it waits until there is room")


def _unsaid(notices: Iterable[Diagnostic], said: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those about fields that nothing was said about yet."""
    known = {notice.field for notice in said} - {""}
    return [notice for notice in notices if notice.field not in known]
