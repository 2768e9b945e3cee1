"""Parsers of Kubernetes' prose messages: each gives one plain sentence (pure).

A parser returns None for a message that it does not know; then the raw one is shown. The wordings are those
of Kubernetes 1.37, most of them recorded (tests/backend_client/kubernetes/support/recorded): of quota and
PodSecurity admission, of the kubelet, containerd and registries. The scheduler's: `scheduler_message`.
"""

import re
from collections.abc import Mapping

from backend_client.kubernetes.status.cause import cause
from backend_client.why import Cause


def resource_label(name: str) -> str:
    """Return a resource in words: nvidia.com/gpu -> GPUs, requests.cpu -> CPU."""
    resource = re.sub(r"^(requests|limits)\.", "", name)
    if resource.endswith(("/gpu", "/gpu.shared")):
        return "GPUs"
    return {"cpu": "CPU", "ephemeral-storage": "disk"}.get(resource, resource)


# Nodes

_ROOM = re.compile(r"resource: \S+, requested: (\d{1,20}), used: (\d{1,20}), capacity: (\d{1,20})")


def node_room(message: str) -> str:
    """Parse how full a node was: "8 of 8 used, 1 asked" (pkg/kubelet/lifecycle/predicate.go)."""
    match = _ROOM.search(message)
    return f"{match[2]} of {match[3]} used, {match[1]} asked" if match else ""


# What admission refuses

_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
_UNSTATED = re.compile(r"failed quota: (\S+): must specify (.+?)(?: for: |;|$)")
_SECURITY = re.compile(r'violates? PodSecurity "(\w+)[^"]*": (.*)', re.DOTALL)
_RANGE = re.compile(r"((?:maximum|minimum) \S+ usage per \w+ is [^,\]]+(?:, but \w+ is [^,.\]]+)?)")
_POLICY = re.compile(
    r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)", re.DOTALL
)
_WEBHOOK_DENIES = re.compile(r'admission webhook "([^"]+)" denied the request: (.*)', re.DOTALL)
_WEBHOOK_FAILS = re.compile(r'failed calling webhook "([^"]+)"')
_ABSENT_KINDS = (
    ("admission.service-account", r'serviceaccount "([^"]+)" not found', "service account"),
    ("admission.priority-class", r"no PriorityClass with name (\S+) was found", "priority class"),
    ("admission.runtime-class", r'RuntimeClass "([^"]+)" not found', "runtime class"),
)
"""Id, pattern in the message and kind in words, of what a pod names and is not there."""


def is_quota(message: str) -> bool:
    """Return whether a message says that a quota is full: the pod comes when there is room again."""
    return "exceeded quota:" in message


def refused(message: str) -> Cause | None:
    """Parse why admission refused a pod."""
    if quota := _QUOTA.search(message):
        name, *figures = quota.groups()
        sentence = f"the quota {name} is full: " + _quota_usage(*map(_amounts, figures))
        return cause("admission.quota", sentence, f"resourcequota/{name}", raw=message)
    if unstated := _UNSTATED.search(message):
        sentence = f"the quota {unstated[1]} wants this to be stated: {unstated[2]}"
        return cause("admission.unstated", sentence, f"resourcequota/{unstated[1]}", raw=message)
    if security := _SECURITY.search(message):
        sentence = f"the namespace's PodSecurity ({security[1]}) forbids it: {security[2]}"
        return cause("admission.pod-security", sentence, raw=message)
    return _refused_by_rule(message) or _refused_for_lack(message)


def _refused_by_rule(message: str) -> Cause | None:
    """Parse a refusal by rules of the cluster's administrators."""
    if webhook := _WEBHOOK_DENIES.search(message):
        return cause("admission.webhook", f"the webhook {webhook[1]} forbids it: {webhook[2]}", raw=message)
    if webhook := _WEBHOOK_FAILS.search(message):
        sentence = f"the webhook {webhook[1]}, which every such pod must pass, does not answer"
        return cause("admission.webhook-down", sentence, raw=message)
    if policy := _POLICY.search(message):
        about = f"validatingadmissionpolicy/{policy[1]}"
        return cause(
            "admission.policy", f"the policy {policy[1]} forbids it: {policy[2]}", about, raw=message
        )
    if bound := _RANGE.search(message):
        return cause("admission.limits", f"the namespace's LimitRange forbids it: {bound[1]}", raw=message)
    return None


def _refused_for_lack(message: str) -> Cause | None:
    """Parse a refusal of a pod that names a class or an account which is not there."""
    for id_, pattern, kind in _ABSENT_KINDS:
        if found := re.search(pattern, message):
            of = f"{kind.replace(' ', '')}/{found[1]}"
            return cause(id_, f'the {kind} "{found[1]}" does not exist', of, raw=message)
    return None


def _amounts(text: str) -> dict[str, str]:
    return dict(item.partition("=")[::2] for item in text.split(","))


def _quota_usage(requested: Mapping[str, str], used: Mapping[str, str], limited: Mapping[str, str]) -> str:
    return ", ".join(
        f"{used.get(name, '?')} of {limited.get(name, '?')} {resource_label(name)} used, {amount} asked"
        for name, amount in requested.items()
    )


# Images. Texts of containerd and of registries, in their order: the surest first.

_PULL = (
    ("image.registry-down", r"no such host|i/o timeout|connection refused|handshake timeout",
     "the registry of {} cannot be reached"),
    ("image.missing-or-login", r"may require authorization",
     "{} does not exist, or needs a login (image_pull_secrets)"),
    ("image.login", r"[Uu]nauthorized|authentication required|access denied|403 Forbidden",
     "the registry gives {} only with a login (image_pull_secrets)"),
    ("image.too-many-requests", r"toomanyrequests|429 Too Many Requests",
     "the registry of {} has had too many requests from here"),
    ("image.platform", r"no match for platform", "{} is not made for this machine's processor"),
    ("image.disk", r"no space left on device", "the node has no disk left for {}"),
    ("image.missing", r"not found|manifest unknown", "{} does not exist in its registry"),
    ("image.other", r"", "{} cannot be pulled: "),
)  # fmt: skip
"""Id, pattern in the message, sentence; the last one has the message at its end."""


def image(reason: str, message: str, name: str) -> Cause:
    """Parse why an image cannot be pulled; `reason` is the container's."""
    label = f"the image {name}"
    if reason == "InvalidImageName":
        return cause("image.name", f"{name} is not a name that an image can have", raw=message)
    if reason == "ErrImageNeverPull":
        return cause("image.never-pull", f"{label} is not on the node, and may not be pulled", raw=message)
    if reason == "SignatureValidationFailed":
        return cause("image.unsigned", f"{label} is not signed as the node wants it: {message}", raw=message)
    if reason == "ImageInspectError":
        return cause("image.broken", f"{label} on the node is broken: {message}", raw=message)
    if reason == "RegistryUnavailable":
        return cause("image.registry-down", f"the registry of {label} cannot be reached", raw=message)
    id_, _, sentence = next(row for row in _PULL if re.search(row[1], message))
    return cause(id_, sentence.replace("{}", label) + message * (id_ == "image.other"), raw=message or reason)


_PULL_SECRETS = re.compile(r"Unable to retrieve some image pull secrets \(([^),]+)")


def pull_secret(message: str) -> Cause | None:
    """Parse which pull secret of a pod is not there: the first, where there are several."""
    missing = _PULL_SECRETS.search(message)
    if missing is None:
        return None
    words = f'the pull secret "{missing[1]}" does not exist'
    return cause("image.pull-secret", words, f"secret/{missing[1]}", raw=message)


# Containers

_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found')
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) \S+/(\S+)")
_EXEC = re.compile(r'exec: "([^"]+)": (.+?)(?:: unknown)?$')
_ABSENT = ("executable file not found in $PATH", "no such file or directory")
_FOLDER = re.compile(r"hostPath type check failed[:,] (\S+) is not an? ([\w ]+)")
_HANDLER = re.compile(r'no runtime for "([^"]+)" is configured')
_BACK_OFF = re.compile(r"back-off (?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)? restarting")


def container(message: str) -> Cause | None:
    """Parse why a container cannot be created or started."""
    if missing := _missing(message):
        return missing
    if key := _KEY.search(message):
        kind = key[2].lower()
        sentence = f'the {kind} "{key[3]}" has no key {key[1]}'
        return cause("config.key", sentence, f"{kind}/{key[3]}", raw=message)
    if "runAsNonRoot and image will run as root" in message:
        return cause("container.root", "the image runs as root, and the pod forbids root", raw=message)
    if program := _EXEC.search(message):
        name, reason = program.groups()
        if any(phrase in reason for phrase in _ABSENT):
            return cause("container.no-program", f"the image has no program {name}", raw=message)
        return cause("container.not-a-program", f"{name} cannot be run: {reason}", raw=message)
    return None


def mount(message: str) -> Cause | None:
    """Parse why a volume or the sandbox of a pod cannot be made ready."""
    if claim := _CLAIM.search(message):
        about = f"persistentvolumeclaim/{claim[1]}"
        return cause("volume.claim", f'the volume claim "{claim[1]}" does not exist', about, raw=message)
    if folder := _FOLDER.search(message):
        return cause("volume.folder", f"{folder[1]} is no {folder[2]} of its node", raw=message)
    if handler := _HANDLER.search(message):
        return cause("sandbox.runtime", f"its node has no container runtime {handler[1]}", raw=message)
    return _missing(message)


def _missing(message: str) -> Cause | None:
    """Parse that a Secret or a ConfigMap is not there."""
    if missing := _MISSING.search(message):
        kind, name = missing.groups()
        id_ = "config.secret" if kind == "secret" else "config.configmap"
        return cause(id_, f'the {kind} "{name}" does not exist', f"{kind}/{name}", raw=message)
    return None


def back_off_seconds(message: str) -> int:
    """Parse the seconds from a container's end to its next start; 0 where the message does not say.

    Written by the kubelet: pkg/kubelet/kuberuntime/kuberuntime_manager.go, doBackOff.
    """
    match = _BACK_OFF.search(message)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return (hours * 60 + minutes) * 60 + seconds
