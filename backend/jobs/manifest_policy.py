"""What a job's objects may have in them, whoever wrote the body: an allow-list over the rendered manifests.

What is not named in the table is refused: no folder of the node but those that the settings name, no host
network, no privilege, no account, no annotation that a controller would heed. It is narrower
than the Kubernetes Pod Security Standards' Restricted profile
(https://kubernetes.io/docs/concepts/security/pod-security-standards/), but for the node's folders that the
settings allow and the user that an image runs as. The cluster's own admission comes after it, and may refuse
more.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from backend.jobs.images import is_allowed
from backend.jobs.manifest_rules import Check, Rule, Violations, anything, keys, one_of, violations
from backend.settings import ServerSettings
from backend_client.errors import Refused, sentence
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests import code, networking
from backend_client.kubernetes.manifests.pod_template import EVERY_NODE
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from backend_client.multi_user import ManifestCheck

_OBJECT = keys(("apiVersion", "kind"))
_DEPLOYMENT = keys(("replicas", "selector")) | {"strategy": {"type": one_of("Recreate")}}
_JOB = keys(
    (
        "suspend",
        "backoffLimit",
        "podFailurePolicy",
        "activeDeadlineSeconds",
        "completionMode",
        "completions",
        "parallelism",
    )
)
_SECRET = keys(("data", "stringData")) | {"type": one_of("Opaque"), "immutable": one_of(True)}
_SERVICE = keys(("selector", "publishNotReadyAddresses")) | {
    "clusterIP": one_of("None"),
    "ports": [keys(("name", "port", "targetPort", "protocol"))],
}
_INGRESS = keys(("ingressClassName",)) | {"tls": [keys(("hosts", "secretName"))]}
_TURN: dict[str, Rule] = {
    "topologyKey": one_of(EVERY_NODE),
    "labelSelector": {
        "matchLabels": keys((labels.TURN,)),
        "matchExpressions": [{"key": one_of(labels.JOB), "operator": one_of("NotIn"), "values": anything}],
    },
}
"""How a job of a sweep waits for others: it keeps off pods with the label of its turn, and no other."""
_POD = keys(("restartPolicy", "subdomain", "runtimeClassName")) | {
    "automountServiceAccountToken": one_of(False),
    "enableServiceLinks": one_of(False),
    "securityContext": keys(("runAsNonRoot", "runAsUser"))
    | {"seccompProfile": {"type": one_of("RuntimeDefault")}},
    "imagePullSecrets": [keys(("name",))],
    "affinity": keys(("nodeAffinity",))
    | {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_TURN]}},
    "tolerations": [keys(("operator", "value", "effect", "key"))],
    "nodeSelector": anything,  # narrows where a job may run, as node_names does: no right comes with it
}
_VOLUME = keys(("name",)) | {
    "emptyDir": {"medium": one_of("Memory"), "sizeLimit": anything},
    "persistentVolumeClaim": keys(("claimName", "readOnly")),
}
_CONTAINER = keys(
    ("name", "command", "workingDir", "resources", "volumeMounts", "terminationMessagePolicy")
) | {
    "ports": [keys(("containerPort", "protocol"))],
    "securityContext": {
        "allowPrivilegeEscalation": one_of(False),
        "capabilities": {"drop": [one_of("ALL")]},
    },
}
_UNPACKER: dict[str, Rule] = {
    **{key: rule for key, rule in _CONTAINER.items() if key not in ("ports", "workingDir")},
    "name": one_of(labels.CODE_CONTAINER),
    "command": lambda words: "" if words == [*code.UNPACK] else "a command of its own to unpack code",
}
"""The init container that unpacks a job's code; no other runs."""
_REQUIRED = frozenset(
    {
        "automountServiceAccountToken",
        "allowPrivilegeEscalation",
        "capabilities",
        "seccompProfile",
        "securityContext",
    }
)
"""Keys that must not be left out: their absence allows more."""


def _object_rules(checks: "_Checks", job: JobSpec) -> dict[str, dict[str, Rule]]:
    """Return the table: kind of an object -> what it may have, for one job."""
    metadata: dict[str, Rule] = keys(("name",)) | {
        "namespace": one_of(checks.namespace),
        "labels": checks.check_labels,
        "annotations": checks.check_annotations,
    }
    pods: Rule = {"metadata": metadata, "spec": _pod_rules(checks, job)}
    ingress = _INGRESS | {"rules": [_ingress_rule(checks, job)]}
    return {
        "Deployment": _OBJECT | {"metadata": metadata, "spec": _DEPLOYMENT | {"template": pods}},
        "Job": _OBJECT | {"metadata": metadata, "spec": _JOB | {"template": pods}},
        "Secret": _OBJECT | {"metadata": metadata} | _SECRET,
        "Service": _OBJECT | {"metadata": metadata, "spec": _SERVICE},
        "Ingress": _OBJECT
        | {"metadata": metadata | {"annotations": checks.check_ingress_annotations}, "spec": ingress},
    }


def _pod_rules(checks: "_Checks", job: JobSpec) -> dict[str, Rule]:
    source: dict[str, Rule] = {
        "secretKeyRef": {"name": one_of(f"{job.name}-secrets"), "key": anything},
        "fieldRef": {"fieldPath": one_of(f"metadata.annotations['{labels.INDEX}']")},
    }
    env = keys(("name", "value")) | {"valueFrom": source}
    rules: dict[str, Rule] = _POD | {
        "priorityClassName": checks.check_priority,
        "containers": [_CONTAINER | {"image": checks.check_image, "env": [env]}],
        "volumes": [_VOLUME | {"hostPath": checks.check_host_path}],
    }
    return rules | _code_rules(checks, job) if job.code else rules


def _code_rules(checks: "_Checks", job: JobSpec) -> dict[str, Rule]:
    """Return what the pods of a job with code may have besides: its parts, and what unpacks them."""
    own = re.compile(rf"{re.escape(job.name)}-code-\d+")
    part: Check = lambda name: "" if own.fullmatch(str(name)) else f"the Secret {name}"  # noqa: E731  short
    source: dict[str, Rule] = {"secret": {"name": part, "items": [keys(("key", "path"))]}}
    volume = _VOLUME | {"hostPath": checks.check_host_path, "projected": {"sources": [source]}}
    return {"initContainers": [_UNPACKER | {"image": checks.check_image}], "volumes": [volume]}


def _ingress_rule(checks: "_Checks", job: JobSpec) -> dict[str, Rule]:
    service: dict[str, Rule] = {"name": one_of(job.name), "port": keys(("number",))}
    path: dict[str, Rule] = {
        "path": one_of(f"/{checks.namespace}/{job.name}", "/"),
        "pathType": one_of("Prefix"),
        "backend": {"service": service},
    }
    return {"host": checks.host_check(job), "http": {"paths": [path]}}


_FIELDS = {
    "hostPath": "volumes",
    "priorityClassName": "priority",
    "queue_priority": "queue_priority",
    "tolerations": "tolerations",
    "image": "image",
    "annotations": "annotations",
    "labels": "labels",
    "host": "ingress",
}
"""Last part of a path -> the field of the JobSpec that it comes from."""
_OUR_PREFIXES = frozenset({"traindeck.dev"})


class ManifestPolicy:
    """The rules of one server for the jobs of one namespace."""

    def __init__(
        self, settings: ServerSettings, kubernetes: KubernetesSettings, namespace: str, *, shared: bool
    ) -> None:
        """`shared`: everybody's jobs are in this namespace."""
        self._checks = _Checks(settings, kubernetes, namespace, shared=shared)

    def check_for(self, spec: JobSpec) -> ManifestCheck:
        """Return the check of a job's manifests, which raises Refused and names the fields."""

        def check(manifests: Sequence[Mapping[str, Any]]) -> None:
            rules = _object_rules(self._checks, replace(spec, name=_job_name(manifests) or spec.name))
            errors = dict(error for manifest in manifests for error in _manifest_violations(manifest, rules))
            if refused := self._checks.check_queue_priority(spec.queue_priority):
                # Told at its own field, not at that of the label.
                errors = {path: message for path, message in errors.items() if message != refused}
                errors["queue_priority"] = refused
            if refused := self._checks.check_tolerations(spec):
                errors["tolerations"] = refused
            if errors:
                messages = "; ".join(dict.fromkeys(errors.values()))
                raise Refused(
                    sentence(f"This server does not allow it: {messages}"),
                    "Its admin can say more.",
                    fields=_by_field(errors),
                )

        return check


def _job_name(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Return the job's name: one that was left empty has been chosen by now."""
    names = (each["metadata"]["name"] for each in manifests if each.get("kind") in ("Job", "Deployment"))
    return str(next(names, ""))


def _manifest_violations(manifest: Mapping[str, Any], rules: Mapping[str, dict[str, Rule]]) -> Violations:
    kind = str(manifest.get("kind"))
    if kind not in rules:
        yield "kind", f"an object of the kind {kind}"
    else:
        yield from violations(manifest, rules[kind], kind, _REQUIRED)


def _by_field(errors: Mapping[str, str]) -> dict[str, str]:
    """Field of the JobSpec -> what is wrong with it, where the path of an error tells the field."""
    last = {path: path.rpartition(".")[2] for path in errors}
    return {_FIELDS[last[path]]: message for path, message in errors.items() if last[path] in _FIELDS}


def mounts_node_folders(spec: JobSpec, settings: ServerSettings) -> bool:
    """Tell whether a job mounts folders of the node, all of which the settings allow."""
    folders = [volume.host_path for volume in spec.volumes if volume.host_path]
    return bool(folders) and all(is_allowed_folder(folder, settings.host_paths) for folder in folders)


def is_allowed_folder(path: str, listed: Iterable[str]) -> bool:
    """Tell whether a folder of the node is a listed one, or lies in one."""
    inside = any(f"{path}/".startswith(f"{folder.rstrip('/')}/") for folder in listed)
    return inside and ".." not in path.split("/")


class _Checks:
    """The checks of single values that depend on the server's settings and on the namespace."""

    def __init__(
        self, settings: ServerSettings, kubernetes: KubernetesSettings, namespace: str, *, shared: bool
    ) -> None:
        self.namespace = namespace
        self._settings = settings
        self._kubernetes = kubernetes
        suffix = settings.ingress_suffix.strip(".")
        self._suffix = "." + ".".join(filter(None, ("" if shared else namespace, suffix))) if suffix else ""

    def check_labels(self, value: Mapping[str, str]) -> str:
        refused = self.check_queue_priority(value.get(labels.QUEUE_PRIORITY, ""))
        return refused or self._check_prefixes(value, {labels.QUEUE, labels.QUEUE_PRIORITY})

    def check_queue_priority(self, name: str) -> str:
        listed = self._settings.queue_priorities
        if not name or name in listed:
            return ""
        return f"the queue priority {name}; there are: {', '.join(listed) or 'none'}"

    def check_tolerations(self, spec: JobSpec) -> str:
        """Check those that a person asks for: a taint may keep nodes for others."""
        listed = self._settings.tolerations
        alien = next((each.key for each in spec.tolerations if each.key not in listed), "")
        return f"to tolerate the taint {alien}; there are: {', '.join(listed) or 'none'}" if alien else ""

    def check_annotations(self, value: Mapping[str, str]) -> str:
        return self._check_prefixes(value, set())

    def check_ingress_annotations(self, value: Mapping[str, str]) -> str:
        return self._check_prefixes(value, set(self._kubernetes.ingress.annotations))

    def check_priority(self, name: str) -> str:
        listed = self._settings.priorities
        if name in listed:
            return ""
        return f"the priority class {name}; there are: {', '.join(listed) or 'none'}"

    def check_image(self, image: str) -> str:
        listed = self._settings.images
        return "" if is_allowed(image, listed) else f"the image {image}; they come from {', '.join(listed)}"

    def check_host_path(self, source: Mapping[str, str]) -> str:
        path = str(source.get("path", ""))
        return "" if is_allowed_folder(path, self._settings.host_paths) else f"the node's folder {path}"

    def host_check(self, job: JobSpec) -> Check:
        """Return the check of an Ingress' host: the job's own, or one below the suffix of the settings."""

        def check(host: str) -> str:
            own = networking.host(JobSpec(name=job.name), self.namespace, self._kubernetes)
            if host == own or (self._suffix and host.endswith(self._suffix)):
                return ""
            return f"a host ends with {self._suffix} here" if self._suffix else "hosts of one's own"

        return check

    def _check_prefixes(self, value: Mapping[str, str], names: set[str]) -> str:
        prefixes = _OUR_PREFIXES | {"", *self._settings.annotations}
        for key in value:
            if key not in names and key.rpartition("/")[0] not in prefixes:
                return f"{key}: names with this prefix"
        return ""
