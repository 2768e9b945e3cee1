"""JobSpec -> objects: what they say, that they say it in valid words, and that a real server takes them."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from backend_client.errors import Invalid, Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.networking import job_url
from backend_client.kubernetes.manifests.pod_template import escape_expansion
from backend_client.kubernetes.manifests.render import (
    Manifest,
    extend_patch,
    held_back,
    release_patch,
    render_manifests,
    resume_patch,
    stop_patch,
    with_owner,
)
from backend_client.kubernetes.manifests.validation import errors, warnings
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import GpuType, KubernetesSettings
from backend_client.kubernetes.status.spec_from_objects import outputs_of, own_spec, spec_of
from backend_client.models import JobSpec
from backend_client.models.fields import parse_spec
from backend_client.models.outputs import OUTPUT_DIR, Outputs, own_folder
from backend_client.models.secret import Secret
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.backend_client.kubernetes.support.specs import (
    NODES,
    SITE,
    TABLE,
    VALUES,
    node,
    seen,
    spec,
    specs,
)

HERE = seen("team-a")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAIN_SITE = KubernetesSettings()
TYPES = {"Deployment": Deployment, "Job": KubeJob}


def made(asked: JobSpec, site: KubernetesSettings = PLAIN_SITE, **around: Any) -> dict[str, Manifest]:
    """kind/name -> object."""
    found = render_manifests(asked, site, seen("team-a", **around))
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in found}


def pod_of(asked: JobSpec, site: KubernetesSettings = PLAIN_SITE, **around: Any) -> Manifest:
    return render_manifests(asked, site, seen("team-a", **around))[0]["spec"]["template"]["spec"]


def env_of(asked: JobSpec) -> dict[str, Any]:
    return {
        entry["name"]: entry.get("value", entry.get("valueFrom"))
        for entry in pod_of(asked)["containers"][0]["env"]
    }


def as_answered(anchor: Manifest) -> Manifest:
    return {**anchor, "metadata": anchor["metadata"] | {"uid": "u-1"}}


# What there is


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({}, ["Job/bert"]),
        ({"kind": "deployment"}, ["Deployment/bert"]),
        ({"kind": "deployment", "ports": [80]}, ["Deployment/bert", "Service/bert", "Ingress/bert"]),
        ({"ports": [80], "ingress": "off"}, ["Job/bert", "Service/bert"]),
        ({"ports": ["53/UDP"]}, ["Job/bert", "Service/bert"]),
        ({"nodes": 2}, ["Job/bert", "Service/bert-ranks"]),
        ({"secrets": ["A"], "nodes": 2, "ports": [80]},
         ["Job/bert", "Secret/bert-secrets", "Service/bert", "Service/bert-ranks", "Ingress/bert"]),
    ],
)  # fmt: skip
def test_anchor_first_then_the_parts_that_are_needed(fields: dict[str, Any], parts: list[str]) -> None:
    assert list(made(spec(**fields))) == parts


def test_a_site_can_leave_urls_out() -> None:
    quiet = msgspec.convert({"ingress": {"default": False}}, KubernetesSettings)
    assert "Ingress/bert" not in made(spec(ports=[80]), quiet)
    assert "Ingress/bert" in made(spec(ports=[80], ingress="a.example.org"), quiet)


@pytest.mark.parametrize(
    ("site", "ingress", "where"),
    [
        (KubernetesSettings(), "auto", "/team-a/bert"),
        (SITE, "auto", "https://bert.team-a.gpu.example.org/"),
        (SITE, "off", ""),
        (KubernetesSettings(), "llama.example.org", "http://llama.example.org/"),
    ],
)
def test_the_url_is_said_before_and_written_down(site: KubernetesSettings, ingress: str, where: str) -> None:
    asked = spec(ports=[80], ingress=ingress)
    assert job_url(asked, "team-a", site) == where
    annotations = made(asked, site)["Job/bert"]["metadata"]["annotations"]
    assert annotations.get(labels.URL, "") == where


def test_pods_are_confined() -> None:
    pod = pod_of(spec())
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_root_only_where_the_namespace_allows_it() -> None:
    restricted = seen("team-a", pod_security="restricted")
    context = pod_of(spec(), KubernetesSettings(run_as_user=7), pod_security="restricted")["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == 7
    assert any(
        "runs as user 1000" in notice.message for notice in warnings(spec(), KubernetesSettings(), restricted)
    )
    assert not warnings(spec(), KubernetesSettings(), HERE)


def test_shared_memory_comes_on_top_of_the_memory() -> None:
    pod = pod_of(spec(memory="64Gi", shm_size="8Gi"))
    assert pod["containers"][0]["resources"] == {"limits": {"memory": "72Gi"}}
    assert pod["volumes"] == [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    assert pod["containers"][0]["volumeMounts"] == [{"name": "shm", "mountPath": "/dev/shm"}]


def test_ranks_get_what_torchrun_reads() -> None:
    env = env_of(spec(nodes=3, gpus=8, env={"MASTER_PORT": "1234"}))
    assert env["PET_MASTER_ADDR"] == "bert-0.bert-ranks"
    assert env["MASTER_PORT"] == "1234"
    assert (env["PET_NNODES"], env["PET_NPROC_PER_NODE"]) == ("3", "8")
    assert labels.INDEX in env["PET_NODE_RANK"]["fieldRef"]["fieldPath"]
    service = made(spec(nodes=3))["Service/bert-ranks"]["spec"]
    assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)


@pytest.mark.parametrize("gpus", [0, 1])
def test_one_process_a_node_gets_its_rank_without_a_launcher(gpus: int) -> None:
    env = env_of(spec(nodes=3, gpus=gpus))
    assert (env["WORLD_SIZE"], env["LOCAL_RANK"], env["RANK"]) == ("3", "0", env["PET_NODE_RANK"])
    assert env_of(spec(nodes=3, gpus=gpus, env={"RANK": "7", "WORLD_SIZE": "9"}))["RANK"] == "7"
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK"} & set(env_of(spec(nodes=3, gpus=2)))
    assert not {"RANK", "WORLD_SIZE", "LOCAL_RANK"} & set(env_of(spec(gpus=gpus)))


def test_outputs_are_a_folder_of_the_jobs_own_at_every_rank() -> None:
    asked = spec(outputs="results/me:/out", volumes=["results:/all:ro"], nodes=2)
    root = render_manifests(asked, PLAIN_SITE, HERE, key="k")[0]
    pod = root["spec"]["template"]["spec"]
    folder = f"me/{own_folder('bert', 'k')}"
    assert pod["volumes"] == [{"name": "volume-0", "persistentVolumeClaim": {"claimName": "results"}}]
    assert pod["containers"][0]["volumeMounts"] == [
        {"name": "volume-0", "mountPath": "/all", "readOnly": True},
        {"name": "volume-0", "mountPath": "/out", "subPath": folder},
    ]
    assert {"name": "TRAINDECK_OUTPUT_DIR", "value": "/out"} in pod["containers"][0]["env"]
    recorded = outputs_of(msgspec.convert(root, KubeJob))
    assert recorded == Outputs(path="/out", claim="results", sub_path=folder)
    assert OUTPUT_DIR not in env_of(spec())
    assert env_of(spec(outputs="results", env={OUTPUT_DIR: "mine"}))[OUTPUT_DIR] == "mine"


def test_a_folder_of_a_claim_is_read_back() -> None:
    root = render_manifests(spec(volumes=["sets/in:/data:ro", "/mnt:/m"]), PLAIN_SITE, HERE)[0]
    root["metadata"]["annotations"] = {}
    root["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][1]["subPath"] = "below"
    derived = spec_of(msgspec.convert(root, KubeJob), PLAIN_SITE)
    assert derived.volumes == parse_spec({"volumes": ["sets/in:/data:ro", "/mnt/below:/m"]}).volumes


def test_output_is_unbuffered_unless_told_otherwise() -> None:
    assert env_of(spec()) == {"PYTHONUNBUFFERED": "1"}
    assert env_of(spec(env={"PYTHONUNBUFFERED": ""})) == {"PYTHONUNBUFFERED": ""}


def test_a_job_spends_no_retry_on_preemption() -> None:
    body = render_manifests(spec(retries=3, max_runtime="1h"), KubernetesSettings(), HERE)[0]["spec"]
    assert (body["backoffLimit"], body["activeDeadlineSeconds"]) == (3, 3600)
    assert body["podFailurePolicy"]["rules"][0]["onPodConditions"] == [{"type": "DisruptionTarget"}]
    assert body["template"]["spec"]["restartPolicy"] == "Never"


# Secrets


def test_secret_values_stand_in_the_secret_only() -> None:
    found = render_manifests(spec(secrets=["HF_TOKEN", "ODD"]), KubernetesSettings(), HERE, secrets=VALUES)
    data = {name: base64.b64decode(value) for name, value in found[1]["data"].items()}
    assert data == {"HF_TOKEN": b"hf_x", "ODD": b"\xff\n"}
    assert "hf_x" not in json.dumps(found[0]) + repr(VALUES)


def test_a_plan_shows_no_value_and_a_create_wants_them_all() -> None:
    asked = spec(secrets=["HF_TOKEN"])
    assert made(asked)["Secret/bert-secrets"]["stringData"] == {"HF_TOKEN": "•••"}
    with pytest.raises(Invalid) as caught:
        render_manifests(asked, KubernetesSettings(), HERE, secrets={"OTHER": Secret("x")})
    assert "HF_TOKEN" in caught.value.fields["secrets"]


# Where it goes


def test_only_pods_with_gpus_are_placed() -> None:
    pod = pod_of(spec(), runtime_classes=frozenset({"nvidia"}), nodes=NODES)
    assert not {"affinity", "tolerations", "runtimeClassName"} & set(pod)


@pytest.mark.parametrize(
    ("wanted", "label", "values"),
    [
        ("a100", "nvidia.com/gpu.product", ["NVIDIA-A100-SXM4-80GB"]),
        ("NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.product", ["NVIDIA-H100-80GB-HBM3"]),
        ("t4", "cloud.google.com/gke-accelerator", ["nvidia-tesla-t4"]),
        ("mi300x", "amd.com/gpu.product-name", ["AMD_Instinct_MI300X"]),
        ("b200", "example.org/gpu", ["b200"]),
    ],
)
def test_a_type_is_found_by_the_labels_that_nodes_bear(wanted: str, label: str, values: list[str]) -> None:
    nodes = (
        *NODES,
        node("gke", "nvidia-tesla-t4", label="cloud.google.com/gke-accelerator"),
        node("amd", "AMD_Instinct_MI300X", label="amd.com/gpu.product-name"),
        node("sliced", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"),
        node("shared", "NVIDIA-A100-SXM4-80GB-SHARED"),
    )
    affinity = pod_of(spec(gpus=1, gpu_type=wanted), SITE, nodes=nodes)["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchExpressions": [{"key": label, "operator": "In", "values": values}]}]


def test_tolerations_are_those_of_matching_nodes_and_of_lasting_taints() -> None:
    sick = node(
        "sick",
        "NVIDIA-H100-80GB-HBM3",
        taints=[("node.kubernetes.io/unreachable", "", "NoExecute"), ("dedicated", "nlp", "NoSchedule")],
    )
    nodes = (*NODES, sick)
    assert "tolerations" not in pod_of(spec(gpus=1, gpu_type="a100"), nodes=nodes)
    assert pod_of(spec(gpus=1, gpu_type="h100"), nodes=nodes)["tolerations"] == [
        {"key": "dedicated", "value": "nlp", "effect": "NoSchedule", "operator": "Equal"},
        {"key": "nvidia.com/gpu", "effect": "NoSchedule", "operator": "Exists"},
    ]


def test_of_unseen_nodes_only_the_taint_of_the_resource_is_tolerated() -> None:
    assert [t["key"] for t in pod_of(spec(gpus=1))["tolerations"]] == ["nvidia.com/gpu"]


@pytest.mark.parametrize(
    ("fields", "around", "field", "words"),
    [
        ({"name": ""}, {}, "name", "give it a name"),
        ({"name": "n" * 60, "nodes": 2}, {}, "name", "at most 57 characters"),
        ({"name": "3d", "ports": [80]}, {}, "name", "begin with a letter"),
        ({"image": ""}, {}, "image", "a cluster runs images"),
        (
            {"gpus": 1, "gpu_type": "b100"},
            {"nodes": NODES},
            "gpu_type",
            "there is: NVIDIA-A100-SXM4-80GB, NVID",
        ),
        ({"gpus": 1, "gpu_type": "b100"}, {"nodes": ()}, "gpu_type", "no node says which GPU it has"),
        ({"volumes": ["/data:/data"]}, {"pod_security": "baseline"}, "volumes", "PodSecurity (baseline)"),
        ({"volumes": ["data:/dev/shm"], "shm_size": "1Gi"}, {}, "volumes", "leave one of them out"),
        ({"outputs": "./runs"}, {}, "outputs", "in a cluster outputs go to a claim"),
        ({"outputs": "/data/runs"}, {}, "outputs", "in a cluster outputs go to a claim"),
        ({"outputs": "~/runs"}, {}, "outputs", "in a cluster outputs go to a claim"),
        ({"outputs": "My_Claim"}, {}, "outputs", "use small letters"),
        ({"outputs": "results/../x"}, {}, "outputs", "without .."),
        ({"outputs": "results:/code"}, {}, "outputs", "/code is taken"),
        ({"ports": ["53/UDP"], "ingress": "a.example.org"}, {}, "ingress", "TCP port"),
        ({"ports": ["tcp-80=81", 80]}, {}, "ports", "would be called tcp-80"),
        ({"command": ["echo", "\udcff"]}, {}, "command", "UTF-8"),
    ],
)
def test_what_a_cluster_refuses_is_said_at_the_field(
    fields: dict[str, Any], around: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Refused) as caught:
        render_manifests(spec(**fields), KubernetesSettings(), seen("team-a", **around))
    assert list(caught.value.fields) == [field]
    assert words in caught.value.fields[field]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"gpus": 16}, "gpus", "no node has 16 GPUs; the largest has 8"),
        ({"gpus": 16, "gpu_type": "h100"}, "gpus", "no node has 16 GPUs of the type h100; the largest has 8"),
        ({"cpu": "500"}, "cpu", "no node has 500; the largest has 96"),
        ({"memory": "2Ti"}, "memory", "no node has 2Ti; the largest has 1022Gi"),
        ({"memory": "1000Gi", "shm_size": "100Gi"}, "memory", "no node has 1100Gi; the largest has 1022Gi"),
    ],
)
def test_what_no_node_can_ever_hold_is_a_warning(fields: dict[str, Any], field: str, words: str) -> None:
    sized = {"nvidia.com/gpu": "8", "cpu": "96", "memory": "1071644672Ki"}
    nodes = tuple(replace(node, status=replace(node.status, allocatable=sized)) for node in NODES)
    asked, facts = spec(**fields), seen("team-a", nodes=nodes)
    assert not errors(asked, KubernetesSettings(), facts)
    notices = {n.field: n.message for n in warnings(asked, KubernetesSettings(), facts)}
    assert notices[field] == words
    assert field not in {n.field for n in warnings(asked, KubernetesSettings(), seen("team-a"))}


def test_a_gpu_type_that_cannot_be_checked_is_asked_for_as_typed_and_by_its_known_names() -> None:
    asked, facts = spec(gpus=1, gpu_type="H100"), seen("team-a")
    assert not errors(asked, KubernetesSettings(), facts)
    affinity = pod_of(asked)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    expressions = [term["matchExpressions"][0] for term in affinity["nodeSelectorTerms"]]
    by_label = {expression["key"]: expression for expression in expressions}
    values = by_label["nvidia.com/gpu.product"]["values"]
    assert values[0] == "H100"
    assert {"NVIDIA-H100-80GB-HBM3", "nvidia-h100-80gb"} < set(values)
    assert not any("H200" in value or "A100" in value for value in values)
    assert by_label.keys() >= {"cloud.google.com/gke-accelerator", "amd.com/gpu.product-name"}
    [notice] = warnings(asked, KubernetesSettings(), facts)
    assert (notice.field, notice.message[:34]) == ("gpu_type", "H100 cannot be checked, as you may")


def test_a_gpu_type_of_the_settings_needs_no_nodes() -> None:
    site = KubernetesSettings(gpu_types={"big": GpuType(labels={"gpu": "h100"})})
    assert not warnings(spec(gpus=1, gpu_type="big"), site, seen("team-a"))


# Held, released, stopped, resumed


@pytest.mark.parametrize(
    ("fields", "stopped", "going"),
    [
        ({"kind": "deployment", "replicas": 3}, {"replicas": 0}, {"replicas": 3}),
        ({}, {"suspend": True}, {"suspend": False}),
    ],
)
def test_hold_release_stop_resume(
    fields: dict[str, Any], stopped: dict[str, Any], going: dict[str, Any]
) -> None:
    asked = spec(**fields)
    anchor = as_answered(render_manifests(asked, KubernetesSettings(), HERE)[0])
    waiting = held_back(anchor)
    assert waiting["spec"] == anchor["spec"] | stopped
    assert waiting["metadata"]["annotations"][labels.HELD] == "true"
    released = release_patch(waiting, asked)
    assert released == {"metadata": {"uid": "u-1", "annotations": {labels.HELD: None}}, "spec": going}
    halted = stop_patch(anchor, NOW)
    assert halted["spec"] == stopped
    after = {**anchor, "spec": anchor["spec"] | stopped}
    after["metadata"] = anchor["metadata"] | {"annotations": halted["metadata"]["annotations"]}
    assert resume_patch(after, asked, NOW)["spec"] == going
    assert resume_patch(after, asked, NOW)["metadata"]["annotations"] == {
        labels.STOPPED: None,
        labels.REPLICAS: None,
        labels.PAUSES: f"{NOW.isoformat()}/{NOW.isoformat()}",
    }
    for _ in range(15):
        pauses = resume_patch(after, asked, NOW)["metadata"]["annotations"][labels.PAUSES]
        after["metadata"]["annotations"] |= {labels.PAUSES: pauses}
    assert len(after["metadata"]["annotations"][labels.PAUSES].split()) == labels.PAUSES_KEPT


def test_stopping_twice_keeps_the_number_of_replicas() -> None:
    anchor = as_answered(render_manifests(spec(kind="deployment", replicas=3), KubernetesSettings(), HERE)[0])
    anchor["spec"]["replicas"] = 0
    assert labels.REPLICAS not in stop_patch(anchor, NOW)["metadata"]["annotations"]


def test_kueue_starts_what_it_queues() -> None:
    anchor = as_answered(render_manifests(spec(queue="research"), KubernetesSettings(), HERE)[0])
    assert anchor["metadata"]["labels"][labels.QUEUE] == "research"
    assert "spec" not in release_patch(anchor, spec(queue="research"))


def test_the_time_limit_of_a_job_that_kueue_runs_is_lifted_while_it_is_stopped() -> None:
    """Kueue would undo a suspend, which alone stops the clock of a time limit."""
    asked = spec(queue="research", nodes=2, max_runtime=60)
    anchor = as_answered(render_manifests(asked, KubernetesSettings(), HERE)[0])
    assert stop_patch(anchor, NOW)["spec"] == {"parallelism": 0, "activeDeadlineSeconds": None}
    anchor["metadata"]["annotations"][labels.REPLICAS] = "2"
    assert resume_patch(anchor, asked, NOW)["spec"] == {"parallelism": 2, "activeDeadlineSeconds": 60}
    assert resume_patch(anchor, spec(queue="research", nodes=2), NOW)["spec"] == {"parallelism": 2}


def test_parts_go_with_the_anchor() -> None:
    anchor, service = render_manifests(spec(ports=[80], ingress="off"), KubernetesSettings(), HERE)
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "bert", "uid": "u-1"}
    assert with_owner(service, as_answered(anchor))["metadata"]["ownerReferences"] == [owner]
    assert "ownerReferences" not in service["metadata"]


# Any spec

LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?")


@given(specs())
def test_any_spec_is_refused_in_words_or_made_of_valid_names_and_read_back(asked: JobSpec) -> None:
    around = seen("team-a", nodes=NODES)
    if wrong := errors(asked, SITE, around):
        assert all(wrong.values())
        return
    found = render_manifests(asked, SITE, around)
    for item in found:
        assert NAME.fullmatch(item["metadata"]["name"])
        for key, value in item["metadata"]["labels"].items():
            assert LABEL.fullmatch(key.rpartition("/")[2])
            assert LABEL.fullmatch(value)
    anchor = msgspec.json.decode(msgspec.json.encode(found[0]), type=TYPES[found[0]["kind"]])
    assert own_spec(anchor) == asked
    assert spec_of(anchor, SITE) == msgspec.structs.replace(asked, namespace="team-a")


@given(specs())
def test_a_spec_is_derived_from_objects_that_lost_their_annotation(asked: JobSpec) -> None:
    if errors(asked, SITE, HERE):
        return
    anchor = render_manifests(asked, SITE, HERE)[0]
    anchor["metadata"]["annotations"] = {}
    derived = spec_of(msgspec.convert(anchor, TYPES[anchor["kind"]]), SITE)
    same = ("name", "kind", "image", "gpus", "cpu", "nodes", "replicas", "retries", "max_runtime", "secrets")
    assert {f: getattr(derived, f) for f in same} == {f: getattr(asked, f) for f in same}


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("", None),
        ("{", None),
        ("[" * 100_000, None),
        ('{"gpus": "many"}', None),
        ('{"image": "a", "from_the_future": 1}', "a"),
    ],
)
def test_a_spoilt_annotation_is_not_ours(text: str, image: str | None) -> None:
    raw = {"metadata": {"name": "x", "annotations": {labels.SPEC: text}}}
    found = own_spec(msgspec.convert(raw, KubeJob))
    assert (found and found.image) == image


def expand(text: str) -> str:
    """What the kubelet makes of a command with no variable set: third_party/forked/golang/expansion."""
    out, at = "", 0
    while at < len(text):
        following = text[at + 1 : at + 2]
        closer = text.find(")", at)
        if text[at] != "$" or not following:
            out, at = out + text[at], at + 1
        elif following == "(" and closer > 0:
            out, at = out + "VALUE", closer + 1
        else:
            out, at = out + ("$" if following == "$" else text[at : at + 2]), at + 2
    return out


@given(st.text("$()aH{}"))
def test_kubernetes_hands_on_every_word_as_it_was_written(text: str) -> None:
    assert expand(escape_expansion(text)) == text


# A real server


@pytest.fixture(scope="module")
def live(shared_cluster: Cluster) -> Live:
    return Live(shared_cluster.kubeconfig)


@pytest.fixture(scope="module")
def homes(live: Live) -> Iterator[dict[str, str]]:
    """PodSecurity level -> a namespace that enforces it."""
    levels = {level: f"dry-{level}-{uuid4().hex[:6]}" for level in ("privileged", "restricted")}
    for level, name in levels.items():
        labels = {"pod-security.kubernetes.io/enforce": level}
        live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield levels
    for name in levels.values():
        live.call("DELETE", path_of("v1", "namespaces", name=name))


@pytest.mark.api
@pytest.mark.parametrize("row", TABLE)
def test_a_real_server_takes_every_row(live: Live, homes: dict[str, str], row: str) -> None:
    asked, site, around = TABLE[row]
    namespace = homes["restricted" if around.get("pod_security") else "privileged"]
    found = render_manifests(asked, site, seen(namespace, **around), key="k", owner="alice", secrets=VALUES)
    template = found[0]["spec"]["template"]
    metadata = template["metadata"] | {"name": "dry", "namespace": namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    pod["spec"] = {k: v for k, v in pod["spec"].items() if k not in ("runtimeClassName", "priorityClassName")}
    for item in (held_back(found[0]), *found, pod):
        status, answer = live.post(item, dryRun="All")
        assert status == 201, answer


@pytest.mark.api
def test_a_real_server_applies_every_patch(live: Live, homes: dict[str, str]) -> None:
    for kind in ("deployment", "job"):
        asked = spec(name=f"patched-{kind}", kind=kind)
        anchor = live.make(
            held_back(render_manifests(asked, KubernetesSettings(), seen(homes["privileged"]))[0])
        )
        running = live.patch(anchor, release_patch(anchor, asked))
        assert labels.HELD not in running["metadata"]["annotations"]
        halted = live.patch(running, stop_patch(running, NOW))
        again = live.patch(halted, resume_patch(halted, asked, NOW))
        assert again["spec"] == running["spec"]
        path = path_of(anchor["apiVersion"], f"{kind}s", homes["privileged"], anchor["metadata"]["name"])
        other = release_patch({**anchor, "metadata": {"uid": "another"}}, asked)
        status, answer = live.call("PATCH", path, other, media="merge-patch+json")
        assert (status, answer["details"]["causes"][0]["field"]) == (422, "metadata.uid"), answer


def test_the_table_holds_what_people_may_write() -> None:
    assert all(parse_spec(msgspec.to_builtins(row[0])) == row[0] for row in TABLE.values())


def test_a_longer_limit_stands_in_the_job_and_in_its_spec_and_nothing_else_changes():
    noted = '{"name":"x","max_runtime":60,"of_a_newer_traindeck":1}'
    root = {"kind": "Job", "metadata": {"uid": "u", "annotations": {labels.SPEC: noted}}, "spec": {}}
    patch = extend_patch(root, 3600)
    assert patch["spec"] == {"activeDeadlineSeconds": 3600}
    assert json.loads(patch["metadata"]["annotations"][labels.SPEC]) == {
        "name": "x",
        "max_runtime": 3600,
        "of_a_newer_traindeck": 1,
    }
