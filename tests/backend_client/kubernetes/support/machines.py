"""Nodes and the pods on them, as short as the tests of fits and offers need them."""

from typing import Any

import msgspec

from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.scheduling import PlacedPod

GPU = "nvidia.com/gpu"


def node(name: str = "n", labels: dict[str, str] | None = None, **more: Any) -> Node:
    """A node of 8 GPUs, 96 CPUs and 1 TiB; `taints` as (key, value, effect); `ready`, `cordoned`, `has`."""
    taints = [dict(zip(("key", "value", "effect"), taint, strict=True)) for taint in more.get("taints", ())]
    allocatable = {"cpu": "96", "memory": "1Ti", "pods": "110", GPU: "8", **more.get("has", {})}
    ready = {"type": "Ready", "status": "True" if more.get("ready", True) else "Unknown"}
    raw = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": taints, "unschedulable": more.get("cordoned", False)},
        "status": {"allocatable": allocatable, "conditions": [ready]},
    }
    return msgspec.convert(raw, Node)


def gpu_node(name: str, product: str, **more: Any) -> Node:
    """A node that names its GPUs."""
    return node(name, {"nvidia.com/gpu.product": product}, **more)


def container(ports: Any = None, **limits: str) -> dict[str, Any]:
    """A container with limits; `gpu` is short for the resource."""
    return {
        "resources": {"limits": {GPU if key == "gpu" else key: value for key, value in limits.items()}},
        "ports": ports or [],
    }


def placed(name: str, on: str, phase: str = "Running", **spec: Any) -> PlacedPod:
    """A pod on a node that holds `limits`; its uid is its name."""
    limits = spec.pop("limits", {})
    ports = spec.pop("ports", None)
    nominated = spec.pop("nominated", "")
    raw = {
        "metadata": {"name": name, "namespace": "ns", "uid": name},
        "spec": {"nodeName": on, "containers": [container(ports, **limits)], **spec},
        "status": {"phase": phase, "nominatedNodeName": nominated},
    }
    return msgspec.convert(raw, PlacedPod)
