"""deploy/kubernetes against a real API server: it is taken, and it allows what a server does and no more."""

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
import yaml

from backend_client.errors import BackendError, Forbidden, Invalid, Refused
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import Job, JobRef
from backend_client.models.secret import Secret
from backend_client.multi_user import Ownership
from backend_client.protocol import AccessReview, JobQuery, Scope, Verb
from tests.backend_client.kubernetes.support.specs import spec
from tests.deploy.support.manifests import FOLDER, HOME, apply, manifests, path_of, remove
from tests.support.wait import async_until

pytestmark = pytest.mark.api

Used = set[tuple[str, str]]
"""(verb, plural.group)."""
_PATH = re.compile(
    r"/apis?(?:/(?P<group>[a-z0-9.-]+\.k8s\.io|apps|batch))?/v\w+(?:/namespaces/[^/]+(?=/))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)
_QUEUES = ("localqueues", "clusterqueues")
SELDOM: Used = {
    ("get", "pods/log"),
    ("list", "pods.metrics.k8s.io"),
    *((verb, "workloads.kueue.x-k8s.io") for verb in ("list", "watch")),
    *((verb, f"{plural}.kueue.x-k8s.io") for verb in ("get", "list") for plural in _QUEUES),
    *(("list", f"{plural}.kueue.x-k8s.io") for plural in ("cohorts", "resourceflavors")),
    *((verb, "workloadpriorityclasses.kueue.x-k8s.io") for verb in ("get", "list")),
    *(("get", f"{plural}/pendingworkloads.visibility.kueue.x-k8s.io") for plural in _QUEUES),
    *(("delete", part) for part in ("secrets", "services", "ingresses.networking.k8s.io")),
}
"""What needs a pod that runs, needs Kueue, or is done by a garbage collector that was quicker."""
_EVERYBODY = {"selfsubjectreviews.authentication.k8s.io", "selfsubjectaccessreviews.authorization.k8s.io"}


def asked_for(method: str, path: str, query: dict[str, str]) -> tuple[str, str] | None:
    """What RBAC calls a request; None for what everybody may do."""
    found = _PATH.match(path)
    if not found:
        return None
    resource = f"{found['plural']}.{found['group']}" if found["group"] else found["plural"]
    if found["sub"]:
        resource += f"/{found['sub']}"
    reading = "get" if found["name"] else "watch" if "watch" in query else "list"
    verb = {"GET": reading, "POST": "create", "PATCH": "patch", "DELETE": "delete"}[method]
    return None if resource in _EVERYBODY else (verb, resource)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Used:
    """What the requests of all transports need, from now on."""
    seen: Used = set()
    request, stream = Transport.request, Transport.stream

    def record(transport, method, path, query):
        if transport.target.context == "server" and (one := asked_for(method, path, query or {})):
            seen.add(one)

    def recorded_request(self, method, path, *, query=None, **more):
        record(self, method, path, query)
        return request(self, method, path, query=query, **more)

    def recorded_stream(self, path, *, query=None, **more):
        record(self, "GET", path, query)
        return stream(self, path, query=query, **more)

    monkeypatch.setattr(Transport, "request", recorded_request)
    monkeypatch.setattr(Transport, "stream", recorded_stream)
    return seen


@pytest.fixture
async def backend(server: Target, transport: Transport) -> AsyncIterator[KubernetesBackend]:
    """The server's, before a person's namespace that it has just made."""
    target = msgspec.structs.replace(server, context="server")
    opened = KubernetesBackend(
        "server", KubernetesSettings(), namespace=f"td-{uuid.uuid4().hex[:8]}", target=target
    )
    yield opened
    await opened.aclose()
    await transport.request("DELETE", f"/api/v1/namespaces/{opened.namespace}", allow=(404,))


async def live_through(backend: KubernetesBackend, used: Used) -> None:
    """All that a server ever asks of a cluster."""
    stamp = Ownership("server-1", "alice")
    await backend.ensure_namespace(backend.namespace, stamp)
    with contextlib.suppress(Refused):
        await backend.ensure_namespace(backend.namespace, stamp, node_folders=True)
    mine = backend.for_user(stamp, lambda _: None)
    await mine.choices("volumes", namespace=backend.namespace)
    await backend.not_theirs(spec(volumes=["data:/data"]), backend.namespace, "alice")
    watch = asyncio.create_task(watched(backend))
    for kind in ("job", "deployment"):
        wanted = spec(name=f"a-{kind}", kind=kind, gpus=1, ports=[80], secrets=["TOKEN"], nodes=1)
        await mine.plan(wanted)
        made = await mine.create(wanted, key=kind, secrets={"TOKEN": Secret("s")})
        await looked_at(mine, made)
        await mine.resume((await mine.stop(made.ref)).ref)
        await removed(mine, made.ref)
    await async_until(
        lambda: {("watch", kind) for kind in ("pods", "jobs.batch", "deployments.apps")} <= used
    )
    await async_until(lambda: {("watch", kind) for kind in ("events", "ingresses.networking.k8s.io")} <= used)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch


async def watched(backend: KubernetesBackend) -> None:
    async with contextlib.aclosing(backend.watch([Scope()])) as batches:
        async for _ in batches:
            pass


async def looked_at(mine: KubernetesBackend, made: Job) -> None:
    assert (await mine.get(made.ref)).ref == made.ref
    assert made.ref in [job.ref for job in (await mine.list(JobQuery())).items]
    await mine.events(made.ref)
    await mine.capacity(Scope())
    assert made.ref in [one.ref for one in (await mine.list_created("server-1")).values()]
    asks = [AccessReview(verb, made.ref) for verb in (Verb.LOGS, Verb.STOP, Verb.RESUME, Verb.DELETE)]
    assert all(verdict.allowed for verdict in await mine.check_access(asks))


async def removed(mine: KubernetesBackend, ref: JobRef) -> None:
    """Accepted; where no controllers are, nothing ever takes the finalizers away."""
    async with contextlib.aclosing(mine.delete(ref)) as steps:
        async for step in steps:
            if "deleting" not in step.message:
                return


async def test_every_object_is_taken(transport: Transport, home: str):
    for manifest in [*manifests("account.yaml", home), *manifests("server.yaml", home)]:
        await apply(transport, manifest, dry=True)


async def test_the_pod_keeps_to_the_strictest_pod_security(transport: Transport, home: str):
    deployment = next(one for one in manifests("server.yaml", home) if one["kind"] == "Deployment")
    pod = {"apiVersion": "v1", "kind": "Pod", **deployment["spec"]["template"]}
    pod["metadata"] |= {"name": "pod", "namespace": home}
    await apply(transport, pod, dry=True)
    pod["spec"]["containers"][0]["securityContext"] = {}
    with pytest.raises(BackendError, match="PodSecurity"):
        await apply(transport, pod, dry=True)


def test_kustomize_names_all_files_and_the_image_of_the_dockerfile():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    wished_for = {"exec.yaml"}  # lets people into their jobs: nobody has it who did not ask for it
    every = {f.name for f in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == every - wished_for
    image = kustomization["images"][0]
    assert f"{image['name']}:{image['newTag']}" in (FOLDER / "server.yaml").read_text()
    assert f"-t {image['name']}:{image['newTag']}" in (FOLDER.parent / "server.Dockerfile").read_text()


async def test_its_rights_are_what_a_server_asks_for_and_no_more(backend: KubernetesBackend, used: Used):
    await live_through(backend, used)
    roles = [one for one in manifests("account.yaml", HOME) if one["kind"] == "ClusterRole"]
    rules = [rule for role in roles for rule in role["rules"]]
    allowed = {
        (verb, f"{resource}.{group}" if group else resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed - used <= SELDOM
    assert used <= allowed


async def test_beyond_its_rights_there_is_a_wall(server: Target, home: str, transport: Transport):
    theirs = Transport(server)

    async def post(path: str, name: str, **more: object) -> None:
        body = {"metadata": {"name": name, **more}, "spec": {"ports": [{"port": 80}]}}
        await theirs.request("POST", path, query={"dryRun": "All"}, body=json.dumps(body).encode())

    try:
        await refused(
            lambda: post(f"/api/v1/namespaces/{home}/services", "in-its-own"), "traindeck.dev/server"
        )
        await refused(lambda: post("/api/v1/namespaces/kube-system/services", "dns"), "traindeck.dev/server")
        await refused(lambda: post("/api/v1/namespaces", "kube-foo"), "td-")
        await refused(lambda: post("/api/v1/namespaces", "td-unsafe"), "PodSecurity")
        for path in ("/api/v1/secrets", f"/api/v1/namespaces/{home}/secrets", "/api/v1/nodes/real-1/proxy/"):
            with pytest.raises(Forbidden):
                await theirs.request("GET", path)
        with pytest.raises(Forbidden):
            await post("/apis/rbac.authorization.k8s.io/v1/clusterroles", "more")
    finally:
        await theirs.aclose()
    assert (await transport.request("GET", path_of(manifests("account.yaml", home)[0]))).status == 200


async def test_it_gets_into_pods_where_exec_yaml_is_applied_and_only_into_those_of_jobs(
    server: Target, home: str, transport: Transport
):
    theirs, jobs = Transport(server), f"td-{uuid.uuid4().hex[:8]}"
    namespace = {"metadata": {"name": jobs, "labels": {"traindeck.dev/server": "server-1"}}}
    await transport.request("POST", "/api/v1/namespaces", body=json.dumps(namespace).encode())

    async def enter(namespace: str, what: str) -> str:
        path = f"/api/v1/namespaces/{namespace}/pods/nobody/{what}"
        answer = await theirs.request("POST", path, allow=(400, 403, 404, 422))
        return f"{answer.status} {answer.body.decode()}"

    ways = ("exec?command=true&stdout=true", "portforward?ports=80")
    try:
        for way in ways:
            assert (await enter(jobs, way)).startswith("403")
        for manifest in manifests("exec.yaml", home):
            await apply(transport, manifest)
        for way in ways:
            await async_until(lambda way=way: _begins(enter(jobs, way), "404"))
            for place in ("kube-system", home):
                await async_until(
                    lambda way=way, place=place: _says(enter(place, way), "traindeck.dev/server")
                )
    finally:
        await theirs.aclose()
        for manifest in manifests("exec.yaml", home):
            await remove(transport, manifest)
        await transport.request("DELETE", f"/api/v1/namespaces/{jobs}")


async def _begins(answer: Awaitable[str], words: str) -> bool:
    return (await answer).startswith(words)


async def _says(answer: Awaitable[str], words: str) -> bool:
    return words in await answer


async def test_folders_of_nodes_need_the_word_of_the_clusters_admin(
    backend: KubernetesBackend, home: str, transport: Transport
):
    """`host_paths` is the server's admin's; that the cluster's pods may mount them, the cluster's."""
    stamp, place = Ownership("server-1", "alice"), backend.namespace
    await backend.ensure_namespace(place, stamp)

    def new() -> Awaitable[None]:
        return backend.ensure_namespace(f"td-{uuid.uuid4().hex[:8]}", stamp, node_folders=True)

    await refused(new, "account.yaml says how")
    with pytest.raises(Refused, match="folders of its nodes"):
        await backend.ensure_namespace(place, stamp, node_folders=True)
    policy = next(
        one for one in manifests("account.yaml", home) if one["kind"] == "ValidatingAdmissionPolicy"
    )
    for validation in policy["spec"]["validations"]:
        validation["expression"] = validation["expression"].replace(
            '"restricted"]', '"restricted", "privileged"]'
        )
    await apply(transport, policy)

    async def mounts() -> bool:
        try:
            await backend.ensure_namespace(place, stamp, node_folders=True)
        except Refused:
            return False
        plan = await backend.plan(spec(volumes=["/data:/data"], namespace=place, image="busybox"))
        return not plan.errors

    await async_until(mounts)


async def refused(write: Callable[[], object], words: str) -> None:
    """A policy is heeded a moment after it was made."""

    async def refusal() -> str:
        try:
            await write()
        except (Forbidden, Invalid, Refused) as error:
            return f"{error.title} {error.hint} {error.fields}"
        return ""

    assert words in await async_until(refusal, message=lambda: "it was allowed")
