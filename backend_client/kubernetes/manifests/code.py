"""One's own code in the pods of a job: Secrets with its parts, an init container that unpacks them (pure).

A Secret holds a MiB at most, so the archive is cut. The parts come as one volume, and every pod of the job,
whenever it starts, unpacks them with what its image has: sh, cat, tar, gzip.
"""

import base64
import copy
import posixpath
from typing import Any

from backend_client.kubernetes import labels
from backend_client.models import JobSpec

FOLDER = "/code"
"""Where the code lies, and the command starts."""
_PARTS_FOLDER = "/traindeck/code"
_PARTS, _UNPACKED = "code-parts", "code"
"""The volumes."""
_PART_BYTES = 1_000_000
_KEY = "part"
UNPACK = ("sh", "-c", f"cat {_PARTS_FOLDER}/p* | tar -xzo -f - -C {FOLDER}")
"""With -o a tar run by root keeps itself as the owner."""


def part_names(spec: JobSpec, size: int) -> list[str]:
    """Name the Secrets with the parts of a job's code."""
    return [f"{spec.name}-code-{index}" for index in range(-(-size // _PART_BYTES))]


def part_manifests(spec: JobSpec, size: int, data: bytes | None) -> list[dict[str, Any]]:
    """Render the Secrets with the parts of a job's code; without `data`, for a plan, dots in their place."""
    parts = []
    for index, name in enumerate(part_names(spec, size)):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque"}
        if data is None:
            parts.append({**secret, "immutable": True, "stringData": {_KEY: "•••"}})
        else:
            part = data[index * _PART_BYTES : (index + 1) * _PART_BYTES]
            encoded = base64.b64encode(part).decode()
            parts.append({**secret, "immutable": True, "data": {_KEY: encoded}})
    return parts


def part_of(secret: dict[str, Any]) -> bytes:
    """Return the part of a code that a Secret holds. Raises ValueError."""
    return base64.b64decode((secret.get("data") or {}).get(_KEY, ""))


def volumes(spec: JobSpec, size: int) -> list[dict[str, Any]]:
    """Render the volumes of a job's code: its parts, and where they are unpacked."""
    sources = [
        {"secret": {"name": name, "items": [{"key": _KEY, "path": f"p{index:03}"}]}}
        for index, name in enumerate(part_names(spec, size))
    ]
    return [{"name": _PARTS, "projected": {"sources": sources}}, {"name": _UNPACKED, "emptyDir": {}}]


def mount() -> dict[str, Any]:
    """Render the mount of the unpacked code."""
    return {"name": _UNPACKED, "mountPath": FOLDER}


def workdir(spec: JobSpec) -> str:
    """Return where the command of a job with code starts: a relative folder is one of the code's."""
    return posixpath.normpath(posixpath.join(FOLDER, spec.workdir))


def init_container(main: dict[str, Any], gpu_resource: str) -> dict[str, Any]:
    """Render the init container that unpacks the code, of what the job's own container is.

    Same image, user and limits, so that it needs nothing more; but no GPUs. What it is limited to costs
    nothing, as the larger of the two counts, and a namespace with a quota demands it.
    """
    limits = dict(main.get("resources", {}).get("limits", {}))
    limits.pop(gpu_resource, None)
    return {
        "name": labels.CODE_CONTAINER,
        "image": main["image"],
        "command": [*UNPACK],
        **({"resources": {"limits": limits}} if limits else {}),
        "volumeMounts": [mount(), {"name": _PARTS, "mountPath": _PARTS_FOLDER, "readOnly": True}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": copy.deepcopy(main["securityContext"]),
    }


def parts_of(root: dict[str, Any]) -> list[str]:
    """Return the names of the Secrets that a root object's pods unpack; none where they unpack none."""
    template = root["spec"].get("template") or {}
    for volume in template.get("spec", {}).get("volumes") or ():
        if volume["name"] == _PARTS and "projected" in volume:
            return [source["secret"]["name"] for source in volume["projected"]["sources"]]
    return []
