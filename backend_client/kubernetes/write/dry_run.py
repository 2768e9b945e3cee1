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
from backend_client.kubernetes.manifests.scheduling import Seen
from backend_client.kubernetes.settings import Site
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.watch.listing import queue_kinds
from backend_client.kubernetes.write.cluster_facts import look, quotas
from backend_client.kubernetes.write.create import taken
from backend_client.kubernetes.write.field_errors import at_path, in_prose, quota_notices
from backend_client.kubernetes.write.job_names import called, name_for
from backend_client.kubernetes.write.object_client import KINDS, Hands, name_of
from backend_client.models import JobSpec
from backend_client.multi_user import Inspect
from backend_client.protocol import Notice, Plan

_DRY = {"dryRun": "All", "fieldValidation": "Strict"}

Said = tuple[list[Notice], list[Notice]]
"""(errors, warnings)."""


async def plan(
    transport: Transport,
    spec: JobSpec,
    site: Site,
    context: str,
    namespace: str,
    *,
    inspect: Inspect = lambda _: None,
) -> Plan:
    """Nothing is made. Raises where the cluster does not answer or wants a login."""
    seen = await look(transport, namespace, spec)
    if not spec.name:
        spec = msgspec.structs.replace(spec, name=await name_for(transport, spec, namespace))
    place = f"{context}, namespace {namespace}"
    wrong = [Notice(field, words) for field, words in validation.errors(spec, site, seen).items()]
    if wrong:
        return Plan(name=spec.name, yaml="", place=place, errors=tuple(wrong))
    manifests = objects(spec, site, seen)
    try:
        inspect(manifests)
    except Refused as error:
        found = [Notice(*item) for item in error.fields.items()] or [Notice("", error.title)]
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


def at_fields(error: BackendError) -> BackendError:
    """What a create was refused for, at the fields of the JobSpec and in our words."""
    if isinstance(error, Invalid):
        found = {path: at_path(path, message) for path, message in error.fields.items()}
        return Invalid({notice.field or path: notice.message for path, notice in found.items()})
    if isinstance(error, Conflict):
        return error
    notice = in_prose(error.title)
    return Refused(notice.message, error.hint, fields={notice.field: notice.message} if notice.field else {})


async def _asked(
    transport: Transport, manifests: Sequence[Manifest], spec: JobSpec, site: Site, seen: Seen
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
    if await called(Hands(transport), namespace, spec.name, [other]):
        return [_name_taken(spec.name)], []
    return [], []


async def _queue(transport: Transport, spec: JobSpec) -> Said:
    """A Job in a queue is held until Kueue starts it."""
    if spec.kind != "job" or not spec.queue or await queue_kinds(transport):
        return [], []
    return [], [
        Notice("queue", "this cluster has no Kueue, and nothing else starts a job that is in a queue")
    ]


def _without_parts(errors: Sequence[Notice], name: str) -> Iterator[Notice]:
    """Where the name is taken, so are those of the job's parts: that goes without saying."""
    whole = _name_taken(name)
    return (error for error in errors if error == whole or error.field != "name" or whole not in errors)


def _name_taken(name: str) -> Notice:
    return Notice("name", taken(name).title)


async def _quotas(transport: Transport, spec: JobSpec, site: Site, namespace: str) -> Said:
    return quota_notices(spec, site, await quotas(transport, namespace))


async def _dry_run(transport: Transport, manifest: Manifest) -> Said:
    kind, metadata = manifest["kind"], manifest["metadata"]
    path = KINDS[kind].path(metadata["namespace"])
    try:
        answer = await transport.request("POST", path, query=_DRY, body=msgspec.json.encode(manifest))
    except BackendError as error:
        return _refused(error, manifest), []
    return [], [in_prose(warning) for warning in answer.warnings]


def _refused(error: BackendError, manifest: Manifest) -> list[Notice]:
    if isinstance(error, Invalid):
        return [at_path(path, message) for path, message in error.fields.items()]
    if isinstance(error, Unreachable | LoginNeeded):
        raise error
    if isinstance(error, Conflict):
        return [_collision(manifest)]
    if isinstance(error, NotFound):
        return [Notice("namespace", f"there is no namespace {manifest['metadata']['namespace']}")]
    return [Notice("", error.title) if isinstance(error, Forbidden) else in_prose(error.title)]


def _collision(manifest: Manifest) -> Notice:
    kind, name = manifest["kind"], name_of(manifest)
    anchor = kind in ("Job", "Deployment")
    return _name_taken(name) if anchor else Notice("name", f"there is a {kind} {name} already")


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
    return [], [in_prose(warning) for warning in answer.warnings]


def _waits(notice: Notice) -> Notice:
    return Notice(notice.field, f"{notice.message}: it waits until there is room")


def _unsaid(notices: Iterable[Notice], said: Iterable[Notice]) -> list[Notice]:
    """Those about fields that nothing was said about yet."""
    known = {notice.field for notice in said} - {""}
    return [notice for notice in notices if notice.field not in known]
