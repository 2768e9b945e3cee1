"""What a job's objects may have in them: all that traindeck writes passes, and nothing that could do harm."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.jobs.images import full_reference, is_allowed
from backend.jobs.manifest_policy import ManifestPolicy
from backend.jobs.namespaces import namespace_of
from backend.jobs.request_body import parse_job_body
from backend.settings import ServerSettings
from backend_client.errors import Invalid, Refused
from backend_client.kubernetes.manifests.render import render_manifests
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.settings import IngressSettings, KubernetesSettings
from backend_client.models.code import Code
from backend_client.models.parsers import _label
from backend_client.models.secret import Secret
from tests.backend_client.kubernetes.support.specs import spec

PLAIN = KubernetesSettings()
HOME = "td-ann-0123456789"
FULL = {
    "job": {
        "nodes": 2,
        "ports": [8080],
        "secrets": ["TOKEN"],
        "gpus": 1,
        "shm_size": "1Gi",
        "env": {"A": "b"},
    },
    "deployment": {"kind": "deployment", "replicas": 2, "ports": ["http=80:8080"], "volumes": ["data:/data"]},
    "folders of claims": {"volumes": ["sets/in:/data:ro"], "outputs": "results"},
}


def made(site=PLAIN, **fields):
    """Return (spec, manifests) as a create renders them."""
    wanted = spec(**fields)
    secrets = {name: Secret("x") for name in wanted.secrets}
    seen = ClusterFacts(namespace=HOME)
    return wanted, render_manifests(wanted, site, seen, key="k", owner="ann", server="s", secrets=secrets)


def refusal(wanted, manifests, site=PLAIN, **rules):
    """Return the fields that are refused, and the message."""
    shared = rules.pop("shared", False)
    look = ManifestPolicy(ServerSettings(**rules), site, HOME, shared=shared).check_for(wanted)
    try:
        look(manifests)
    except Refused as error:
        return set(error.fields), error.title
    return set(), ""


def changed(manifests, path, value):
    """Return the manifests with another value at a path of the first."""
    place = anchor = copy.deepcopy(manifests[0])
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return [anchor, *manifests[1:]]


@pytest.mark.parametrize("kind", FULL)
def test_what_traindeck_writes_passes(kind):
    assert refusal(*made(**FULL[kind])) == (set(), "")


FIELDS = {
    "volumes": ({"volumes": ["/etc:/host"]}, {"host_paths": ("/data",)}),
    "priority": ({"priority": "system-node-critical"}, {"priorities": ("high",)}),
    "queue_priority": ({"queue_priority": "urgent"}, {"queue_priorities": ("low",)}),
    "tolerations": ({"tolerations": ["dedicated=nlp"]}, {"tolerations": ("spot",)}),
    "image": ({"image": "evil.example/x"}, {"images": ("ghcr.io/lab",)}),
    "annotations": ({"annotations": {"k8s.v1.cni.cncf.io/networks": "host"}}, {}),
    "labels": ({"labels": {"app.kubernetes.io/name": "x"}}, {}),
    "labels of a queue": ({"labels": {"kueue.x-k8s.io/priority-class": "urgent"}}, {}),
    "ingress": ({"ports": [80], "ingress": "bank.example.org"}, {"ingress_suffix": "gpu.example.org"}),
}


@pytest.mark.parametrize("field", FIELDS)
def test_what_a_person_may_not_is_refused_by_its_field(field):
    fields, rules = FIELDS[field]
    found, words = refusal(*made(**fields), **rules)
    assert found == {field.split()[0]}
    assert "does not allow" in words


ALLOWED = {
    "volumes": ({"volumes": ["/data/sets:/data"]}, {"host_paths": ("/data",)}),
    "priority": ({"priority": "high"}, {"priorities": ("high",)}),
    "queue_priority": ({"queue_priority": "low"}, {"queue_priorities": ("low",)}),
    "image": ({"image": "ghcr.io/lab/train:1"}, {"images": ("ghcr.io/lab",)}),
    "annotations": ({"annotations": {"lab.example/x": "y", "note": "z"}}, {"annotations": ("lab.example",)}),
    "sweep": ({"sweep": "lrs/9f-1 lr=1e-4"}, {}),
    "ingress": (
        {"ports": [80], "ingress": f"a.{HOME}.gpu.example.org"},
        {"ingress_suffix": "gpu.example.org"},
    ),
}


@pytest.mark.parametrize("field", ALLOWED)
def test_what_the_settings_allow_passes(field):
    fields, rules = ALLOWED[field]
    assert refusal(*made(**fields), **rules) == (set(), "")


@pytest.mark.parametrize("path", ["/database", "/data/../etc", "/", "/dat"])
def test_a_folder_beside_an_allowed_one_is_none(path):
    assert refusal(*made(volumes=[f"{path}:/x"]), host_paths=("/data",))[0] == {"volumes"}


def test_hosts_of_another_person_and_of_nobody():
    rules = {"ingress_suffix": "gpu.example.org"}
    theirs = made(ports=[80], ingress="a.td-bob-99.gpu.example.org")
    assert refusal(*theirs, **rules)[0] == {"ingress"}
    assert refusal(*theirs, shared=True, **rules) == (set(), "")
    assert refusal(*made(ports=[80], ingress="gpu.example.org"), **rules)[0] == {"ingress"}
    site = KubernetesSettings(
        ingress=IngressSettings(host="{name}.gpu.example.org", annotations={"nginx.example/x": "1"})
    )
    assert refusal(*made(site, ports=[80]), site) == (set(), "")


def with_code(**fields):
    """Return (spec, manifests) of a job with code of two parts."""
    code = Code(sha256="a" * 64, files=2, size=1_500_000, commit="b" * 40)
    wanted = spec(code=f"sha256:{code.sha256}", **fields)
    seen = ClusterFacts(namespace=HOME, code=code)
    return wanted, render_manifests(wanted, PLAIN, seen, key="k", owner="ann", server="s")


@pytest.mark.parametrize("kind", ["job", "deployment"])
def test_code_passes(kind):
    assert refusal(*with_code(kind=kind)) == (set(), "")


POD = ["spec", "template", "spec"]
CODE_HARM = {
    "another's Secret": ([*POD, "volumes", 0, "projected", "sources", 0, "secret", "name"], "other-code-0"),
    "a token": ([*POD, "volumes", 0, "projected", "sources"], [{"serviceAccountToken": {"path": "t"}}]),
    "another command": ([*POD, "initContainers", 0, "command"], ["sh", "-c", "true"]),
    "another container": ([*POD, "initContainers", 0, "name"], "mine"),
    "privileged": ([*POD, "initContainers", 0, "securityContext", "privileged"], True),
    "no context": ([*POD, "initContainers", 0, "securityContext"], None),
    "what restarts": ([*POD, "initContainers", 0, "restartPolicy"], "Always"),
    "environment": ([*POD, "initContainers", 0, "env"], [{"name": "A", "value": "b"}]),
}


@pytest.mark.parametrize("harm", CODE_HARM)
def test_code_is_no_way_for_anything_else(harm):
    wanted, manifests = with_code()
    assert refusal(wanted, changed(manifests, *CODE_HARM[harm]))[1]


REQUIRED, OS = "requiredDuringSchedulingIgnoredDuringExecution", "kubernetes.io/os"
HARM = {
    "hostNetwork": ([*POD, "hostNetwork"], True),
    "pod affinity": ([*POD, "affinity"], {"podAffinity": {}}),
    "off all pods": (
        [*POD, "affinity"],
        {
            "podAntiAffinity": {
                REQUIRED: [{"topologyKey": OS, "labelSelector": {"matchLabels": {"app": "x"}}}]
            }
        },
    ),
    "off a zone": ([*POD, "affinity"], {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone"}]}}),
    "off everywhere": (
        [*POD, "affinity"],
        {"podAntiAffinity": {REQUIRED: [{"topologyKey": OS, "namespaceSelector": {}}]}},
    ),
    "off any sweep": (
        [*POD, "affinity"],
        {
            "podAntiAffinity": {
                REQUIRED: [
                    {
                        "topologyKey": OS,
                        "labelSelector": {
                            "matchExpressions": [{"key": "traindeck.dev/turn", "operator": "Exists"}]
                        },
                    }
                ]
            }
        },
    ),
    "hostPID": ([*POD, "hostPID"], True),
    "nodeName": ([*POD, "nodeName"], "node-1"),
    "account": ([*POD, "serviceAccountName"], "admin"),
    "token": ([*POD, "automountServiceAccountToken"], True),
    "scheduler": ([*POD, "schedulerName"], "mine"),
    "init": ([*POD, "initContainers"], [{"name": "x", "image": "y"}]),
    "ephemeral": ([*POD, "ephemeralContainers"], [{}]),
    "privileged": ([*POD, "containers", 0, "securityContext", "privileged"], True),
    "escalation": ([*POD, "containers", 0, "securityContext", "allowPrivilegeEscalation"], True),
    "capabilities": ([*POD, "containers", 0, "securityContext", "capabilities"], {"add": ["SYS_ADMIN"]}),
    "no context": ([*POD, "containers", 0, "securityContext"], None),
    "seccomp": ([*POD, "securityContext", "seccompProfile"], {"type": "Unconfined"}),
    "host port": ([*POD, "containers", 0, "ports"], [{"containerPort": 80, "hostPort": 80}]),
    "envFrom": ([*POD, "containers", 0, "envFrom"], [{"secretRef": {"name": "another"}}]),
    "secret": (
        [*POD, "containers", 0, "env"],
        [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "another", "key": "k"}}}],
    ),
    "field": (
        [*POD, "containers", 0, "env"],
        [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    ),
    "secret volume": ([*POD, "volumes"], [{"name": "v", "secret": {"secretName": "another"}}]),
    "projected": ([*POD, "volumes"], [{"name": "v", "projected": {"sources": []}}]),
    "nfs": ([*POD, "volumes"], [{"name": "v", "nfs": {"server": "x", "path": "/"}}]),
    "namespace": (["metadata", "namespace"], "kube-system"),
    "owner": (["metadata", "ownerReferences"], [{}]),
    "finalizer": (["metadata", "finalizers"], ["x/y"]),
    "lifecycle": ([*POD, "containers", 0, "lifecycle"], {}),
    "second image": ([*POD, "containers"], [{"name": "a", "image": "evil/x", "securityContext": None}]),
    "kind": (["kind"], "ClusterRoleBinding"),
}


@pytest.mark.parametrize("name", HARM)
@pytest.mark.parametrize("kind", FULL)
def test_whoever_wrote_it_what_could_do_harm_is_refused(kind, name):
    wanted, manifests = made(**FULL[kind])
    assert refusal(wanted, changed(manifests, *HARM[name]))[1]


def test_a_service_opens_no_node_and_takes_no_address():
    wanted, manifests = made(**FULL["job"])
    service = next(one for one in manifests if one["kind"] == "Service")
    for key, value in (("type", "NodePort"), ("externalIPs", ["1.2.3.4"]), ("externalName", "x.example")):
        changed = {**service, "spec": {**service["spec"], key: value}}
        assert refusal(wanted, [changed])[1]


@pytest.mark.parametrize(
    ("image", "meant"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("lab/train:1", "docker.io/lab/train:1"),
        ("ghcr.io/lab/x@sha256:1", "ghcr.io/lab/x@sha256:1"),
        ("localhost/x", "localhost/x"),
        ("host:5000/x", "host:5000/x"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
    ],
)
def test_the_whole_name_of_an_image(image, meant):
    assert full_reference(image) == meant


def test_an_image_is_of_a_place_or_not():
    assert is_allowed("anything", ())
    assert is_allowed("ghcr.io/lab/x:1", ["ghcr.io/lab/"])
    assert is_allowed("nginx:1", ["docker.io/library/nginx"])
    for image in ("ghcr.io/labs/x", "ghcr.io.evil/lab/x", "lab/x", "evil/ghcr.io/lab/x"):
        assert not is_allowed(image, ["ghcr.io/lab"])


SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease", "traindeck")
LOOKALIKES = (
    "a.lice",
    "a-lice",
    "a_lice",
    "a lice",
    "alice",
    "a" * 64,
    "a" * 65,
    "älice",
    "kube-system",
    "...",
    "-",
)


def test_names_that_look_alike_never_meet():
    found = {namespace_of("s", name) for name in LOOKALIKES} | {namespace_of("t", "alice")}
    assert len(found) == len(LOOKALIKES) + 1


@given(st.text(), st.text())
@settings(max_examples=300)
def test_a_namespace_is_one_persons_and_never_the_systems(one, other):
    found = namespace_of("s", one)
    assert _label(found) == found
    assert found.startswith("td-")
    assert found not in SYSTEM
    assert len(found) <= 63
    assert (found == namespace_of("s", other)) == (one == other)


BODY = b"""{"deploymentName": "web", "imageName": "nginx", "command": "python serve.py",
 "resources": {"limits": {"cpu": "1", "memory": "2Gi", "nvidia.com/gpu": 2}, "requests": {"cpu": "500m"}},
 "ports": [80, {"containerPort": 8080, "protocol": "TCP"},
           {"name": "web", "port": 81, "targetPort": 8081}]}"""


def test_the_names_of_a_deployments_api_are_taken():
    found, secrets = parse_job_body(BODY, "nvidia.com/gpu")
    assert secrets == {}
    assert (found.name, found.image, found.kind) == ("web", "nginx", "deployment")
    assert (found.cpu, found.memory, found.gpus, found.command) == ("1", "2Gi", 2, ("python", "serve.py"))
    assert [(port.number, port.target, port.name) for port in found.ports] == [
        (80, 0, ""),
        (8080, 0, ""),
        (81, 8081, "web"),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"deploymentName": "a", "name": "b"}', "deploymentName"),
        (b'{"resources": {"limits": {"amd.com/gpu": 1}}}', "resources"),
        (b'{"resources": {"limits": {"cpu": 1}}, "cpu": "2"}', "resources"),
        (b'{"resources": [1]}', "resources"),
        (b'{"resources": {"limits": 3}}', "resources"),
        (b'{"ports": [{"containerPort": 80, "hostPort": 80}]}', "ports"),
        (b'{"ports": [[]]}', "ports"),
        (b'{"secrets": {"A": 1}}', "secrets"),
        (b'{"hostNetwork": true}', "hostNetwork"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_by_field(body, field):
    with pytest.raises(Invalid) as caught:
        parse_job_body(body, "nvidia.com/gpu")
    assert set(caught.value.fields) == {field}


def test_a_person_chooses_nodes_and_tolerates_what_the_settings_list():
    chosen = {
        "node_selector": {"zone": "a"},
        "node_names": ["a"],
        "tolerations": ["spot:NoSchedule"],
        "gpus": 1,
    }
    assert refusal(*made(**chosen), tolerations=("spot",)) == (set(), "")


PATCHES = [
    {"hostNetwork": True},
    {"hostPID": True},
    {"serviceAccountName": "admin"},
    {"nodeName": "gpu-1"},
    {"initContainers": [{"name": "i", "image": "x"}]},
    {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
    {"containers": [{"name": "main", "securityContext": {"privileged": True}}]},
    {"containers": [{"name": "side", "image": "x"}]},
]


@pytest.mark.parametrize("pod", PATCHES)
def test_no_patch_of_a_person_gets_past_the_rules_even_where_the_field_would(pod):
    assert refusal(*made(pod={"spec": pod}))[1]
