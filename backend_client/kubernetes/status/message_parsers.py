"""Parsers of Kubernetes' prose messages: each gives one plain sentence (pure).

A parser returns "" for a message that it does not know; then the raw one is shown. The wordings are those of
Kubernetes 1.37, most of them recorded (tests/backend_client/kubernetes/support/recorded): of the scheduler's
FitError, of quota and PodSecurity admission, of the kubelet, containerd and registries.
"""

import re
from collections.abc import Mapping


def resource_label(name: str) -> str:
    """Return a resource in words: nvidia.com/gpu -> GPUs, requests.cpu -> CPU."""
    resource = re.sub(r"^(requests|limits)\.", "", name)
    if resource.endswith(("/gpu", "/gpu.shared")):
        return "GPUs"
    return {"cpu": "CPU", "ephemeral-storage": "disk"}.get(resource, resource)


# The scheduler

_NODES = re.compile(r"0/(\d{1,9}) nodes are available: (.*)", re.DOTALL)
_CLAUSE = re.compile(r"(\d{1,9}) (.+?)(?=, \d+ |\.(?:\s|$)|$)", re.DOTALL)
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_TAINT = re.compile(r"node\(s\) had untolerated taint(?:\(s\))? \{(.*)\}", re.DOTALL)
_FIXED = {
    "node(s) were unschedulable": "cordoned",
    "node(s) didn't match Pod's node affinity/selector": "not of the kind asked for",
    "node(s) had volume node affinity conflict": "too far from its volume",
    "node(s) didn't have free ports for the requested pod ports": "with the port in use",
    "Too many pods": "without room for more pods",
}


def unschedulable(message: str) -> str:
    """Parse the scheduler's message: "no node fits: of 36, 33 without free GPUs, 3 cordoned"."""
    if claim := _CLAIM.search(message):
        return f'the volume claim "{claim[1]}" does not exist'
    if "unbound immediate PersistentVolumeClaims" in message:
        return "its volume claim has no volume yet"
    if "no nodes available to schedule pods" in message:
        return "the cluster has no nodes"
    match = _NODES.search(message)
    if not match:
        return ""
    total, rest = match.groups()
    clauses = sorted(_CLAUSE.findall(rest.split(" preemption: ")[0]), key=lambda clause: -int(clause[0]))
    counted = ", ".join(_clause(*clause) for clause in clauses)
    return f"no node fits: of {total}, {counted}" if clauses else ""


def _clause(count: str, reason: str) -> str:
    if reason.startswith("Insufficient "):
        return f"{count} without free {resource_label(reason.removeprefix('Insufficient '))}"
    if taint := _TAINT.fullmatch(reason):
        return f"{count} with the taint {taint[1].replace(': ', '=').removesuffix('=')}"
    return f"{count} {_FIXED.get(reason, reason)}"


# What admission refuses

_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)")
_UNSTATED = re.compile(r"failed quota: (\S+): must specify (.+?)(?: for: |;|$)")
_SECURITY = re.compile(r'violates? PodSecurity "(\w+)[^"]*": (.*)', re.DOTALL)


def is_quota(message: str) -> bool:
    """Return whether a message says that a quota is full: the pod comes when there is room again."""
    return "exceeded quota:" in message


def refused(message: str) -> str:
    """Parse why admission refused a pod."""
    if quota := _QUOTA.search(message):
        name, *figures = quota.groups()
        return f"the quota {name} is full: " + _quota_usage(*map(_amounts, figures))
    if unstated := _UNSTATED.search(message):
        return f"the quota {unstated[1]} wants this to be stated: {unstated[2]}"
    if security := _SECURITY.search(message):
        return f"the namespace's PodSecurity ({security[1]}) forbids it: {security[2]}"
    return ""


def _amounts(text: str) -> dict[str, str]:
    return dict(item.partition("=")[::2] for item in text.split(","))


def _quota_usage(requested: Mapping[str, str], used: Mapping[str, str], limited: Mapping[str, str]) -> str:
    return ", ".join(
        f"{used.get(name, '?')} of {limited.get(name, '?')} {resource_label(name)} used, {amount} asked"
        for name, amount in requested.items()
    )


# Images. Texts of containerd and of registries, in their order: the surest first.

_PULL = (
    (r"no such host|i/o timeout|connection refused|handshake timeout",
     "the registry of {} cannot be reached"),
    (r"may require authorization", "{} does not exist, or needs a login (image_pull_secrets)"),
    (r"unauthorized|authentication required|access denied|403 Forbidden",
     "the registry gives {} only with a login (image_pull_secrets)"),
    (r"toomanyrequests|429 Too Many Requests", "the registry of {} has had too many requests from here"),
    (r"no match for platform", "{} is not made for this machine's processor"),
    (r"no space left on device", "the node has no disk left for {}"),
    (r"not found|manifest unknown", "{} does not exist in its registry"),
)  # fmt: skip


def image(reason: str, message: str, name: str) -> str:
    """Parse why an image cannot be pulled; `reason` is the container's."""
    image_label = f"the image {name}"
    if reason == "InvalidImageName":
        return f"{name} is not a name that an image can have"
    if reason == "ErrImageNeverPull":
        return f"{image_label} is not on the node, and may not be pulled"
    sentences = (sentence for pattern, sentence in _PULL if re.search(pattern, message))
    return next(sentences, f"{{}} cannot be pulled: {_escape_braces(message)}").format(image_label)


def _escape_braces(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# Containers

_MISSING = re.compile(r'(secret|configmap) "([^"]+)" not found')
_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) \S+/(\S+)")
_EXEC = re.compile(r'exec: "([^"]+)": (.+?)(?:: unknown)?$')
_ABSENT = ("executable file not found in $PATH", "no such file or directory")
_BACK_OFF = re.compile(r"back-off (?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)? restarting")


def container(message: str) -> str:
    """Parse why a container cannot be created or started."""
    if missing := _MISSING.search(message):
        return f'the {missing[1]} "{missing[2]}" does not exist'
    if key := _KEY.search(message):
        return f'the {key[2].lower()} "{key[3]}" has no key {key[1]}'
    if "runAsNonRoot and image will run as root" in message:
        return "the image runs as root, and the pod forbids root"
    if program := _EXEC.search(message):
        name, reason = program.groups()
        absent = any(phrase in reason for phrase in _ABSENT)
        return f"the image has no program {name}" if absent else f"{name} cannot be run: {reason}"
    return ""


def mount(message: str) -> str:
    """Parse why a volume cannot be mounted."""
    if claim := _CLAIM.search(message):
        return f'the volume claim "{claim[1]}" does not exist'
    if missing := _MISSING.search(message):
        return f'the {missing[1]} "{missing[2]}" does not exist'
    return ""


def back_off_seconds(message: str) -> int:
    """Parse the seconds from a container's end to its next start; 0 where the message does not say.

    Written by the kubelet: pkg/kubelet/kuberuntime/kuberuntime_manager.go, doBackOff.
    """
    match = _BACK_OFF.search(message)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return (hours * 60 + minutes) * 60 + seconds
