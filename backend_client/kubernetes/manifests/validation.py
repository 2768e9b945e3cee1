"""Validation of a JobSpec for one cluster, before anything is sent: errors and warnings by field (pure)."""

import posixpath
from collections.abc import Iterator

import msgspec

from backend_client.kubernetes.capabilities import FIELDS
from backend_client.kubernetes.manifests import pod_patch
from backend_client.kubernetes.manifests.code import FOLDER
from backend_client.kubernetes.manifests.networking import has_ingress, host, job_url, port_name, web_port
from backend_client.kubernetes.manifests.pod_template import limits, ranks_name, unpatched_template
from backend_client.kubernetes.manifests.scheduling import (
    ClusterFacts,
    chosen_nodes,
    is_unchecked,
    matching_nodes,
    placement_of,
)
from backend_client.kubernetes.manifests.storage import SHM
from backend_client.kubernetes.resources.node_gpus import no_node_has
from backend_client.kubernetes.resources.quantities import parse_quantity, parse_whole
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec
from backend_client.models.code import is_packed
from backend_client.models.fields import cross_field_errors, explicit_fields, parse_field
from backend_client.models.names import closest_match
from backend_client.models.outputs import OUTPUTS, split_outputs
from backend_client.models.quantities import memory_meaning
from backend_client.protocol import Diagnostic
from backend_client.text.figures import bytes_text


def errors(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> dict[str, str]:
    """Find why a cluster would refuse a spec: field -> sentence, the first of each field."""
    sentences = cross_field_errors(spec)
    for field, sentence in _errors(spec, site, facts):
        sentences.setdefault(field, sentence)
    return sentences


def _errors(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    if spec.cluster:
        yield "cluster", FIELDS["cluster"].why
    yield from _texts(spec)
    yield from _name(spec)
    if not spec.image:
        yield "image", "a cluster runs images; name one: pytorch/pytorch:2.9.0"
    try:
        placement_of(spec, site, facts)
    except ValueError as error:
        yield "gpu_type", str(error)
    if spec.sweep.turn and spec.queue:
        yield (
            "sweep",
            "a queue starts its jobs by what it has free; leave out queue, or the limit of the sweep",
        )
    yield from _volumes(spec, facts)
    yield from _outputs(spec)
    yield from _code(spec, facts)
    yield from _network(spec, site, facts)
    if wrong := patch_errors(spec, site):
        yield "pod", wrong


def patch_errors(spec: JobSpec, site: KubernetesSettings) -> str:
    """Find what is wrong with the patches of a job's pod template, without a cluster; "" where nothing is."""
    if not (spec.pod or site.pod_template):
        return ""
    template = unpatched_template(spec, site, ClusterFacts(namespace=""))
    return "; ".join(pod_patch.errors(spec, site, template))


def _texts(spec: JobSpec) -> Iterator[tuple[str, str]]:
    for field in explicit_fields(spec):
        try:
            msgspec.json.encode(getattr(spec, field))
        except UnicodeEncodeError:
            yield field, "is not valid UTF-8; Kubernetes takes nothing else"


def _name(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Check a name: a pod's host name is NAME-RANK, at most 63 characters; a Service begins with a letter."""
    longest = 63
    if spec.nodes > 1:
        longest -= max(len(f"-{spec.nodes - 1}"), len(ranks_name(spec)) - len(spec.name))
    if not spec.name:
        yield "name", "give it a name"
    elif len(spec.name) > longest:
        yield "name", f"at most {longest} characters here; this has {len(spec.name)}"
    elif spec.name[0].isdigit() and (spec.ports or spec.nodes > 1):
        yield "name", "begin with a letter: its Service gets the same name, and must"


def _volumes(spec: JobSpec, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    folders = [volume.host_path for volume in spec.volumes if volume.host_path]
    if folders and facts.pod_security in ("baseline", "restricted"):
        level = facts.pod_security
        yield "volumes", f"{folders[0]}: the namespace's PodSecurity ({level}) forbids folders of the node"
    if spec.shm_size and any(volume.path.rstrip("/") == SHM for volume in spec.volumes):
        yield "volumes", f"{SHM} is what shm_size makes; leave one of them out"


def _outputs(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """Check where outputs go: to a claim, which is written as that of a volume is."""
    if not spec.outputs:
        return
    source, path = split_outputs(spec.outputs)
    if source.startswith(("/", "~", ".")):
        yield "outputs", f"{source}: in a cluster outputs go to a claim: CLAIM, or CLAIM/FOLDER:/path"
        return
    try:
        parse_field("volumes", [f"{source}:{path or OUTPUTS}"])
    except ValueError as error:
        yield "outputs", str(error)
    if posixpath.normpath(path) in ("/", SHM, FOLDER):
        yield "outputs", f"{path} is taken; choose another path"


def _code(spec: JobSpec, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    """Check the code of a job. Its parts lie in memory, in a file system as large as the pod's limit."""
    if not spec.code:
        return
    if not is_packed(spec.code):
        yield "code", "is no packed code; a folder has to be packed first"
    elif facts.code is None:
        yield "code", "the job that had this code is gone, and the code with it; name a folder"
    elif spec.memory and parse_quantity(spec.memory) < 2 * facts.code.size:
        least = bytes_text(2 * facts.code.size)
        yield "memory", f"the code needs {least} to be unpacked; ask for more, or leave it empty"
    if any(posixpath.normpath(volume.path) == FOLDER for volume in spec.volumes):
        yield "volumes", f"{FOLDER} is where the code lies; choose another path"


def _network(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    names = [port_name(port) for port in spec.ports]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        yield "ports", f"two ports would be called {twice}; name them"
    if spec.ingress not in ("auto", "off") and spec.ports and web_port(spec) is None:
        yield "ingress", "an ingress leads to a TCP port; there is none"
    if has_ingress(spec, site) and len(host(spec, facts.namespace, site)) > 253:
        yield "ingress", "the host name is longer than 253 characters"


def warnings(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> tuple[Diagnostic, ...]:
    """Find what a person should know before they confirm a create."""
    return tuple(Diagnostic(field, sentence) for field, sentence in _warnings(spec, site, facts))


def _warnings(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    if facts.pod_security == "restricted":
        user = site.run_as_user
        yield "image", f"the namespace forbids root: it runs as user {user}; most GPU images expect root"
    for field in ("memory", "shm_size"):
        if meaning := memory_meaning(getattr(spec, field)):
            yield field, meaning
    if spec.memory and spec.shm_size:
        total = limits(spec, site)["memory"]
        yield "shm_size", f"{SHM} counts as memory, so the limit is {total}"
    if is_unchecked(spec, site, facts):
        yield "gpu_type", _unchecked(spec.gpu_type, site)
    yield from _nodes(spec, facts)
    yield from _too_big(spec, site, facts)
    if spec.max_runtime:
        yield "max_runtime", "when that time is over, the cluster deletes the pods, and their logs with them"
    if url := job_url(spec, facts.namespace, site):
        yield (
            "ingress",
            f"{_address(url)} answers everyone who can reach it; nothing there asks for a password",
        )


def _unchecked(gpu_type: str, site: KubernetesSettings) -> str:
    known = f"; the settings know {', '.join(sorted(site.gpu_types))}" if site.gpu_types else ""
    return (
        f"{gpu_type} cannot be checked, as you may not list nodes here: a node's label has to say exactly "
        f"this, or a product of that name that traindeck knows; without one the job waits for ever{known}"
    )


def _nodes(spec: JobSpec, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    """Find nodes and labels that are not there; one may come, of an autoscaler, so none is an error."""
    if not facts.nodes:
        return
    names = [node.name for node in facts.nodes]
    if missing := [name for name in spec.node_names if name not in names]:
        hint = closest_match(missing[0], names)
        yield "node_names", f"there is no node {missing[0]}" + (f"; did you mean {hint}?" if hint else "")
    for key, value in spec.node_selector.items():
        values = {label for node in facts.nodes if (label := node.metadata.labels.get(key)) is not None}
        if value not in values:
            known = ", ".join(sorted(values)[:10])
            yield (
                "node_selector",
                f"no node has {key}={value}; " + (f"there is: {known}" if known else "none has that label"),
            )
            return
    if (spec.node_selector or spec.node_names) and not missing and not chosen_nodes(spec, facts.nodes):
        field = "node_selector" if spec.node_selector else "node_names"
        yield field, "no node is all of this at once: it waits until there is one"


def _too_big(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    """Find what no node can ever hold, free or not; of nodes that may not be listed nothing is known."""
    if not facts.nodes:
        return
    nodes = chosen_nodes(spec, facts.nodes)
    if not nodes:
        return
    nodes = matching_nodes(spec, site, nodes) if spec.gpus else nodes
    gpus = [parse_whole(node.status.allocatable.get(site.gpu_resource, "0")) for node in nodes]
    if spec.gpus and (reason := no_node_has(spec.gpus, gpus, spec.gpu_type)):
        yield "gpus", reason
    for field, text in (("cpu", spec.cpu), ("memory", limits(spec, site).get("memory", ""))):
        amounts = [node.status.allocatable.get(field, "0") for node in nodes]
        largest = max(amounts, key=parse_quantity, default="0")
        if text and amounts and parse_quantity(largest) < parse_quantity(text):
            yield field, f"no node has {text}; the largest has {_rounded(field, largest)}"


def _rounded(field: str, quantity: str) -> str:
    """Return a node's amount as people write it: 263856952Ki -> 251Gi."""
    gib = parse_whole(quantity) // 1024**3
    return f"{gib}Gi" if field == "memory" and gib else quantity


def _address(url: str) -> str:
    return f"{url} on the address of the cluster's ingress" if url.startswith("/") else url
