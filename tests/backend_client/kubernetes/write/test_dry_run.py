"""What a plan says before anything is made, asked of a real API server."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from backend_client.errors import Refused
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.write.writer import JobWriter
from backend_client.models.secret import Secret
from backend_client.protocol import Diagnostic
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, eventually
from tests.backend_client.kubernetes.support.specs import spec


@pytest.fixture
def live(cluster: Cluster) -> Live:
    return Live(cluster.kubeconfig)


@pytest.fixture
async def bob(cluster: Cluster, live: Live, namespace: str) -> AsyncIterator[JobWriter]:
    """One who may edit this namespace, and see nothing of the nodes."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}
    binding = {"metadata": {"name": "bob"}, "roleRef": role, "subjects": [user]}
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    assert live.call("POST", path, binding)[0] == 201
    transport = Transport(cluster.target("bob"))
    made = JobWriter(transport, KubernetesSettings(), "here", namespace)
    await _bound(made)
    yield made
    await transport.aclose()


async def _bound(writer: JobWriter) -> None:
    """The authorizer learns of a binding a moment later."""
    for _ in range(200):
        if not (await writer.plan(spec())).errors:
            return


def restrict(live: Live, namespace: str, level: str = "restricted") -> None:
    labels = {"pod-security.kubernetes.io/enforce": level}
    path = f"/api/v1/namespaces/{namespace}"
    assert live.call("PATCH", path, {"metadata": {"labels": labels}}, media="merge-patch+json")[0] == 200


def limit(live: Live, namespace: str, **hard: str) -> None:
    named = {name.replace("_", "."): value for name, value in hard.items()}
    home = {"name": "q", "namespace": namespace}
    live.make({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": home, "spec": {"hard": named}})
    look = lambda: live.items("v1", "resourcequotas", namespace)[0].get("status", {})  # noqa: E731  short
    eventually(look, lambda status: status.get("hard") == named)


@pytest.mark.api
async def test_the_exact_objects_and_nothing_made(bob: JobWriter, live: Live, namespace: str) -> None:
    asked = spec(kind="deployment", ports=[8080], secrets=["TOKEN"], name="", command=["python", "serve.py"])
    plan = await bob.plan(asked)
    made = list(yaml.safe_load_all(plan.yaml))
    assert (plan.name, plan.errors) == ("serve", ())
    assert [item["kind"] for item in made] == ["Deployment", "Secret", "Service", "Ingress"]
    assert plan.urls == (f"/{namespace}/serve",)
    assert [notice.field for notice in plan.warnings] == ["ingress"]
    assert live.items("apps/v1", "deployments", namespace) == []
    assert live.items("v1", "services", namespace) == []


@pytest.mark.api
@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"priority": "none-such"}, "priority", 'the priority class "none-such" does not exist'),
        ({"namespace": "none-such"}, "", "you may not create"),
        ({"image": ""}, "image", "a cluster runs images"),
        ({"volumes": ["x:/dev/shm"], "shm_size": "1Gi"}, "volumes", "leave one of them out"),
    ],
)
async def test_what_is_wrong_stands_at_its_field(
    bob: JobWriter, fields: dict[str, Any], field: str, words: str
) -> None:
    errors = (await bob.plan(spec(**fields))).errors
    assert [notice.field for notice in errors[:1]] == [field], errors
    assert words in errors[0].message


@pytest.mark.api
async def test_a_product_that_cannot_be_checked_is_a_warning(bob: JobWriter) -> None:
    plan = await bob.plan(spec(gpus=1, gpu_type="H100"))
    assert plan.errors == ()
    assert any(
        notice.field == "gpu_type" and "you may not list nodes here" in notice.message
        for notice in plan.warnings
    )


@pytest.mark.api
async def test_a_queue_without_kueue_is_a_warning(bob: JobWriter, live: Live) -> None:
    has_kueue = live.call("GET", "/apis/kueue.x-k8s.io")[0] == 200
    said = [notice.field for notice in (await bob.plan(spec(queue="research"))).warnings]
    assert said == ([] if has_kueue else ["queue"])


@pytest.mark.api
async def test_a_taken_name(bob: JobWriter) -> None:
    await bob.create(spec(), key="k", secrets={})
    for kind in ("job", "deployment"):
        assert (await bob.plan(spec(kind=kind))).errors == (
            Diagnostic("name", "there is a job bert already"),
        )
    await bob.create(spec(name="a", ports=[80]), key="a", secrets={})


@pytest.mark.api
async def test_the_namespace_forbids_root(bob: JobWriter, live: Live, namespace: str) -> None:
    restrict(live, namespace)
    plan = await bob.plan(spec(shm_size="1Gi"))
    assert plan.errors == ()
    assert "runs as user 1000" in plan.warnings[0].message
    pod = next(yaml.safe_load_all(plan.yaml))["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    refused = await bob.plan(spec(volumes=["/data:/data"]))
    assert [notice.field for notice in refused.errors] == ["volumes"]
    secret = {"TOKEN": Secret("x")}
    job = await bob.create(spec(kind="deployment", ports=[80], secrets=["TOKEN"]), key="k", secrets=secret)
    assert job.owner == "bob"


@pytest.mark.api
async def test_baseline_forbids_folders_of_the_node_alone(bob: JobWriter, live: Live, namespace: str) -> None:
    restrict(live, namespace, "baseline")
    for kind in ("job", "deployment"):
        asked = spec(kind=kind, gpus=1, shm_size="1Gi", ports=[8080])
        assert (await bob.plan(asked)).errors == ()
        folder = spec(kind=kind, volumes=["/data:/data"])
        said = "/data: the namespace's PodSecurity (baseline) forbids folders of the node"
        assert (await bob.plan(folder)).errors == (Diagnostic("volumes", said),)
        with pytest.raises(Refused) as caught:
            await bob.create(folder, key="k", secrets={})
        assert caught.value.fields == {"volumes": said}
    assert live.items("batch/v1", "jobs", namespace) + live.items("apps/v1", "deployments", namespace) == []


@pytest.mark.controllers
async def test_quotas(bob: JobWriter, live: Live, namespace: str) -> None:
    limit(live, namespace, **{"requests_nvidia_com/gpu": "8", "limits_memory": "64Gi"})
    never = await bob.plan(spec(gpus=8, nodes=2, memory="1Gi"))
    assert [notice.message for notice in never.errors] == ["asks for 16 GPUs; the quota q allows 8 in all"]
    unstated = await bob.plan(spec(gpus=1))
    assert "wants this to be stated: limits.memory" in unstated.errors[0].message
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/q/status"
    used = {"status": {"used": {"requests.nvidia.com/gpu": "6", "limits.memory": "1Gi"}}}
    live.call("PATCH", path, used, media="merge-patch+json")
    waits = await bob.plan(spec(gpus=4, memory="1Gi"))
    assert waits.errors == ()
    assert [notice.message for notice in waits.warnings] == [
        "asks for 4 GPUs; the quota q has 6 of 8 used: it waits until others end"
    ]


@pytest.mark.api
async def test_who_may_do_nothing_is_told(cluster: Cluster, namespace: str) -> None:
    transport = Transport(cluster.target("nobody"))
    plan = await JobWriter(transport, KubernetesSettings(), "here", namespace).plan(spec())
    assert plan.errors == (Diagnostic("", f"you may not create jobs in {namespace}"),)
    await transport.aclose()
