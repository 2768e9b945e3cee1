"""Clusters of a server: registered by an admin, sealed at rest, each on its own when it hangs."""

import asyncio
import json
import uuid

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from backend.clusters import circuit_breaker
from backend.clusters.credential_vault import KEY_FILE
from backend.clusters.registration import ClusterRegistration
from backend.db.models import AuditRow, JobRow
from backend.db.models import Cluster as ClusterRow
from backend.jobs.reconcile import reconcile_once
from tests.backend.support.clusters import register, wanted
from tests.backend.support.people import DEADLINE, enter, serving
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.support.wait import async_until

IMAGE = "traindeck.dev/busybox:1"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def settings(settings):
    """Return settings without a machine beside the clusters."""
    return settings.model_copy(update={"local": False})


GOOD = {"name": "big", "server": "https://10.0.0.1:6443", "token": "t0ken-value"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"server": "http://10.0.0.1"}, "server"),
        ({"server": "https://user:pw@10.0.0.1"}, "server"),
        ({"server": "https://10.0.0.1/?x=1"}, "server"),
        ({"server": "https://10.0.0.1:99999"}, "server"),
        ({"server": "ftp://x"}, "server"),
        ({"name": ""}, "name"),
        ({"name": "a b\n"}, "name"),
        ({"ca": PEM}, "ca"),
        ({"token": ""}, "token"),
        ({"token": "line\nbreak"}, "token"),
        ({"certificate": PEM, "key": "k"}, "token"),
        ({"namespace": "Not One"}, "namespace"),
        ({"exec": {"command": "sh"}}, "body"),
        ({"proxy": "http://x"}, "body"),
    ],
)
async def test_what_is_no_cluster_is_refused_by_its_field(root, change, field):
    problem = await root.ask("POST", "/clusters", 422, json=GOOD | change)
    assert set(problem["fields"]) == {field}
    assert "t0ken" not in json.dumps(problem)


async def test_one_that_does_not_answer_is_not_registered(app, root):
    problem = await root.ask("POST", "/clusters", 503, json=GOOD | {"server": "https://127.0.0.1:1"})
    assert "big" in problem["title"]
    assert (await root.ask("GET", "/clusters"))["items"] == []
    researcher = await enter(app, "ann")
    assert "no cluster yet" in (await researcher.submit(status=400))["title"]


class Silent:
    """Takes every connection and says nothing."""

    async def __aenter__(self):
        self.count, self._writers = 0, []
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _take(self, _reader, writer):
        self.count += 1
        self._writers.append(writer)

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


async def add_hanging(app, port, name="hung"):
    """Registered while it still answered."""
    service = app.state.runtime.jobs
    place = ClusterRegistration(name=name, server=f"https://127.0.0.1:{port}", token="t")
    async with service.database.write() as session:
        row = await service.clusters.register(session, place)
    await service.clusters.connect(row)


async def info(person, name):
    return next(one for one in (await person.ask("GET", "/clusters"))["items"] if one["name"] == name)


async def test_one_that_hangs_is_asked_no_more_and_says_since_when(app, ann, bob, monkeypatch):
    for limit in ("LIMIT_SECONDS", "PROBE_SECONDS"):
        monkeypatch.setattr(circuit_breaker, limit, 0.1)
    async with Silent() as silent:
        await add_hanging(app, silent.port)
        body = {"kind": "job", "image": IMAGE, "command": ["true"]}

        async def closed():
            problem = await ann.ask("POST", "/plan", 503, json=body)
            assert "hung" in problem["title"]
            return "does not answer: no answer in 0.1 s" in problem["title"]

        await async_until(closed, DEADLINE)
        asked = silent.count
        for person in (ann, bob) * 10:
            assert "hung" in (await person.ask("POST", "/plan", 503, json=body))["title"]
        assert silent.count <= asked + 1, "but for a probe nothing is sent"
        assert "Retry-After" in ann.last.headers
        hung = await info(ann, "hung")
        assert (hung["state"], bool(hung["why"]), bool(hung["since"])) == ("stale", True, True)
        assert (await ann.ask("GET", "/capacity"))["hidden"]
        assert await ann.names() == []


@pytest.mark.api
class TestRealCluster:
    """Against a real API server."""

    async def test_it_is_sealed_at_rest_and_told_by_no_route(self, app, settings, root, ann, cluster):
        body = wanted(cluster)
        told = await root.ask("POST", "/clusters", 201, json=body)
        answers = [told, *[await root.ask("GET", path) for path in ("/clusters", "/audit")]]
        async with app.state.runtime.database.read() as session:
            rows = [vars(row) for row in await session.scalars(select(ClusterRow))]
            audit = [vars(row) for row in await session.scalars(select(AuditRow))]
        assert body["token"] not in f"{answers} {rows} {audit}"
        assert (settings.folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
        await async_until(lambda: live(ann, "test"), DEADLINE)

    async def test_another_key_opens_nothing_and_a_new_login_mends_it(self, settings, cluster):
        async with serving(settings) as first:
            await register(first, cluster)
        other = settings.model_copy(update={"secret_key": SecretStr("x" * 32)})
        async with serving(other) as second:
            root = await enter(second, "root", "admin")
            assert (await root.ask("GET", "/clusters"))["items"] == []
            await root.ask("POST", "/clusters", 201, json=wanted(cluster))
            await async_until(lambda: live(root, "test"), DEADLINE)
        async with serving(other) as third:
            await async_until(lambda: live_in(third), DEADLINE)

    async def test_a_job_gets_its_persons_namespace(self, app, ann, bob, cluster):
        await register(app, cluster)
        api, server = Live(cluster.kubeconfig), app.state.runtime.server_id
        homes = set()
        for person in (ann, bob):
            made = await person.submit(name="same", image=IMAGE)
            home = made["ref"]["namespace"]
            homes.add(home)
            _, namespace = api.call("GET", path_of("v1", "namespaces", name=home))
            labels = namespace["metadata"]["labels"]
            assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
            assert labels["traindeck.dev/server"] == server
            anchor = api.items("batch/v1", "jobs", home)[0]["metadata"]
            assert anchor["labels"]["traindeck.dev/server"] == server
            assert anchor["annotations"]["traindeck.dev/owner"] == person.name == made["owner"]
            assert await person.names() == ["same"]
        assert len(homes) == 2
        problem = await ann.submit(status=400, image=IMAGE, namespace="kube-system")
        assert set(problem["fields"]) == {"namespace"}
        problem = await ann.submit(status=400, image=IMAGE, volumes=["/etc:/host"])
        assert set(problem["fields"]) == {"volumes"}
        plan = await ann.ask("POST", "/plan", json={"kind": "job", "image": IMAGE, "volumes": ["/etc:/host"]})
        assert [notice["field"] for notice in plan["errors"]] == ["volumes"]
        assert await rows(app) == 2

    async def test_what_is_removed_behind_its_back_is_said_and_strangers_are_let_alone(
        self, app, ann, cluster
    ):
        await register(app, cluster)
        api = Live(cluster.kubeconfig)
        made = await ann.submit(name="gone", image=IMAGE)
        home = made["ref"]["namespace"]
        stranger = await copy_of(app, api, home)
        path = path_of("batch/v1", "jobs", home, "gone")
        api.call("DELETE", path, {"propagationPolicy": "Background"})
        await ann.gone("gone")

        async def remembered():
            past = (await ann.ask("GET", "/history"))["items"][0]
            return past if past["deleted"] else False

        assert "not by this server" in (await async_until(remembered, DEADLINE))["reason"]
        await reconcile_once(app.state.runtime.jobs)
        assert app.state.runtime.jobs.orphans["test"] == 1
        assert api.call("GET", path_of("batch/v1", "jobs", home, stranger))[0] == 200

    async def test_a_stopped_job_frees_its_quota_and_takes_it_again(self, app, ann, root, cluster):
        await register(app, cluster)
        await root.ask("PATCH", "/users/ann", json={"max_jobs": 1})
        await ann.submit(name="a", image=IMAGE)
        assert "1 at a time" in (await ann.submit(name="b", image=IMAGE, status=400))["title"]
        await ann.ask("POST", "/jobs/a/stop")
        await ann.ended("a")
        await async_until(lambda: made(ann, "b"), DEADLINE)
        assert "1 at a time" in (await ann.ask("POST", "/jobs/a/resume", 400))["title"]
        await ann.ask("DELETE", "/jobs/b", 204)
        await ann.gone("b")
        assert (await ann.ask("POST", "/jobs/a/resume"))["owner"] == "ann"
        assert "1 at a time" in (await ann.submit(name="c", image=IMAGE, status=400))["title"]

    async def test_a_cluster_with_jobs_is_kept(self, app, ann, root, cluster):
        await register(app, cluster)
        await ann.submit(name="a", image=IMAGE)
        assert "1 jobs" in (await root.ask("DELETE", "/clusters/test", 409))["title"]
        await ann.ask("DELETE", "/jobs/a", 204)
        await ann.gone("a")
        await root.ask("DELETE", "/clusters/test", 204)
        assert (await root.ask("GET", "/clusters"))["items"] == []
        await root.ask("DELETE", "/clusters/test", 404)

    async def test_one_that_hangs_harms_no_other(self, app, ann, cluster):
        await register(app, cluster)
        await async_until(lambda: live(ann, "test"), DEADLINE)
        async with Silent() as silent:
            await add_hanging(app, silent.port)
            stuck = [
                asyncio.create_task(ann.ask_status("POST", "/plan", json={"image": IMAGE, "cluster": "hung"}))
                for _ in range(circuit_breaker.MAX_PER_PERSON + 5)
            ]
            problem = await ann.submit(status=422, image=IMAGE)
            assert "say which" in problem["fields"]["cluster"]
            assert not any(task.done() for task in stuck[: circuit_breaker.MAX_PER_PERSON])
            made = await ann.submit(name="fine", image=IMAGE, cluster="test")
            assert await ann.names() == ["fine"]
            assert (await ann.ask("GET", "/jobs/fine"))["ref"] == made["ref"]
            assert set(await asyncio.gather(*stuck)) == {503}
            assert (await info(ann, "test"))["state"] == "live"


class TestSharedNamespace:
    """One namespace for all: claims and pull secrets are their owners', datasets everybody's."""

    pytestmark = pytest.mark.api

    @pytest.fixture
    def settings(self, settings):
        dataset = {"claim": "none", "sub_path": "in", "path": "/data/imagenet"}
        return settings.model_copy(update={"datasets": {"imagenet": dataset}})

    async def test_claims_and_pull_secrets_of_others_are_not_taken_and_not_told(self, app, ann, cluster):
        api, place = Live(cluster.kubeconfig), f"shared-{uuid.uuid4().hex[:8]}"
        api.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
        owners = {"anns": "ann", "bobs": "bob", "both": "bob, ANN", "all": "*", "none": ""}
        for name, owner in owners.items():
            meta = {"name": name, "namespace": place} | (
                {"annotations": {"traindeck.dev/owner": owner}} if owner else {}
            )
            claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            api.make({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim})
            login = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "e30="}}
            api.make({"apiVersion": "v1", "kind": "Secret", "metadata": meta} | login)
        await register(app, cluster, namespace=place)
        for field in ("volumes", "outputs", "image_pull_secrets"):
            found = (await ann.ask("GET", f"/choices?field={field}"))["items"]
            named = {one["value"].partition(":")[0] for one in found} - {"~imagenet"}
            assert named == {"all", "anns", "both"}
        for name in (*owners, "absent"):
            values = {"volumes": [f"{name}/a:/data"], "outputs": name, "image_pull_secrets": [name]}
            for field, value in values.items():
                theirs = name in {"anns", "both", "all"}
                body = {"kind": "job", "image": IMAGE, "command": ["true"], "name": "j", field: value}
                plan = await ann.ask("POST", "/plan", json=body)
                assert ([one["field"] for one in plan["errors"]] == []) == theirs, (name, plan["errors"])
                if not theirs:
                    assert set((await ann.submit(status=400, **body))["fields"]) == {field}
        assert await rows(app) == 0
        (choice, *_) = (await ann.ask("GET", "/choices?field=volumes"))["items"]
        assert choice == {"value": "~imagenet", "about": "dataset, read-only at /data/imagenet"}
        await ann.submit(name="learns", image=IMAGE, volumes=["~imagenet"])
        _, job = api.call("GET", path_of("batch/v1", "jobs", place, "learns"))
        (mount,) = job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert {**mount, "name": ""} == {
            "name": "", "mountPath": "/data/imagenet", "subPath": "in", "readOnly": True,
        }  # fmt: skip
        for volume in ("~imagenot", "~imagenet:/x:rw"):
            refused = await ann.submit(name="no", image=IMAGE, volumes=[volume], status=422)
            assert set(refused["fields"]) == {"volumes"}

    async def test_a_name_that_is_taken_is_not_told_to_be_a_job(self, app, ann, bob, cluster):
        api, place = Live(cluster.kubeconfig), f"shared-{uuid.uuid4().hex[:8]}"
        api.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
        await register(app, cluster, namespace=place)
        await ann.submit(name="secret-run", image=IMAGE)
        body = {"kind": "job", "image": IMAGE, "command": ["true"], "name": "secret-run"}
        planned = await bob.ask("POST", "/plan", json=body)
        said = [one["message"] for one in planned["errors"] if one["field"] == "name"]
        refused = await bob.submit(status=409, **body)
        assert {*said, refused["fields"]["name"]} == {
            "is taken in the namespace that all share; choose another"
        }
        assert await bob.names() == []


class TestFoldersOfNodes:
    """`host_paths` with a namespace for each person."""

    pytestmark = pytest.mark.api

    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(update={"host_paths": ("/data",)})

    async def test_a_job_mounts_a_listed_folder_and_others_stay_at_baseline(self, app, ann, bob, cluster):
        await register(app, cluster)
        api = Live(cluster.kubeconfig)

        async def level(made):
            _, namespace = api.call("GET", path_of("v1", "namespaces", name=made["ref"]["namespace"]))
            return namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]

        plain = await ann.submit(name="plain", image=IMAGE)
        await ann.submit(name="no", image=IMAGE, volumes=["/etc:/host"], status=400)
        assert await level(plain) == "baseline"
        body = {"kind": "job", "image": IMAGE, "command": ["true"], "volumes": ["/data/x:/data"]}

        async def planned():
            return not (await ann.ask("POST", "/plan", json=body))["errors"]

        await async_until(planned, DEADLINE)
        assert (
            await level(await ann.submit(name="mounts", image=IMAGE, volumes=["/data/x:/data"]))
            == "privileged"
        )
        assert (
            await level(await bob.submit(name="mounts", image=IMAGE, volumes=["/data:/data"])) == "privileged"
        )


async def made(person, name):
    """Submit a job; tell whether the quota has room for it by now: a row ends a moment after its job."""
    body = {"kind": "job", "image": IMAGE, "command": ["true"], "name": name}
    return await person.ask_status("POST", "/jobs", json=body) == 201


async def live(person, name):
    return (await info(person, name))["state"] == "live"


async def live_in(app):
    return await live(await enter(app, "root", "admin"), "test")


async def rows(app):
    async with app.state.runtime.database.read() as session:
        return len([*await session.scalars(select(JobRow))])


async def copy_of(app, api, home):
    """Copy an object with this server's id, so that no row has it."""
    found = api.items("batch/v1", "jobs", home)[0]
    meta = {key: found["metadata"][key] for key in ("labels", "annotations")}
    meta["annotations"] = meta["annotations"] | {"traindeck.dev/key": "another"}
    spec = {key: value for key, value in found["spec"].items() if key not in ("selector", "template")}
    pods = found["spec"]["template"]
    labels = {key: v for key, v in pods["metadata"]["labels"].items() if "traindeck" in key}
    pods = {"metadata": {"labels": labels}, "spec": pods["spec"]}
    body = {"apiVersion": "batch/v1", "kind": "Job", "spec": spec | {"template": pods}}
    api.make(body | {"metadata": meta | {"name": "stranger", "namespace": home}})
    return "stranger"
