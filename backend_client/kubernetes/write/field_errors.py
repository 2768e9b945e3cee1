"""What a cluster says against a plan, at the JobSpec field that it is about (pure).

Three sources: the ResourceQuotas that could be read, the causes of a refused dry run, and `Warning:` headers.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from backend_client.kubernetes.manifests.pod_template import limits
from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.kubernetes.resources.quota import ResourceQuota
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.models import JobSpec
from backend_client.protocol import Diagnostic

_PATHS = (
    (r"metadata\.name$", "name"),
    (r"metadata\.namespace$", "namespace"),
    (r"(metadata|template)\.labels", "labels"),
    (r"(metadata|template)\.annotations", "annotations"),
    (r"\.image$", "image"),
    (r"\.(command|args)\b", "command"),
    (r"\.workingDir$", "workdir"),
    (r"\.env\b", "env"),
    (r"^(string)?[dD]ata\b", "secrets"),
    (r"resources.*\bcpu\b", "cpu"),
    (r"resources.*\bmemory\b", "memory"),
    (r"resources", "gpus"),
    (r"sizeLimit", "shm_size"),
    (r"volume(s|Mounts)\b|persistentVolumeClaim", "volumes"),
    (r"imagePullSecrets", "image_pull_secrets"),
    (r"priorityClassName|\.priority$", "priority"),
    (r"affinity|tolerations|runtimeClassName", "gpu_type"),
    (r"\bports?\b", "ports"),
    (r"spec\.(rules|tls|ingressClassName)", "ingress"),
    (r"activeDeadlineSeconds", "max_runtime"),
    (r"backoffLimit", "retries"),
    (r"spec\.replicas", "replicas"),
    (r"completions|parallelism", "nodes"),
)
"""Paths in an object -> field; the first that is found counts."""

_PROSE = (
    (r"hostPath|persistentvolumeclaim|volume", "volumes"),
    (r"(requests|limits)\.\S*gpu|nvidia\.com/", "gpus"),
    (r"(requests|limits)\.cpu|\bcpu\b", "cpu"),
    (r"(requests|limits)\.memory|\bmemory\b", "memory"),
    (r"PriorityClass", "priority"),
    (r"RuntimeClass", "gpu_type"),
    (r"runAsNonRoot|runAsUser", "image"),
)
"""Words of a message -> field."""


def from_path(path: str, message: str) -> Diagnostic:
    """One cause of a 422, at the field of the JobSpec where its path leads to one, else at ""."""
    return Diagnostic(_first(_PATHS, path), message)


def from_message(message: str) -> Diagnostic:
    """A refusal (403) or a `Warning:` header, in our words where they are known."""
    return Diagnostic(_first(_PROSE, message), message_parsers.refused(message) or message)


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((field for pattern, field in table if re.search(pattern, text)), "")


def pod_count(spec: JobSpec) -> int:
    """How many pods run at once."""
    return spec.nodes if spec.kind == "job" else spec.replicas


def quota_diagnostics(
    spec: JobSpec, site: KubernetesSettings, quotas: Iterable[ResourceQuota]
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """(errors, warnings): what quotas never allow, and what they do not allow now, over all pods."""
    errors, warnings = [], []
    for quota in (quota for quota in quotas if _counts(quota, spec)):
        for field, resource, asked in _asked(spec, site):
            hard = quota.status.hard.get(resource) or quota.spec.hard.get(resource, "")
            used = quota.status.used.get(resource, "0")
            label = message_parsers.resource_label(resource)
            asks = f"asks for {_amount(asked)} {label}; the quota {quota.name}"
            if hard and asked > parse_quantity(hard):
                errors.append(Diagnostic(field, f"{asks} allows {hard} in all"))
            elif hard and asked + parse_quantity(used) > parse_quantity(hard):
                warnings.append(
                    Diagnostic(field, f"{asks} has {used} of {hard} used: it waits until others end")
                )
    return errors, warnings


def _amount(asked: Decimal) -> str:
    return f"{float(asked) / 2**30:.4g}Gi" if asked >= 2**30 else f"{float(asked):.4g}"


def _asked(spec: JobSpec, site: KubernetesSettings) -> Iterator[tuple[str, str, Decimal]]:
    """(field, quota's name of the resource, amount of all pods together)."""
    count, each = pod_count(spec), limits(spec, site)
    yield ("nodes" if spec.kind == "job" else "replicas"), "pods", Decimal(count)
    if spec.gpus:
        yield "gpus", f"requests.{site.gpu_resource}", Decimal(spec.gpus * count)
    for field in ("cpu", "memory"):
        for resource in (field, f"requests.{field}", f"limits.{field}"):
            if field in each:
                yield field, resource, parse_quantity(each[field]) * count


def _counts(quota: ResourceQuota, spec: JobSpec) -> bool:
    """Whether a quota is for pods like these; one that picks pods by priority is left to the dry run."""
    sized = bool(spec.cpu or spec.memory)
    meant = {"NotTerminating": True, "NotBestEffort": sized, "BestEffort": not sized}
    selected = quota.spec.scope_selector and quota.spec.scope_selector.match_expressions
    return not selected and all(meant.get(scope, False) for scope in quota.spec.scopes)
