"""Pages of the clusters: how they are; for admins, add one and take one away."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from backend.auth.caller import Caller
from backend.authorization import Action, may
from backend.clusters.pasted_kubeconfig import registration_from
from backend.clusters.registry import kept_because
from backend.error_responses import status_of
from backend.jobs.cluster_changes import add_cluster, remove_cluster
from backend.jobs.cluster_reading import measured_clusters
from backend.routes.deps import CanManageClusters, CanSee, RuntimeDep
from backend.runtime import Runtime
from backend.web.deps import SiteDep
from backend.web.forms import Form, read_form
from backend.web.rendering import Site
from backend_client.errors import BackendError, Invalid
from backend_client.text.clusters import gpu_use_source

_DONE = {
    "added": "The cluster is added.",
    "removed": "The cluster is removed; what runs there goes on.",
}
"""`?done=` -> what has just been done, as a sentence."""
_REQUIRED = ("name", "kubeconfig")
router = APIRouter(include_in_schema=False)


def cluster_path(name: str, part: str) -> str:
    """Return the path of a part of a cluster's page."""
    return f"/clusters/{quote(name, '')}/{part}"


@router.get("/clusters")
async def clusters(
    request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, done: str = ""
) -> Response:
    """Show all clusters, and for admins the form of another one."""
    return await _page(request, runtime, caller, site, done=_DONE.get(done, ""))


@router.post("/clusters")
async def add(request: Request, runtime: RuntimeDep, admin: CanManageClusters, site: SiteDep) -> Response:
    """Add a cluster, or give one a new login; it must answer."""
    form = await read_form(request)
    try:
        await _add(runtime, admin, form)
    except BackendError as error:
        return await _page(request, runtime, admin, site, typed=form, error=error)
    return site.redirect("/clusters", done="added")


@router.get("/clusters/{name}/remove")
async def ask_remove(name: str, request: Request, admin: CanManageClusters, site: SiteDep) -> Response:
    """Ask before a cluster is removed."""
    return site.page(
        request,
        "question.html",
        caller=admin,
        question=f"Remove the cluster {name}?",
        detail=["The server forgets its login. What runs there goes on."],
        action=site.url(cluster_path(name, "remove")),
        hidden=[],
        back=site.url("/clusters"),
        yes="Remove",
    )


@router.post("/clusters/{name}/remove")
async def remove(name: str, runtime: RuntimeDep, admin: CanManageClusters, site: SiteDep) -> Response:
    """Forget a cluster in which no jobs are."""
    await remove_cluster(runtime.jobs, admin, name)
    return site.redirect("/clusters", done="removed")


async def _add(runtime: Runtime, admin: Caller, form: Form) -> None:
    if missing := {field: "is missing" for field in _REQUIRED if not form.text(field).strip()}:
        raise Invalid(missing)
    registration = await asyncio.to_thread(
        registration_from,
        form.text("kubeconfig"),
        name=form.text("name").strip(),
        context=form.text("context").strip(),
        token=form.text("token").strip(),
        namespace=form.text("namespace").strip(),
    )
    await add_cluster(runtime.jobs, admin, registration)


async def _page(
    request: Request,
    runtime: Runtime,
    caller: Caller,
    site: Site,
    *,
    typed: Mapping[str, str] | None = None,
    error: BackendError | None = None,
    **context: Any,
) -> Response:
    """Render the page. `typed`: what the form held; the template takes the fields that are no secrets."""
    found = await measured_clusters(runtime.jobs, usage=True)
    return site.page(
        request,
        "clusters.html",
        caller=caller,
        status=status_of(error) if error else 200,
        clusters=found.items,
        source=gpu_use_source,
        path=cluster_path,
        kept_because=kept_because,
        manages=may(caller, Action.CLUSTERS).allowed,
        typed=typed or {},
        error=error,
        **{"done": "", **context},
    )
