"""A real API server, registered at a server as an admin does it."""

import base64
from pathlib import Path

import yaml

from tests.backend.support.people import enter


def wanted(cluster, name="test", **more):
    """Return the body of POST /api/clusters for the cluster of the tests, with its admin's login."""
    path = Path(cluster.kubeconfig)
    config = yaml.safe_load(path.read_text())
    context = next(c["context"] for c in config["contexts"] if c["name"] == config["current-context"])
    place = next(c["cluster"] for c in config["clusters"] if c["name"] == context["cluster"])
    user = next(u["user"] for u in config["users"] if u["name"] == context["user"])
    if "certificate-authority-data" in place:
        ca = base64.b64decode(place["certificate-authority-data"]).decode()
    else:
        ca = (path.parent / place["certificate-authority"]).read_text()
    return {"name": name, "server": place["server"], "ca": ca, "token": user["token"], **more}


async def register(app, cluster, **more):
    """Register it, as root."""
    root = await enter(app, "root", "admin")
    await root.ask("POST", "/clusters", 201, json=wanted(cluster, **more))
