"""What a job's objects may have in them, whoever wrote the body: an allow-list over the rendered manifests.

What is not named here is refused: no folder of the node but those that the settings name, no host network, no
privilege, no chosen node or account, no annotation that a controller would heed (facts/reliability.md 4.5).
The cluster's own admission comes after it, and may refuse more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from backend.jobs.images import is_allowed as image_allowed
from backend.settings import ServerSettings
from backend_client.errors import Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests import networking
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from backend_client.multi_user import ManifestCheck

Rule = Any
"""A mapping of the keys that may be there, a list of one rule for all items, a set of values, or a check."""
Check = Callable[[Any], str]
"""What speaks against a value, in words; "" where nothing does."""
Wrong = Iterator[tuple[str, str]]


def _name(manifests: Sequence[Mapping[str, Any]]) -> str:
    """The job's: one that was left empty has been chosen by now."""
    jobs = (one["metadata"]["name"] for one in manifests if one.get("kind") in ("Job", "Deployment"))
    return str(next(jobs, ""))


def anything(_: object) -> str:
    """For what can do no harm, or what the server itself writes."""
    return ""


_FIELDS = {
    "hostPath": "volumes",
    "priorityClassName": "priority",
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
        self, settings: ServerSettings, site: KubernetesSettings, namespace: str, *, shared: bool
    ) -> None:
        """`shared`: everybody's jobs are in this namespace."""
        self._settings = settings
        self._site = site
        suffix = settings.ingress_suffix.strip(".")
        self._suffix = "." + ".".join(filter(None, ("" if shared else namespace, suffix))) if suffix else ""
        self._namespace = namespace

    def of(self, spec: JobSpec) -> ManifestCheck:
        """The look at the objects of a job. It raises Refused, which names the fields."""

        def inspect(manifests: Sequence[Mapping[str, Any]]) -> None:
            named = replace(spec, name=_name(manifests) or spec.name)
            wrong = dict(found for manifest in manifests for found in self._wrong(manifest, named))
            if wrong:
                words = "; ".join(dict.fromkeys(wrong.values()))
                fields = {
                    _FIELDS[name]: why for path, why in wrong.items() if (name := _last(path)) in _FIELDS
                }
                raise Refused(
                    f"This server does not allow it: {words}", "Its admin can say more.", fields=fields
                )

        return inspect

    def _wrong(self, manifest: Mapping[str, Any], spec: JobSpec) -> Wrong:
        kind = manifest.get("kind")
        rules = self._rules(spec)
        if kind not in rules:
            yield "kind", f"an object of the kind {kind}"
        else:
            yield from check(manifest, rules[kind] | {"apiVersion": anything, "kind": anything}, str(kind))

    def _rules(self, spec: JobSpec) -> dict[str, dict[str, Rule]]:
        metadata = {
            "name": anything,
            "namespace": {self._namespace},
            "labels": self._labels,
            "annotations": self._annotations,
        }
        pods = {"metadata": metadata, "spec": self._pod(spec)}
        return {
            "Deployment": {"metadata": metadata, "spec": _DEPLOYMENT | {"template": pods}},
            "Job": {"metadata": metadata, "spec": _JOB | {"template": pods}},
            "Secret": {"metadata": metadata, "type": {"Opaque"}, "data": anything, "stringData": anything},
            "Service": {"metadata": metadata, "spec": _SERVICE},
            "Ingress": {
                "metadata": metadata | {"annotations": self._of_ingress},
                "spec": _INGRESS
                | {"tls": [{"hosts": anything, "secretName": anything}], "rules": [self._route(spec)]},
            },
        }

    def _pod(self, spec: JobSpec) -> dict[str, Rule]:
        return _POD | {
            "priorityClassName": self._priority,
            "containers": [_container(self._image, f"{spec.name}-secrets")],
            "volumes": [
                {
                    "name": anything,
                    "emptyDir": {"medium": {"Memory"}, "sizeLimit": anything},
                    "persistentVolumeClaim": {"claimName": anything, "readOnly": anything},
                    "hostPath": self._folder,
                }
            ],
        }

    def _route(self, spec: JobSpec) -> dict[str, Rule]:
        def host(name: str) -> str:
            own = networking.host(_without_host(spec), self._namespace, self._site)
            if name == own or (self._suffix and name.endswith(self._suffix)):
                return ""
            return f"a host ends with {self._suffix} here" if self._suffix else "hosts of one's own"

        path = {f"/{self._namespace}/{spec.name}", "/"}
        backend = {"service": {"name": {spec.name}, "port": {"number": anything}}}
        return {"host": host, "http": {"paths": [{"path": path, "pathType": {"Prefix"}, "backend": backend}]}}

    def _labels(self, found: Mapping[str, str]) -> str:
        return self._prefixed(found, {labels.QUEUE})

    def _annotations(self, found: Mapping[str, str]) -> str:
        return self._prefixed(found, set())

    def _of_ingress(self, found: Mapping[str, str]) -> str:
        return self._prefixed(found, set(self._site.ingress.annotations))

    def _prefixed(self, found: Mapping[str, str], known: set[str]) -> str:
        fine = _OUR_PREFIXES | {"", *self._settings.annotations}
        for key in found:
            if key not in known and key.rpartition("/")[0] not in fine:
                return f"{key}: names with this prefix"
        return ""

    def _priority(self, name: str) -> str:
        fine = self._settings.priorities
        return "" if name in fine else f"the priority class {name}; there are: {', '.join(fine) or 'none'}"

    def _image(self, image: str) -> str:
        fine = self._settings.images
        return "" if image_allowed(image, fine) else f"the image {image}; they come from {', '.join(fine)}"

    def _folder(self, found: Mapping[str, str]) -> str:
        path = str(found.get("path", ""))
        inside = any(f"{path}/".startswith(f"{folder.rstrip('/')}/") for folder in self._settings.host_paths)
        return "" if inside and ".." not in path.split("/") else f"the node's folder {path}"


_DEPLOYMENT = {"replicas": anything, "strategy": {"type": {"Recreate"}}, "selector": anything}
_JOB = dict.fromkeys(
    (
        "suspend",
        "backoffLimit",
        "podFailurePolicy",
        "activeDeadlineSeconds",
        "completionMode",
        "completions",
        "parallelism",
    ),
    anything,
)
_SERVICE = {
    "selector": anything,
    "clusterIP": {"None"},
    "publishNotReadyAddresses": anything,
    "ports": [dict.fromkeys(("name", "port", "targetPort", "protocol"), anything)],
}
_INGRESS = {"ingressClassName": anything}
_POD = {
    "restartPolicy": anything,
    "subdomain": anything,
    "automountServiceAccountToken": {False},
    "enableServiceLinks": {False},
    "securityContext": {
        "runAsNonRoot": anything,
        "runAsUser": anything,
        "seccompProfile": {"type": {"RuntimeDefault"}},
    },
    "imagePullSecrets": [{"name": anything}],
    "affinity": {"nodeAffinity": anything},
    "tolerations": [dict.fromkeys(("operator", "value", "effect"), anything) | {"key": anything}],
    "runtimeClassName": anything,
}
_NEEDED = {
    "automountServiceAccountToken",
    "allowPrivilegeEscalation",
    "capabilities",
    "seccompProfile",
    "securityContext",
}
"""What must not be left out: its absence allows more."""


def _container(image: Check, secret: str) -> dict[str, Rule]:
    source = {
        "secretKeyRef": {"name": {secret}, "key": anything},
        "fieldRef": {"fieldPath": {f"metadata.annotations['{labels.INDEX}']"}},
    }
    free = ("name", "command", "workingDir", "resources", "volumeMounts", "terminationMessagePolicy")
    return dict.fromkeys(free, anything) | {
        "image": image,
        "env": [{"name": anything, "value": anything, "valueFrom": source}],
        "ports": [{"containerPort": anything, "protocol": anything}],
        "securityContext": {"allowPrivilegeEscalation": {False}, "capabilities": {"drop": [{"ALL"}]}},
    }


def check(value: object, rule: Rule, path: str) -> Wrong:
    """(path, words) of all that the rule does not allow."""
    if isinstance(rule, dict):
        yield from _mapping(value, rule, path)
    elif isinstance(rule, list):
        for item in value if isinstance(value, list) else (None,):
            yield from check(item, rule[0], path)
    elif isinstance(rule, set | frozenset):
        if value not in rule:
            yield path, f"{path}: {value!r:.80}"
    elif words := rule(value):
        yield path, words


def _mapping(value: object, rule: Mapping[str, Rule], path: str) -> Wrong:
    if not isinstance(value, Mapping):
        yield path, f"{path}: {value!r:.80}"
        return
    for key, part in value.items():
        where = f"{path}.{key}"
        if key in rule:
            yield from check(part, rule[key], where)
        else:
            yield where, where
    for key in (rule.keys() & _NEEDED) - value.keys():
        yield f"{path}.{key}", f"{path} without {key}"


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _without_host(spec: JobSpec) -> JobSpec:
    """As it would be were the host left to the server."""
    return JobSpec(name=spec.name)
