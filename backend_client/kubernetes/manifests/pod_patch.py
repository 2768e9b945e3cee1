"""Patches of a pod template, a site's and a person's, merged into what traindeck renders (pure).

Lists are merged by the keys that Kubernetes documents for a strategic merge (`patchMergeKey` in core/v1
types.go); other lists are replaced, and null takes a field away. Two things differ, so that a patch needs
not repeat what is there: tolerations are added, where Kubernetes replaces them, and items that are new stand
behind the others, where it puts them in front.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests import pod_models
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from backend_client.models.pod_patch import parse_pod

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
"""Field with a list -> the key by which its items are merged; no two lists of a pod share a name."""
_QUANTITIES = frozenset({"limits", "requests", "overhead"})
_QUANTITY = frozenset({"sizeLimit", "divisor"})
_OF_THE_POD = {
    "restartPolicy": "it follows from kind and retries",
    "subdomain": "ranks find each other by it",
    "hostname": "ranks find each other by it",
    "priorityClassName": "that is the field priority",
    "priority": "that is the field priority",
    "activeDeadlineSeconds": "that is the field max_runtime",
    "ephemeralContainers": "a pod gets them when it runs",
}
"""Field of a pod's spec that no patch sets -> why."""
_OF_THE_CONTAINER = {
    "image": "that is the field image",
    "command": "that is the field command",
    "args": "that is the field command",
    "workingDir": "that is the field workdir",
    "terminationMessagePolicy": "why a job failed is read by it",
}
"""Field of the container that runs the command -> why no patch sets it."""

_NOT_HERE = "it cannot be set here"
_NULL = "null would take away what traindeck sets"
_SITE = "the site's kubernetes.pod_template: "


def merge(below: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a manifest with a patch over it, as a strategic merge does."""
    merged = dict(below)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            under = merged.get(name)
            merged[name] = merge(under if isinstance(under, Mapping) else {}, value)
        elif isinstance(value, list) and name == "tolerations":
            there = merged.get(name) or []
            merged[name] = [*there, *(item for item in value if item not in there)]
        elif isinstance(value, list) and name in _MERGE_KEYS:
            merged[name] = _merge_items(merged.get(name) or [], value, _MERGE_KEYS[name])
        else:
            merged[name] = value
    return merged


def _merge_items(below: list[Any], patch: list[Any], key: str) -> list[Any]:
    """Merge the items of a list by their key; what has none is kept, for the check to name."""
    items = list(below)
    for item in patch:
        if not isinstance(item, Mapping):
            items.append(item)
            continue
        place = next((i for i, each in enumerate(items) if _same(each, item, key)), None)
        if place is None:
            items.append(merge({}, item))
        else:
            items[place] = merge(items[place], item)
    return items


def _same(one: object, other: Mapping[str, Any], key: str) -> bool:
    return isinstance(one, Mapping) and key in other and one.get(key) == other[key]


def patched(template: Mapping[str, Any], spec: JobSpec, site: KubernetesSettings) -> dict[str, Any]:
    """Return a rendered template with the site's patch and the job's own over it."""
    of_site = _without_variables(_with_quantities(site.pod_template), {*spec.env, *spec.secrets})
    return merge(merge(template, of_site), _with_quantities(spec.pod))


def _without_variables(patch: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Leave out the variables that a job sets itself: they weigh more than those of the site."""
    pod = patch.get("spec") or {}
    containers = [
        {**each, "env": [item for item in each["env"] if item.get("name") not in names]}
        if each.get("name") == labels.MAIN_CONTAINER and each.get("env")
        else each
        for each in pod.get("containers") or ()
    ]
    return {**patch, "spec": {**pod, "containers": containers}} if containers else patch


def _with_quantities(value: Any, *, amounts: bool = False) -> Any:
    """Return a patch with its quantities as text: Kubernetes takes numbers there too, the models do not."""
    if isinstance(value, Mapping):
        return {
            name: str(item)
            if (amounts or name in _QUANTITY) and isinstance(item, int | float) and not isinstance(item, bool)
            else _with_quantities(item, amounts=name in _QUANTITIES)
            for name, item in value.items()
        }
    return [_with_quantities(item) for item in value] if isinstance(value, list) else value


def errors(spec: JobSpec, site: KubernetesSettings, template: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with the patches of a job, each with its path: the site's first, then its own.

    `template`: as it is rendered without them.
    """
    alone = replace(spec, pod={})
    for whose, patch, upto in ((_SITE, site.pod_template, alone), ("", spec.pod, spec)):
        found = list(_errors(patch, template, upto, site)) if patch else []
        yield from (f"{whose}{sentence}" for sentence in found)
        if found:
            return


def _errors(
    patch: Mapping[str, Any], template: Mapping[str, Any], spec: JobSpec, site: KubernetesSettings
) -> Iterator[str]:
    try:
        parse_pod(patch)
    except ValueError as error:
        yield str(error)
        return
    taken = list(_taken(patch, template, spec, site))
    yield from taken or pod_models.errors(patched(template, spec, site))


def _taken(
    patch: Mapping[str, Any], template: Mapping[str, Any], spec: JobSpec, site: KubernetesSettings
) -> Iterator[str]:
    """Find what a patch may not set, as traindeck sets it and relies on it."""
    for part in ("labels", "annotations"):
        keys = (patch.get("metadata") or {}).get(part)
        for key in keys if isinstance(keys, Mapping) else ():
            if key.startswith(labels.PREFIX):
                yield f"metadata.{part}.{key}: keys under {labels.PREFIX} are traindeck's own"
    pod = patch.get("spec") or {}
    yield from (f"spec.{name}: {_NOT_HERE}; {_OF_THE_POD[name]}" for name in pod if name in _OF_THE_POD)
    affinity = pod.get("affinity", {})
    if template["spec"].get("affinity") and (affinity is None or "nodeAffinity" in affinity):
        yield f"spec.affinity.nodeAffinity: {_NOT_HERE}; gpu_type and node_names need it"
    if "volumes" in pod and pod["volumes"] is None:
        yield f"spec.volumes: {_NULL}"
    yield from _taken_of_containers(pod, template["spec"]["containers"][0], spec, site)


def _taken_of_containers(
    pod: Mapping[str, Any], ours: Mapping[str, Any], spec: JobSpec, site: KubernetesSettings
) -> Iterator[str]:
    if "containers" not in pod:
        return
    command = f"the container that runs the command is {labels.MAIN_CONTAINER}"
    if not isinstance(pod["containers"], list):
        yield f"spec.containers: write a list; {command}"
        return
    for index, container in enumerate(pod["containers"]):
        if not isinstance(container, Mapping) or not container.get("name"):
            yield f"spec.containers[{index}]: write a mapping with a name; {command}"
        elif container["name"] == labels.MAIN_CONTAINER:
            where = f"spec.containers[{labels.MAIN_CONTAINER}]"
            set_by_us = {variable["name"] for variable in ours.get("env", ())} - set(spec.env)
            yield from (f"{where}{words}" for words in _taken_of_main(container, site))
            yield from (f"{where}{words}" for words in _taken_variables(container, set_by_us))


def _taken_of_main(container: Mapping[str, Any], site: KubernetesSettings) -> Iterator[str]:
    for name in container:
        if name in _OF_THE_CONTAINER:
            yield f".{name}: {_NOT_HERE}; {_OF_THE_CONTAINER[name]}"
        elif container[name] is None and name in ("env", "resources", "volumeMounts", "ports"):
            yield f".{name}: {_NULL}"
    fields = {"cpu": "cpu", "memory": "memory", site.gpu_resource: "gpus"}
    resources = container.get("resources")
    limits = resources.get("limits") if isinstance(resources, Mapping) else None
    for name in limits if isinstance(limits, Mapping) else ():
        if name in fields:
            yield f".resources.limits.{name}: {_NOT_HERE}; that is the field {fields[name]}"


def _taken_variables(container: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    env = container.get("env")
    for variable in env if isinstance(env, list) else ():
        name = variable.get("name") if isinstance(variable, Mapping) else None
        if isinstance(name, str) and (name in names or name.startswith("TRAINDECK_")):
            yield f".env[{name[:80]}]: {_NOT_HERE}; traindeck sets it, or it is one of the field secrets"


def written_by_patches(spec: JobSpec, site: KubernetesSettings) -> dict[str, Any]:
    """Return both patches as one, to tell by the path of a fault whether it is theirs."""
    return merge(merge({}, site.pod_template), spec.pod)


def is_of_patch(path: str, patch: Mapping[str, Any]) -> bool:
    """Tell whether a path in a pod template, or in a pod, is one that a patch has written to."""
    steps = re.findall(r"[\w-]+|\[\d+\]", re.sub(r"^(spec\.template\.)", "", path))
    value: Any = patch
    for place, step in enumerate(steps):
        if isinstance(value, list):
            return steps[place - 1] != "containers" or step != "[0]" or _in_main(value, steps[place + 1 :])
        if not isinstance(value, Mapping) or step not in value:
            return place > 1 and not isinstance(value, Mapping)
        value = value[step]
    return len(steps) > 1


def _in_main(containers: list[Any], steps: Sequence[str]) -> bool:
    """Tell whether a patch writes to a field of the first container, which is the one of the command."""
    main: Mapping[str, Any] = next(
        (each for each in containers if each.get("name") == labels.MAIN_CONTAINER), {}
    )
    return bool(steps) and steps[0] in main
