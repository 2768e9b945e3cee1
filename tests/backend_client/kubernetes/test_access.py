"""What each of several people may do, by real RBAC: verdicts that hold, and refusals in words."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend_client.errors import Forbidden
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import Job, JobRef
from backend_client.models.secret import Secret
from backend_client.protocol import (
    AccessReview,
    Freshness,
    FreshnessState,
    JobQuery,
    LogQuery,
    Scope,
    Snapshot,
    Synced,
    Verb,
)
from tests.backend_client.kubernetes.conftest import Cluster, need_controllers
from tests.backend_client.kubernetes.support.live import Live, Manifest, eventually, path_of
from tests.backend_client.kubernetes.support.specs import spec
from tests.backend_client.kubernetes.support.writing import there

pytestmark = pytest.mark.controllers
RBAC = "rbac.authorization.k8s.io"
Open = Callable[..., KubernetesBackend]


class Lab:
    """A control plane with three namespaces: home, annex, and one that no context names."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.live = Live(kubeconfig)
        self.home, self.annex, self.unnamed = (self._namespace() for _ in range(3))
        self.kubeconfig = folder / "kubeconfig"
        self._people = json.loads(kubeconfig.read_text())
        self._people["clusters"][0]["cluster"]["certificate-authority"] = str(
            kubeconfig.parent / "server.crt"
        )
        admin = next(user["user"] for user in self._people["users"] if user["name"] == "admin")
        self._people["users"].append({"name": "half", "user": admin | {"as": "half"}})
        home = self._people["contexts"][0]["context"]["cluster"]
        people = [user["name"] for user in self._people["users"]]
        self._people["contexts"] = [
            {"name": name + more, "context": {"cluster": home, "user": name, "namespace": place}}
            for name in people
            for more, place in (("", self.home), ("-annex", self.annex))
        ]
        self.kubeconfig.write_text(json.dumps(self._people))

    def _namespace(self) -> str:
        name = f"rbac-{uuid.uuid4().hex[:8]}"
        self.live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def grant(self, user: str, role: str, namespace: str = "", kind: str = "ClusterRole") -> None:
        """Returns when the API server has heard of it."""
        place = namespace or self.home
        reference = {"apiGroup": RBAC, "kind": kind, "name": role}
        body = {"metadata": {"generateName": "b-"}, "roleRef": reference}
        body["subjects"] = [{"apiGroup": RBAC, "kind": "User", "name": user}]
        assert self.live.call("POST", path_of(f"{RBAC}/v1", "rolebindings", place), body)[0] == 201
        attributes = {"verb": "list", "resource": "pods", "namespace": place}
        review = {"spec": {"user": user, "resourceAttributes": attributes}}
        ask = lambda: self.live.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)  # noqa: E731  short
        assert eventually(ask, lambda told: told[1]["status"]["allowed"])[1]["status"]["allowed"]

    def half(self, **kinds: str) -> None:
        """Give the user `half` the right to some verbs on some kinds."""
        groups = {"jobs": "batch", "deployments": "apps"}
        rules = [
            {
                "apiGroups": [groups.get(kind, "")],
                "resources": [kind.replace("_", "/")],
                "verbs": verbs.split(),
            }
            for kind, verbs in kinds.items()
        ]
        path = path_of(f"{RBAC}/v1", "roles", self.home)
        assert self.live.call("POST", path, {"metadata": {"name": "half"}, "rules": rules})[0] == 201
        self.grant("half", "half", kind="Role")

    def close(self) -> None:
        for name in (self.home, self.annex, self.unnamed):
            self.live.call("DELETE", path_of("v1", "namespaces", name=name))


@pytest.fixture
def lab(own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    need_controllers(own_cluster)
    made = Lab(own_cluster.kubeconfig, tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    yield made
    made.close()


@pytest.fixture
async def opened(lab: Lab) -> AsyncIterator[Open]:
    """opened(person, namespace="") -> their backend; the namespace is home."""
    async with contextlib.AsyncExitStack() as stack:

        def make(person: str, namespace: str = "") -> KubernetesBackend:
            found = KubernetesBackend(person, KubernetesSettings(), namespace=namespace or lab.home)
            stack.push_async_callback(found.aclose)
            return found

        yield make


async def drained(batches: AsyncIterator[Any]) -> None:
    async for _ in batches:
        pass


async def looked(backend: KubernetesBackend, namespace: str = "") -> tuple[set[str], Freshness]:
    """What a watch tells until its list is whole, and its link."""
    names: set[str] = set()
    link, synced = None, False
    async with asyncio.timeout(60), contextlib.aclosing(backend.watch([Scope(namespace)])) as batches:
        async for batch in batches:
            for event in batch:
                if isinstance(event, Snapshot):
                    names |= {job.name for job in event.jobs}
                link = event if isinstance(event, Freshness) else link
                synced = synced or isinstance(event, Synced)
            if link and synced:
                return names, link
    raise AssertionError


ACTS: dict[Verb, Callable[[KubernetesBackend, JobRef], Any]] = {
    Verb.CREATE: lambda backend, _: backend.create(spec(name="new"), key="new", secrets={}),
    Verb.STOP: lambda backend, ref: backend.stop(ref),
    Verb.RESUME: lambda backend, ref: backend.resume(ref),
    Verb.LOGS: lambda backend, ref: drained(backend.logs(LogQuery(ref=ref))),
    Verb.DELETE: lambda backend, ref: drained(backend.delete(ref, wait=False)),
}
LOOKS = {Verb.LOGS}


def wants(lab: Lab) -> dict[str, Manifest]:
    """uid -> what is asked for, of all that jobs are made of."""
    return {item["metadata"]["uid"]: item.get("spec") for item in there(lab.live, lab.home)}


@pytest.mark.parametrize(
    ("person", "may", "looks"),
    [("alice", set(ACTS), True), ("viewer", LOOKS, True), ("bob", set(), False), ("nobody", set(), False)],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", ["job", "deployment"])
async def test_verdicts_are_what_the_cluster_then_allows(
    lab: Lab, opened: Open, person: str, may: set[Verb], looks: bool, kind: str
) -> None:
    lab.grant("alice", "edit")
    lab.grant("viewer", "view")
    lab.grant("bob", "edit", lab.annex)
    admin = opened("admin")
    ref, stopped = [
        (await admin.create(spec(name=name, kind=kind), key=name, secrets={})).ref for name in ("one", "off")
    ]
    await admin.stop(stopped)
    backend = opened(person)
    verdicts = await backend.check_access([AccessReview(verb, ref) for verb in ACTS])
    assert {verb for verb, verdict in zip(ACTS, verdicts, strict=True) if verdict.allowed} == may
    (commands,) = await backend.check_access([AccessReview(Verb.EXEC, ref)])  # no pod runs to try it in
    assert commands.allowed == (person == "alice")
    for (verb, act), verdict in zip(ACTS.items(), verdicts, strict=True):
        before, about = wants(lab), stopped if verb == Verb.RESUME else ref
        if verdict.allowed:
            await act(backend, about)
            continue
        assert verdict.why.startswith("you may not ")
        assert verdict.why.endswith(f" in {lab.home}")
        with pytest.raises(Forbidden, match=f"You may not .* in {lab.home}") as caught:
            await act(backend, about)
        assert f'User "{person}" cannot' in caught.value.hint
        assert wants(lab) == before
        if looks:
            missing = verdict.why.split()[3]
            assert caught.value.title.startswith(f"You may not {missing} ")
    if not looks:
        assert (await backend.plan(spec(name="two"))).errors
        with pytest.raises(Forbidden, match=f"in {lab.home}"):
            await backend.list(JobQuery(namespace=lab.home))
    names, link = await looked(backend, lab.home)
    assert link.state == (FreshnessState.LIVE if looks else FreshnessState.FORBIDDEN)
    assert bool(names) == looks
    assert looks or f"in {lab.home}" in link.why


async def test_all_namespaces_are_those_of_the_contexts_where_one_may_not_list_all(
    lab: Lab, opened: Open
) -> None:
    for place in (lab.home, lab.annex, lab.unnamed):
        lab.grant("alice", "view", place)
        await opened("admin", place).create(spec(name=f"in-{place}"), key="k", secrets={})
    lab.grant("viewer", "view", lab.annex)
    wanted = {f"in-{lab.home}", f"in-{lab.annex}"}
    assert {job.name for job in (await opened("alice").list(JobQuery())).items} == wanted
    names, link = await looked(opened("alice"))
    assert (names, link.state) == (wanted, FreshnessState.LIVE)
    names, link = await looked(opened("viewer"))
    assert (names, link.state) == ({f"in-{lab.annex}"}, FreshnessState.LIVE)
    assert {job.name for job in (await opened("admin").list(JobQuery())).items} > wanted


async def test_who_may_read_nothing_starts_at_home_and_is_told_so(lab: Lab, opened: Open) -> None:
    nobody = opened("nobody")
    names, link = await looked(nobody)
    assert (names, link.state) == (set(), FreshnessState.FORBIDDEN)
    assert link.why.startswith("you may not list ")
    assert link.why.endswith(f" in {lab.home}")
    with pytest.raises(Forbidden, match=f"in {lab.home}"):
        await nobody.list(JobQuery())
    assert (await nobody.whoami()).place == f"nobody, namespace {lab.home}"
    assert (await nobody.capacity(Scope())).unknown_because == "you may not list nodes"


async def test_who_may_not_make_a_part_makes_nothing(lab: Lab, opened: Open) -> None:
    looks = "get list watch"
    lab.half(jobs=f"{looks} create patch delete", deployments=looks, pods=looks, services="create")
    half = opened("half")
    asked = spec(name="one", secrets=["TOKEN"])
    assert [notice.message for notice in (await half.plan(asked)).errors] == [
        f"you may not create secrets in {lab.home}"
    ]
    with pytest.raises(Forbidden, match=f"You may not create secrets in {lab.home}"):
        await half.create(asked, key="k", secrets={"TOKEN": Secret("x")})
    assert there(lab.live, lab.home) == []
    assert (await half.create(spec(name="one"), key="k", secrets={})).name == "one"


async def test_who_may_see_pods_and_not_their_logs_is_told_so(lab: Lab, opened: Open) -> None:
    """The pod's node is nowhere: where logs are allowed, it is the node that does not answer."""
    looks = "get list watch"
    lab.half(jobs=looks, deployments=looks, pods=looks)
    job = await opened("admin").create(spec(name="one"), key="1", secrets={})
    pod = lab.live.make(pod_of(job))
    state = {"running": {"startedAt": "2026-11-25T00:00:00Z"}}
    container = {"name": "main", "containerID": "c://1", "ready": True, "restartCount": 0, "state": state}
    container |= {"image": "i", "imageID": "i"}
    path = path_of("v1", "pods", lab.home, pod["metadata"]["name"]) + "/status"
    status = {"status": {"phase": "Running", "containerStatuses": [container]}}
    assert lab.live.call("PATCH", path, status, media="merge-patch+json")[0] == 200
    half = opened("half")
    (verdict,) = await half.check_access([AccessReview(Verb.LOGS, job.ref)])
    assert verdict.why == f"you may not get pods/log in {lab.home}"
    for follow in (False, True):
        with pytest.raises(Forbidden, match="You may not get pods/"):
            await drained(half.logs(LogQuery(ref=job.ref, follow=follow)))


async def test_pod_security_speaks_also_where_the_namespace_may_not_be_read(lab: Lab, opened: Open) -> None:
    looks = "get list watch"
    lab.half(jobs=f"{looks} create", deployments=looks, pods=f"{looks} create")
    half = opened("half")
    for level, words in (("baseline", "hostPath volumes"), ("restricted", "runAsNonRoot")):
        labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}}
        path = path_of("v1", "namespaces", name=lab.home)
        assert lab.live.call("PATCH", path, labels, media="merge-patch+json")[0] == 200
        (error,) = (await half.plan(spec(volumes=["/data:/data"]))).errors
        assert error.message.startswith(f"the namespace's PodSecurity ({level}) forbids it: ")
        assert words in error.message
    assert lab.live.items("v1", "pods", lab.home) == []


def pod_of(job: Job) -> Manifest:
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job.name,
        "uid": job.ref.uid,
        "controller": True,
    }
    labels = {"batch.kubernetes.io/controller-uid": job.ref.uid, "batch.kubernetes.io/job-name": job.name}
    home = {
        "name": f"{job.name}-x",
        "namespace": job.ref.namespace,
        "labels": labels,
        "ownerReferences": [owner],
    }
    body = {"nodeName": "nowhere", "restartPolicy": "Never", "containers": [{"name": "main", "image": "i"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": home, "spec": body}


async def test_the_command_line_says_which_right_is_missing(lab: Lab, opened: Open, tmp_path: Path) -> None:
    lab.grant("viewer", "view")
    await opened("admin").create(spec(name="one"), key="1", secrets={})
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CONFIG", "CACHE")}

    def traindeck(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "tui", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, **homes})

    done = await asyncio.gather(
        asyncio.to_thread(traindeck, "stop", "one", "--context=viewer"),
        asyncio.to_thread(traindeck, "jobs", "--context=nobody"),
        asyncio.to_thread(traindeck, "jobs", "--context=viewer", "-o", "name"),
    )
    stop, jobs, names = done
    assert stop.returncode == jobs.returncode == Forbidden.exit_code
    assert f"you may not patch jobs/one in {lab.home}" in stop.stderr
    assert f" in {lab.home}" in jobs.stderr
    assert (names.returncode, names.stdout) == (0, "one\n")
    assert "Traceback" not in stop.stderr + jobs.stderr
