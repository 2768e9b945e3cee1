"""JobSpecs of all sorts: a table that real servers are asked about, and a strategy for hypothesis."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from backend_client.errors import Invalid
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.settings import GpuType, IngressSettings, KubernetesSettings, Toleration
from backend_client.models import JobSpec
from backend_client.models.fields import parse_spec
from backend_client.models.secret import Secret

IMAGE = "pytorch/pytorch:2.9.0"


def spec(**fields: Any) -> JobSpec:
    """A valid spec; what is not given is the least that a cluster needs."""
    return parse_spec({"name": "bert", "image": IMAGE, **fields})


def node(name: str = "gpu-1", product: str = "NVIDIA-A100-SXM4-80GB", gpus: int = 8, **more: Any) -> Node:
    """A node that is ready; `label` names its product, `taints` as key, value, effect."""
    labels = {more.get("label", "nvidia.com/gpu.product"): product}
    taints = [dict(zip(("key", "value", "effect"), taint, strict=True)) for taint in more.get("taints", ())]
    raw = {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": taints, "unschedulable": more.get("cordoned", False)},
        "status": {
            "allocatable": {"nvidia.com/gpu": str(gpus)},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    return msgspec.convert(raw, Node)


TAINTED = node("h100-1", "NVIDIA-H100-80GB-HBM3", taints=[("nvidia.com/gpu", "", "NoSchedule")])
NODES = (node(), node("a100-2"), TAINTED)
PLAIN = KubernetesSettings()
SITE = KubernetesSettings(
    gpu_types={
        "B200": GpuType(
            labels={"example.org/gpu": "b200"},
            tolerations=(Toleration("b200", "yes", "NoSchedule"),),
            runtime_class="nvidia",
        )
    },
    ingress=IngressSettings(
        host="{name}.{namespace}.gpu.example.org",
        class_name="nginx",
        tls=True,
        tls_secret="gpu-tls",
        annotations={"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"},
    ),
)
PATCH = {
    "metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "rdma"}},
    "spec": {
        "initContainers": [{"name": "fetch", "image": IMAGE, "command": ["true"]}],
        "volumes": [{"name": "huge", "emptyDir": {"medium": "HugePages"}}],
        "tolerations": [{"key": "rdma", "operator": "Exists"}],
        "containers": [
            {
                "name": "main",
                "resources": {"limits": {"hugepages-2Mi": "64Mi", "rdma/hca": 1}},
                "volumeMounts": [{"name": "huge", "mountPath": "/hugepages"}],
                "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
            }
        ],
    },
}
PATCHED = KubernetesSettings(
    pod_template={
        "spec": {
            "terminationGracePeriodSeconds": 90,
            "containers": [
                {"name": "main", "env": [{"name": "A", "value": "site"}, {"name": "B", "value": "b"}]}
            ],
        }
    }
)
"""A site's patch, and above it one for RDMA."""
VALUES = {"HF_TOKEN": Secret("hf_x"), "ODD": Secret("\udcff\n")}

TABLE: dict[str, tuple[JobSpec, KubernetesSettings, dict[str, Any]]] = {
    "least": (spec(), PLAIN, {}),
    "deployment": (
        spec(kind="deployment", command=["python", "serve.py"], gpus=1, replicas=2, ports=[8080]), PLAIN, {},
    ),
    "host, class and TLS": (spec(kind="deployment", ports=["http=80:8080", "9090/UDP"]), SITE, {}),
    "host of its own": (spec(kind="deployment", ports=["80:8080"], ingress="llama.example.org"), PLAIN, {}),
    "no ingress": (spec(kind="deployment", ports=[8080], ingress="off"), SITE, {}),
    "two ports, one target": (spec(ports=["80:8080", "81:8080"]), PLAIN, {}),
    "all resources": (spec(gpus=8, cpu="500m", memory="64Gi", shm_size="8Gi"), PLAIN, {}),
    "shared memory without a limit": (spec(shm_size="1.5Gi"), PLAIN, {}),
    "ranks": (spec(nodes=4, gpus=8, ports=[6006], retries=2, max_runtime="2h"), PLAIN, {}),
    "one type": (spec(gpus=1, gpu_type="a100"), PLAIN, {"nodes": NODES}),
    "a type with a taint": (spec(gpus=1, gpu_type="H100"), PLAIN, {"nodes": NODES}),
    "a type of the settings": (spec(gpus=1, gpu_type="b200"), SITE, {}),
    "runtime class": (spec(gpus=1), PLAIN, {"runtime_classes": frozenset({"nvidia"})}),
    "restricted": (spec(shm_size="1Gi"), PLAIN, {"pod_security": "restricted"}),
    "secrets": (spec(secrets=["HF_TOKEN", "ODD"], env={"A": "$(B) $$ x"}), PLAIN, {}),
    "storage": (
        spec(volumes=["data:/data:ro", "data:/out", "/mnt:/mnt"], image_pull_secrets=["login"]), PLAIN, {},
    ),
    "folders of claims": (
        spec(volumes=["sets/in/1k:/data:ro"], outputs="results/me:/out", nodes=2), PLAIN, {},
    ),
    "everything else": (
        spec(
            workdir="/src", priority="system-node-critical", queue="research", labels={"team": "nlp"},
            annotations={"example.org/why": "because\nof this"},
        ), PLAIN, {},
    ),
    "chosen nodes": (
        spec(
            gpus=1, gpu_type="a100", node_selector={"zone": "a"}, node_names=["gpu-1", "a100-2"],
            tolerations=["dedicated=nlp:NoSchedule", "spot"],
        ), PLAIN, {"nodes": NODES},
    ),
    "nodes by name alone": (spec(node_names=["gpu-1", "gpu-2"]), PLAIN, {}),
    "patches": (
        spec(env={"A": "mine"}, secrets=["HF_TOKEN"], nodes=2, memory="1Gi", shm_size="1Gi", pod=PATCH),
        PATCHED, {},
    ),
    "a sweep": (spec(sweep="lrs/9f-1 lr=1e-4", gpus=1, gpu_type="a100"), PLAIN, {"nodes": NODES}),
    "longest name": (spec(name="n" * 63, secrets=["ODD"], ports=[80]), SITE, {}),
    "longest name of ranks": (spec(name="n" * 55, nodes=1000, secrets=["ODD"]), PLAIN, {}),
}  # fmt: skip


def seen(namespace: str, **more: Any) -> ClusterFacts:
    """What was read of a cluster."""
    return ClusterFacts(namespace=namespace, **more)


_words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
_names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
_quantities = st.sampled_from(["", "1", "500m", "1.5Gi", "64Gi", "1e3", "3M"])
_fields = {
    "kind": st.sampled_from(["job", "deployment"]),
    "command": st.lists(_words.filter(str.strip), max_size=3),
    "env": st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True), _words, max_size=3),
    "secrets": st.lists(st.sampled_from(["TOKEN", "KEY"]), max_size=2),
    "gpus": st.integers(0, 16),
    "cpu": _quantities,
    "memory": _quantities,
    "shm_size": _quantities,
    "nodes": st.integers(1, 12),
    "replicas": st.integers(1, 3),
    "ports": st.lists(
        st.fixed_dictionaries(
            {"number": st.integers(1, 65535), "protocol": st.sampled_from(["TCP", "UDP"])},
            optional={"name": st.from_regex(r"[a-z]{1,15}", fullmatch=True), "target": st.integers(1, 65535)},
        ),
        max_size=3,
    ),
    "ingress": st.sampled_from(["auto", "off", "llama.example.org"]),
    "retries": st.integers(0, 3),
    "max_runtime": st.integers(0, 100_000),
    "labels": st.dictionaries(_names, _names, max_size=2),
    "annotations": st.dictionaries(_names, _words, max_size=2),
    "outputs": st.sampled_from(["", "results", "results/me:/out", "/data/runs"]),
    "volumes": st.lists(st.builds("{}:/{}".format, _names, _names), max_size=2),
}


@st.composite
def specs(draw: st.DrawFn) -> JobSpec:
    """Any spec that people may write; fields that do not go together are left out."""
    raw = {"name": draw(_names), "image": IMAGE}
    raw |= draw(st.fixed_dictionaries({}, optional=_fields))  # type: ignore[arg-type]
    while True:
        try:
            return parse_spec(raw)
        except Invalid as error:
            for field in error.fields:
                raw.pop(field, None)
