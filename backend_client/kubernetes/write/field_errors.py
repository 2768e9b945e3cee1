"""Kubernetes' errors and warnings about a job, mapped to the field of its JobSpec (pure).

Three sources: the ResourceQuotas that could be read, the causes of a refused dry run, and `Warning:` headers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from backend_client.kubernetes.manifests.pod_patch import is_of_patch
from backend_client.kubernetes.manifests.pod_template import limits
from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.kubernetes.resources.quota import ResourceQuota
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.models import JobSpec
from backend_client.protocol import Diagnostic


class Findings(Struct, frozen=True):
    """Diagnostics about a plan: errors forbid the create, warnings do not."""

    errors: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    def merge(self, *others: "Findings") -> "Findings":
        """Return these findings with those of others behind them, in order."""
        every = (self, *others)
        return Findings(
            tuple(error for findings in every for error in findings.errors),
            tuple(warning for findings in every for warning in findings.warnings),
        )


_NO_PATCH: Mapping[str, Any] = {}
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
    (r"nodeSelector\b", "node_selector"),
    (r"matchFields", "node_names"),
    (r"\.tolerations", "tolerations"),
    (r"affinity|runtimeClassName", "gpu_type"),
    (r"\bports?\b", "ports"),
    (r"spec\.(rules|tls|ingressClassName)", "ingress"),
    (r"activeDeadlineSeconds", "max_runtime"),
    (r"backoffLimit", "retries"),
    (r"spec\.replicas", "replicas"),
    (r"completions|parallelism", "nodes"),
)
"""Pattern of a path in an object -> field of the JobSpec; the first that matches counts."""

_MESSAGES = (
    (r"hostPath|persistentvolumeclaim|volume", "volumes"),
    (r"(requests|limits)\.\S*gpu|nvidia\.com/", "gpus"),
    (r"(requests|limits)\.cpu|\bcpu\b", "cpu"),
    (r"(requests|limits)\.memory|\bmemory\b", "memory"),
    (r"PriorityClass", "priority"),
    (r"RuntimeClass", "gpu_type"),
    (r"runAsNonRoot|runAsUser", "image"),
)
"""Pattern in a message -> field of the JobSpec; the first that matches counts."""


def from_path(path: str, message: str, patch: Mapping[str, Any] = _NO_PATCH) -> Diagnostic:
    """Map one cause of a 422 to the field of the JobSpec that its path leads to, else to "".

    `patch`: what patches wrote to the pod template; what is wrong there is told with its path.
    """
    if patch and is_of_patch(path, patch):
        return Diagnostic("pod", f"{path.removeprefix('spec.template.')}: {message}")
    return Diagnostic(_first(_PATHS, path), message)


def from_message(message: str) -> Diagnostic:
    """Map a refusal (403) or a `Warning:` header to its field; in our words where we know the message."""
    refused = message_parsers.refused(message)
    return Diagnostic(_first(_MESSAGES, message), refused.sentence if refused else message)


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((field for pattern, field in table if re.search(pattern, text)), "")


def pod_count(spec: JobSpec) -> int:
    """Count the pods of a job that run at once."""
    return spec.nodes if spec.kind == "job" else spec.replicas


def quota_findings(spec: JobSpec, site: KubernetesSettings, quotas: Iterable[ResourceQuota]) -> Findings:
    """Check a job's pods against quotas: above the limit is an error, above what is left a warning."""
    errors, warnings = [], []
    for quota in (quota for quota in quotas if _applies_to(quota, spec)):
        for field, resource, requested in _requests(spec, site):
            hard = quota.status.hard.get(resource) or quota.spec.hard.get(resource, "")
            used = quota.status.used.get(resource, "0")
            label = message_parsers.resource_label(resource)
            asks = f"asks for {_amount(requested)} {label}; the quota {quota.name}"
            if hard and requested > parse_quantity(hard):
                errors.append(Diagnostic(field, f"{asks} allows {hard} in all"))
            elif hard and requested + parse_quantity(used) > parse_quantity(hard):
                warnings.append(
                    Diagnostic(field, f"{asks} has {used} of {hard} used: it waits until others end")
                )
    return Findings(tuple(errors), tuple(warnings))


def _amount(requested: Decimal) -> str:
    return f"{float(requested) / 2**30:.4g}Gi" if requested >= 2**30 else f"{float(requested):.4g}"


def _requests(spec: JobSpec, site: KubernetesSettings) -> Iterator[tuple[str, str, Decimal]]:
    """Yield what all pods request together: (field, the quota's name of the resource, amount)."""
    count, each = pod_count(spec), limits(spec, site)
    yield ("nodes" if spec.kind == "job" else "replicas"), "pods", Decimal(count)
    if spec.gpus:
        yield "gpus", f"requests.{site.gpu_resource}", Decimal(spec.gpus * count)
    for field in ("cpu", "memory"):
        for resource in (field, f"requests.{field}", f"limits.{field}"):
            if field in each:
                yield field, resource, parse_quantity(each[field]) * count


def _applies_to(quota: ResourceQuota, spec: JobSpec) -> bool:
    """Check whether a quota counts such pods; one that selects pods by priority is left to the dry run."""
    sized = bool(spec.cpu or spec.memory)
    scopes = {"NotTerminating": True, "NotBestEffort": sized, "BestEffort": not sized}
    selects = quota.spec.scope_selector and quota.spec.scope_selector.match_expressions
    return not selects and all(scopes.get(scope, False) for scope in quota.spec.scopes)
