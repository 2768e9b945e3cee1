"""Training jobs of other tools on a real API server: their kinds, their objects, the people's rights.

Their controllers are not here: the test makes what those would make, with the owner references that they
write, and patches the status.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend_client.errors import Forbidden, NotFound, Refused
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch.training import served_training_types
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import AccessReview, Changed, Gone, JobQuery, Scope, Snapshot, Synced, Verb
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.live import Live, eventually, path_of
from tests.backend_client.kubernetes.support.training import (
    ENDED,
    Manifest,
    condition,
    definition,
    family,
    owned,
    pod,
)

pytestmark = pytest.mark.api
PLURALS = {"Pod": "pods", "StatefulSet": "statefulsets"}
RUNNING = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "main",
            "image": "a",
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": ENDED}},
        }
    ],
}
READ = ["get", "list", "watch"]
RULES = [
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": READ},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": READ},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": READ},
]


class Stage:
    """A control plane that serves all kinds, and the hands of their controllers."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.live = Live(kubeconfig)
        for kind in TRAINING_KINDS.values():
            crd = definition(kind.name, kind.plural, kind.group, kind.versions[0])
            self._post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        eventually(self._served, lambda found: len(found) == len(TRAINING_KINDS))

    def _served(self) -> list[str]:
        """The kinds whose lists answer: a definition is there before its lists are."""
        return [kind.name for kind in TRAINING_KINDS.values() if self._is_served(kind)]

    def _is_served(self, kind: Any) -> bool:
        return self.live.call("GET", f"/apis/{kind.group}/{kind.versions[0]}/{kind.plural}")[0] == 200

    def _post(self, path: str, body: Manifest) -> Manifest:
        status, answer = self.live.call("POST", path, body)
        assert status == 201, answer
        made: Manifest = answer
        return made

    def namespace(self, name: str) -> str:
        self._post("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def make(self, item: Manifest, owner: Manifest | None = None) -> Manifest:
        """Make an object as a controller does; a pod runs at once."""
        path = path_of(item["apiVersion"], _plural(item), item["metadata"]["namespace"])
        made = self._post(path, owned(item, owner) if owner else item)
        if made["kind"] == "Pod":
            self.set_status(made, RUNNING)
        return made

    def make_all(self, kind: str, namespace: str, name: str = "llama") -> Manifest:
        """Make a training job with all that belongs to it; return the job."""
        made: list[Manifest] = []
        for item, owner in family(kind, name, namespace)[0]:
            made.append(self.make(item, None if owner is None else made[owner]))
        return made[0]

    def set_status(self, made: Manifest, status: Manifest) -> None:
        code, answer = self.live.call(
            "PATCH", f"{_path(made)}/status", {"status": status}, media="merge-patch+json"
        )
        assert code == 200, answer

    def read(self, made: Manifest) -> Manifest | None:
        code, answer = self.live.call("GET", _path(made))
        return answer if code == 200 else None

    def let(self, user: str, namespace: str, *more: Manifest) -> None:
        """Let a person read what jobs are made of there, and `more`."""
        api = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        self._post(f"{api}/roles", {"metadata": {"name": user}, "rules": [*RULES, *more]})
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        role = {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        self._post(
            f"{api}/rolebindings", {"metadata": {"name": user}, "subjects": [subject], "roleRef": role}
        )


def _plural(item: Manifest) -> str:
    group = item["apiVersion"].partition("/")[0]
    kinds = TRAINING_KINDS.values()
    found = [kind.plural for kind in kinds if (kind.group, kind.kind) == (group, item["kind"])]
    return found[0] if found else PLURALS.get(item["kind"], "jobs")


def _path(made: Manifest) -> str:
    metadata = made["metadata"]
    return path_of(made["apiVersion"], _plural(made), metadata["namespace"], metadata["name"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One of this module's own: kinds that it serves would be seen by the tests of others."""
    if controlplane.binaries() is None:
        pytest.skip(f"needs a control plane: {controlplane.HOW}")
    with controlplane.running(tmp_path_factory.mktemp("kinds") / "plane", controllers=False) as plane:
        yield Stage(plane.kubeconfig)


@pytest.fixture
async def opened(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """opened(user, namespace) -> that user's backend."""
    monkeypatch.setenv("KUBECONFIG", str(stage.kubeconfig))
    async with contextlib.AsyncExitStack() as stack:

        def make(user: str, namespace: str) -> KubernetesBackend:
            found = KubernetesBackend(user, KubernetesSettings(), namespace=namespace)
            stack.push_async_callback(found.aclose)
            return found

        yield make


async def listed(backend: KubernetesBackend, namespace: str, name: str = "") -> dict[str, Job]:
    page = await backend.list(JobQuery(namespace=namespace, name=name))
    return {f"{job.ref.kind}/{job.name}": job for job in page.items}


async def watched(backend: KubernetesBackend, namespace: str) -> dict[str, Job]:
    """What a watch has told once it is whole."""
    found: dict[str, Job] = {}
    async with (
        asyncio.timeout(60),
        contextlib.aclosing(backend.watch([Scope(namespace)])) as batches,  # type: ignore[type-var]
    ):
        async for batch in batches:
            for event in batch:
                if isinstance(event, Snapshot | Changed):
                    found |= {f"{job.ref.kind}/{job.name}": job for job in event.jobs}
                assert not isinstance(event, Gone), "a row was shown that is another's rank"
                if isinstance(event, Synced):
                    return found
    return found


async def test_each_kind_is_one_row_for_a_list_a_watch_and_a_log(stage: Stage, opened: Any):
    namespace = stage.namespace("each")
    names = {kind: f"train-{kind}" for kind in TRAINING_KINDS}
    for kind, name in names.items():
        stage.make_all(kind, namespace, name)
    backend = opened("admin", namespace)
    expected = {f"{kind}/{name}" for kind, name in names.items()}
    found, seen = await listed(backend, namespace), await watched(backend, namespace)
    assert set(found) == set(seen) == expected
    for kind, name in names.items():
        job, ranks = found[f"{kind}/{name}"], family(kind, name)[1]
        assert {attempt.pod: attempt.rank for attempt in job.attempts} == ranks
        one = await backend.get(job.ref)
        assert (
            one == job == seen[f"{kind}/{name}"] == (await listed(backend, namespace, name))[f"{kind}/{name}"]
        )
        tracker = JobTracker(await backend._session.transport(), job.ref)
        await tracker.load()
        assert {runs[0].pod: rank for rank, runs in tracker.runs().items()} == ranks
        assert await backend.events(job.ref) == []


async def test_its_status_is_told_and_a_log_ends_with_it(stage: Stage, opened: Any):
    namespace = stage.namespace("status")
    root = stage.make_all("pytorchjob", namespace)
    backend = opened("admin", namespace)
    [job] = (await listed(backend, namespace)).values()
    tracker = JobTracker(await backend._session.transport(), job.ref)
    await tracker.load()
    following = asyncio.create_task(tracker.follow())
    try:
        stage.set_status(root, {"conditions": [condition("Succeeded", "PyTorchJob llama is done.")]})
        async with asyncio.timeout(60):
            while not tracker.ended:
                await tracker.wait_for_change()
        late = family("pytorchjob", namespace=namespace)[0][1][0]
        late["metadata"]["name"] = "llama-worker-late"
        late["metadata"]["labels"]["training.kubeflow.org/replica-type"] = "worker"
        late["metadata"]["labels"]["training.kubeflow.org/replica-index"] = "2"
        stage.make(late, root)
        async with asyncio.timeout(60):
            while 3 not in tracker.runs():
                await tracker.wait_for_change()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    [job] = (await listed(backend, namespace)).values()
    assert (job.state, job.reason) == (JobState.SUCCEEDED, "")
    assert job.finished is not None


async def test_stop_writes_the_field_of_the_kind_and_resume_undoes_it(stage: Stage, opened: Any):
    namespace = stage.namespace("stop")
    backend = opened("admin", namespace)
    roots = {kind: stage.make_all(kind, namespace, f"s-{kind}") for kind in TRAINING_KINDS}
    jobs = {job.ref.kind: job for job in (await listed(backend, namespace)).values()}
    for kind, root in roots.items():
        ref = jobs[kind].ref
        if not TRAINING_KINDS[kind].suspend:
            with pytest.raises(Refused, match="cannot be suspended"):
                await backend.stop(ref)
            continue
        stopped = await backend.stop(ref)
        assert stopped.state is JobState.STOPPING  # the pods are there: nobody deletes them here
        assert _suspended(stage.read(root), kind) is True
        assert (await backend.stop(ref)).allows == ("stop", "resume", "delete")
        after = await backend.resume(ref)
        assert (after.state, len(after.pauses)) == (JobState.RUNNING, 1)
        assert _suspended(stage.read(root), kind) is False


def _suspended(made: Manifest | None, kind: str) -> Any:
    value: Any = made
    for name in TRAINING_KINDS[kind].suspend.split("."):
        value = value[name]
    return value


async def test_what_kueue_decides_is_not_stopped(stage: Stage, opened: Any):
    namespace = stage.namespace("queued")
    item = family("jobset", namespace=namespace)[0][0][0]
    item["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team-a"}
    item["spec"]["suspend"] = True
    root = stage.make(item)
    backend = opened("admin", namespace)
    [job] = (await listed(backend, namespace)).values()
    assert (job.state, job.spec.gpus * job.spec.nodes) == (JobState.QUEUED, 32)
    with pytest.raises(Refused, match="Kueue decides"):
        await backend.stop(job.ref)
    with pytest.raises(Refused, match="was not stopped by traindeck"):
        await backend.resume(job.ref)
    assert stage.read(root)["metadata"].get("annotations") is None  # type: ignore[index]


async def test_delete_goes_by_uid_and_a_part_is_not_touched(stage: Stage, opened: Any):
    namespace = stage.namespace("delete")
    backend = opened("admin", namespace)
    root = stage.make_all("trainjob", namespace)
    [job] = (await listed(backend, namespace)).values()
    old = JobRef(job.ref.context, namespace, "trainjob", "llama", "of an earlier one")
    for act in (backend.stop(old), backend.get(old), _all(backend, old)):
        with pytest.raises(NotFound):
            await act
    part = next(item for item in stage.live.items("jobset.x-k8s.io/v1alpha2", "jobsets", namespace))
    ref = JobRef(job.ref.context, namespace, "jobset", "llama", part["metadata"]["uid"])
    with pytest.raises(Forbidden, match="made by TrainJob llama"):
        await _all(backend, ref)
    assert stage.read(root)
    await _all(backend, job.ref)
    assert stage.read(root) is None


async def _all(backend: KubernetesBackend, ref: JobRef) -> None:
    async for _ in backend.delete(ref, wait=False):
        pass


async def test_a_forged_owner_is_not_joined(stage: Stage, opened: Any):
    namespace = stage.namespace("forged")
    root = stage.make_all("pytorchjob", namespace)
    liar = pod("liar", {"training.kubeflow.org/job-name": "llama"}, namespace)
    stage.make(liar, root | {"metadata": root["metadata"] | {"uid": "11111111-1111-1111-1111-111111111111"}})
    backend = opened("admin", namespace)
    found = await listed(backend, namespace)
    assert set(found) == {"pytorchjob/llama", "pod/liar"}
    assert len(found["pytorchjob/llama"].attempts) == 3
    tracker = JobTracker(await backend._session.transport(), found["pytorchjob/llama"].ref)
    await tracker.load()
    assert "liar" not in {run.pod for runs in tracker.runs().values() for run in runs}


async def test_who_may_not_list_a_kind_sees_what_he_saw_before(stage: Stage, opened: Any):
    namespace = stage.namespace("rights")
    stage.make_all("jobset", namespace)
    stage.let("alice", namespace)
    jobset = {"apiGroups": ["jobset.x-k8s.io"], "resources": ["jobsets"]}
    stage.let("bob", namespace, jobset | {"verbs": READ})
    alice, bob = opened("alice", namespace), opened("bob", namespace)
    jobs = {"job/llama-driver-0", "job/llama-worker-0", "job/llama-worker-1"}
    assert set(await listed(alice, namespace)) == set(await watched(alice, namespace)) == jobs
    assert set(await listed(bob, namespace)) == set(await watched(bob, namespace)) == {"jobset/llama"}
    [job] = (await listed(bob, namespace)).values()
    asked = [AccessReview(verb, job.ref) for verb in (Verb.STOP, Verb.DELETE)]
    stop, delete = await bob.check_access(asked)
    assert (stop.allowed, stop.why) == (False, f"you may not patch jobsets.jobset.x-k8s.io in {namespace}")
    assert delete.allowed is False
    with pytest.raises(Forbidden):
        await bob.stop(job.ref)


async def test_kinds_are_found_by_one_request_where_there_are_none(stage: Stage, opened: Any):
    transport = await opened("admin", "default")._session.transport()
    asked: list[str] = []
    request = transport.request

    async def counted(method: str, path: str, **more: Any) -> Any:
        asked.append(path)
        return await request(method, path, **more)

    transport.request = counted
    types = await served_training_types(transport)
    assert [kind.training.name for kind in types] == list(TRAINING_KINDS)
    assert asked[0] == "/apis"
    assert len(asked) == len(set(asked)) == 1 + len({kind.api for kind in types})
