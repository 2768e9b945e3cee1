"""Pods as a kubelet reports them, by the statuses of their containers."""

from typing import Any

AT = "2026-11-29T06:50:00Z"
END = "2026-11-29T06:51:00Z"
GPU = {"resources": {"limits": {"nvidia.com/gpu": "1", "memory": "64Gi"}}}


def running(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": {"running": {"startedAt": AT}}, **more}


def ended(name: str, code: int, reason: str = "", message: str = "") -> dict[str, Any]:
    end = {"exitCode": code, "reason": reason, "message": message, "startedAt": AT, "finishedAt": END}
    return {"name": name, "state": {"terminated": end}}


def waiting(name: str, reason: str, message: str = "", crashed: int | None = None) -> dict[str, Any]:
    last = {} if crashed is None else {"terminated": {"exitCode": crashed, "finishedAt": END}}
    restarts = 0 if crashed is None else 3
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": name, "state": state, "lastState": last, "restartCount": restarts}


def pod(*statuses: dict[str, Any], restart: str = "Never", **change: Any) -> dict[str, Any]:
    """A pod on gpu-1 with a container for each status; `init`, `ephemeral`: statuses of those kinds."""
    init, ephemeral = change.pop("init", ()), change.pop("ephemeral", ())
    sidecars = change.pop("sidecars", ())
    containers = [
        {"name": s["name"], "image": "img:1"} | (GPU if s["name"] == "main" else {}) for s in statuses
    ]
    inits = [
        {"name": s["name"], "image": "img:1"} | ({"restartPolicy": "Always"} if s["name"] in sidecars else {})
        for s in init
    ]
    spec = {
        "nodeName": "gpu-1",
        "restartPolicy": restart,
        "containers": containers,
        "initContainers": inits,
    }
    status = {
        "phase": change.pop("phase", "Running"),
        "containerStatuses": list(statuses),
        "initContainerStatuses": list(init),
        "ephemeralContainerStatuses": list(ephemeral),
        **change.pop("status", {}),
    }
    metadata = {"name": "p", "namespace": "n", "uid": "pod", "creationTimestamp": AT, **change}
    return {"metadata": metadata, "spec": spec, "status": status}
