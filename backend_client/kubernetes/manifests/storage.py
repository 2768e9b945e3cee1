"""What a job mounts: memory, claims, folders of the node, and its own folder for outputs (pure)."""

from collections.abc import Iterator
from typing import Any

from backend_client.models import JobSpec
from backend_client.models.outputs import Outputs, split_claim, split_outputs

SHM = "/dev/shm"  # noqa: S108  a mount path in a container


def claims_of(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Yield (field, claim) of all claims that a job mounts."""
    for volume in spec.volumes:
        if volume.claim:
            yield "volumes", volume.claim
    if spec.outputs:
        yield "outputs", split_claim(split_outputs(spec.outputs)[0])[0]


def volumes(spec: JobSpec, outputs: Outputs | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (volumes, mounts): one volume for each source, however often it is mounted."""
    sources: dict[str, dict[str, Any]] = {}
    mounts: list[dict[str, Any]] = []
    if spec.shm_size:
        sources["shm"] = {"emptyDir": {"medium": "Memory", "sizeLimit": spec.shm_size}}
        mounts.append({"name": "shm", "mountPath": SHM})
    names: dict[tuple[str, str], str] = {}

    def source(claim: str, host_path: str = "") -> str:
        name = names.setdefault((claim, host_path), f"volume-{len(names)}")
        of_claim = {"persistentVolumeClaim": {"claimName": claim}}
        sources[name] = of_claim if claim else {"hostPath": {"path": host_path}}
        return name

    for volume in spec.volumes:
        mount = {"name": source(volume.claim, volume.host_path), "mountPath": volume.path}
        mount |= {"subPath": volume.sub_path} if volume.sub_path else {}
        mounts.append(mount | ({"readOnly": True} if volume.read_only else {}))
    if outputs:  # a folder that is missing is made by the kubelet, with the mode of the claim's root
        own = {"name": source(outputs.claim), "mountPath": outputs.path, "subPath": outputs.sub_path}
        mounts.append(own)
    return [{"name": name, **body} for name, body in sources.items()], mounts
