"""Patches of a pod template: merged as kubectl merges them, checked by path, never over what is ours."""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from backend_client.errors import Invalid, Refused
from backend_client.kubernetes.manifests import pod_models, validation
from backend_client.kubernetes.manifests.pod_patch import is_of_patch, merge
from backend_client.kubernetes.manifests.render import render_manifests
from backend_client.kubernetes.settings import KubernetesSettings
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.specs import IMAGE, PATCH, PLAIN, TABLE, VALUES, seen, spec

BELOW = {
    "containers": [
        {
            "name": "main",
            "image": IMAGE,
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
            "resources": {"limits": {"cpu": "1"}},
            "command": ["a", "b"],
        }
    ],
    "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
    "nodeSelector": {"zone": "a", "disk": "ssd"},
    "imagePullSecrets": [{"name": "one"}],
}
MERGES: list[dict[str, Any]] = [
    {"containers": [{"name": "main", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]},
    {"containers": [{"name": "side", "image": "x"}]},
    {"containers": [{"name": "main", "command": ["c"], "resources": {"limits": {"rdma/hca": "1"}}}]},
    {"containers": [{"name": "main", "resources": {"limits": {"cpu": None}}}]},
    {
        "containers": [
            {"name": "main", "volumeMounts": [{"name": "x", "mountPath": "/dev/shm", "readOnly": True}]}
        ]
    },
    {
        "containers": [
            {"name": "main", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 81}]}
        ]
    },
    {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "new", "emptyDir": {}}]},
    {"volumes": [{"name": "shm", "emptyDir": None, "hostPath": {"path": "/x"}}]},
    {"nodeSelector": {"zone": None, "gpu": "a"}, "imagePullSecrets": [{"name": "two"}]},
    {
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["x"]}],
        "initContainers": [{"name": "i", "image": "x"}],
    },
    {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
    {"affinity": {"podAffinity": {}}, "nodeSelector": None, "terminationGracePeriodSeconds": 5},
]


def in_order(value: Any) -> Any:
    """The same, with lists of mappings sorted: kubectl puts what is new in front, we put it behind."""
    if isinstance(value, dict):
        return {key: in_order(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [in_order(item) for item in value]
        return (
            sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
            if items and isinstance(items[0], dict)
            else items
        )
    return value


@pytest.mark.api
@pytest.mark.parametrize("patch", MERGES)
def test_lists_are_merged_as_kubectl_does(patch: dict[str, Any], tmp_path: Any) -> None:
    folder = controlplane.binaries()
    kubectl = shutil.which("kubectl", path=f"{folder}:{os.environ['PATH']}")
    if kubectl is None:
        pytest.skip("no kubectl to compare with")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": BELOW}
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    words = [
        kubectl,
        "patch",
        "--local",
        "-f",
        tmp_path / "pod.json",
        "--type",
        "strategic",
        "-o",
        "json",
        "-p",
    ]
    done = subprocess.run([*words, json.dumps({"spec": patch})], capture_output=True, check=True)
    assert in_order(merge(BELOW, patch)) == in_order(json.loads(done.stdout)["spec"])


def test_tolerations_are_added_and_each_is_there_once() -> None:
    gpu, own = {"key": "gpu", "operator": "Exists"}, {"key": "own", "operator": "Exists"}
    assert merge({"tolerations": [gpu]}, {"tolerations": [own, gpu]}) == {"tolerations": [gpu, own]}


def test_a_job_with_both_patches() -> None:
    asked, site, _ = TABLE["patches"]
    pod = render_manifests(asked, site, seen("n"), secrets=VALUES)[0]["spec"]["template"]["spec"]
    main = pod["containers"][0]
    env = {variable["name"]: variable.get("value") for variable in main["env"]}
    assert (env["A"], env["B"], pod["terminationGracePeriodSeconds"]) == ("mine", "b", 90)
    assert main["resources"]["limits"] == {"memory": "2Gi", "hugepages-2Mi": "64Mi", "rdma/hca": "1"}
    assert main["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert [mount["mountPath"] for mount in main["volumeMounts"]] == ["/dev/shm", "/hugepages"]


@pytest.mark.parametrize("row", TABLE)
def test_every_manifest_is_what_the_models_know(row: str) -> None:
    asked, site, around = TABLE[row]
    root = render_manifests(asked, site, seen("n", **around), secrets=VALUES)[0]
    assert list(pod_models.errors(root["spec"]["template"])) == []


def main(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", **fields}]}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"spec": {"restartPolicy": "Always"}}, "spec.restartPolicy: it cannot be set here"),
    ({"spec": {"subdomain": "x"}}, "spec.subdomain: "),
    ({"spec": {"containers": None}}, "spec.containers: write a list"),
    ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers[0]: write a mapping with a name"),
    ({"spec": {"volumes": None}}, "spec.volumes: null would take away"),
    ({"spec": {"affinity": {"nodeAffinity": {}}}}, "spec.affinity.nodeAffinity: "),
    ({"metadata": {"labels": {"traindeck.dev/job": "x"}}}, "metadata.labels.traindeck.dev/job: "),
    (main(image="x"), "spec.containers[main].image: it cannot be set here; that is the field image"),
    (main(env=None), "spec.containers[main].env: null"),
    (main(env=[{"name": "MASTER_ADDR", "value": "x"}]), "spec.containers[main].env[MASTER_ADDR]: "),
    (main(env=[{"name": "TOKEN", "value": "x"}]), "spec.containers[main].env[TOKEN]: "),
    (main(resources={"limits": {"nvidia.com/gpu": 8}}), "that is the field gpus"),
    (
        main(env=[{"name": "A", "value": 1}]),
        "spec.containers[main].env[A].value: write text; put it in quotes",
    ),
    (main(imagePullPolice="Always"), "spec.containers[main].imagePullPolice: a pod has no such field there"),
    (
        {"spec": {"volumes": [{"name": "a", "emptyDir": {"sizLimit": 1}}]}},
        "spec.volumes[a].emptyDir.sizLimit: ",
    ),
    ({"spec": {"volumes": "x"}}, "spec.volumes: write a list"),
    ({"spec": {"hostNetwork": "yes"}}, "spec.hostNetwork: write true or false"),
]


@pytest.mark.parametrize(("patch", "words"), REFUSED)
def test_what_is_wrong_is_told_with_its_path(patch: dict[str, Any], words: str) -> None:
    asked = spec(nodes=2, secrets=["TOKEN"], node_names=["a"], pod=patch)
    assert words in validation.patch_errors(asked, PLAIN)
    site = KubernetesSettings(pod_template=patch)
    found = validation.patch_errors(spec(nodes=2, secrets=["TOKEN"], node_names=["a"]), site)
    if "TOKEN" not in words:  # a site's variable gives way to the job's own
        assert words in found
        assert found.startswith("the site's kubernetes.pod_template: ")
    with pytest.raises(Refused) as refused:
        render_manifests(asked, PLAIN, seen("n"), secrets=VALUES)
    assert set(refused.value.fields) == {"pod"}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ([], "write a mapping"),
        ("{", "is no JSON"),
        ({"sepc": {}}, "a pod template has metadata and spec"),
        ({"metadata": {"name": "x"}}, "metadata.name: its metadata has labels and annotations"),
        ({"spec": {"$patch": "replace"}}, "directives are not known here"),
        ({"spec": {"a": float("nan")}}, "spec.a: put it in quotes"),
        ({"spec": {1: 2}}, "put it in quotes"),
        ({"spec": {"a": "x" * 200_000}}, "characters; at most"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_what_is_no_patch_is_refused_in_words(patch: Any, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        spec(pod=patch)
    assert words in refused.value.fields["pod"]


def test_a_patch_without_end_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(Invalid, match="levels"):
        spec(pod={"spec": deep})


@pytest.mark.parametrize(
    ("path", "theirs"),
    [
        ("spec.template.spec.initContainers[0].image", True),
        ("spec.volumes[1].emptyDir.medium", True),
        ("spec.template.spec.containers[0].resources.limits[rdma/hca]", True),
        ("spec.template.spec.containers[0].image", False),
        ("spec.template.spec.priorityClassName", False),
        ("metadata.name", False),
    ],
)
def test_whose_a_fault_is(path: str, theirs: bool) -> None:
    assert is_of_patch(path, PATCH) is theirs
