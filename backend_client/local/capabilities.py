"""The capabilities of this machine: the rule of each JobSpec field, and the features that it lacks."""

from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import Feature, FieldRule, Use

_SUPPORTED = frozenset(
    "name kind workdir code env secrets gpus max_runtime labels annotations alerts sweep outputs".split()
)
_CLUSTER = "choose a Kubernetes context for that"
_WHY = {
    "image": "local jobs run as plain processes; leave the image empty, or choose a Kubernetes context",
    "gpu_type": "local jobs take any GPU of this machine; leave the type empty",
    "cpu": f"local jobs share this machine's CPUs without limits; {_CLUSTER}",
    "memory": f"local jobs share this machine's memory without limits; {_CLUSTER}",
    "shm_size": "local jobs use this machine's own /dev/shm; leave it empty",
    "nodes": f"local jobs run on this one machine; {_CLUSTER}",
    "replicas": f"a local deployment is one process; {_CLUSTER}",
    "ports": "a local process listens on this machine itself; no ports need naming",
    "ingress": f"local jobs have no ingress; {_CLUSTER}",
    "retries": "local jobs are not retried; kind deployment starts again by itself",
    "priority": "local slots go strictly first come, first served",
    "queue_priority": "local slots go strictly first come, first served",
    "queue": f"local jobs have one queue, this machine's; {_CLUSTER}",
    "node_selector": f"local jobs run on this machine; {_CLUSTER}",
    "node_names": f"local jobs run on this machine; {_CLUSTER}",
    "tolerations": f"this machine has no taints; {_CLUSTER}",
    "pod": f"local jobs run as plain processes, not in pods; {_CLUSTER}",
    "volumes": "a local process sees this machine's files as they are; name the path in the command",
    "image_pull_secrets": "local jobs pull no images; leave it empty",
    "namespace": "local jobs have no namespaces but the machine; leave it empty",
    "cluster": "local jobs run on this machine; choose a server's context for a cluster",
}

FIELDS: dict[str, FieldRule] = {
    name: FieldRule(Use.REQUIRED)
    if name == "command"
    else FieldRule(Use.OPTIONAL)
    if name in _SUPPORTED
    else FieldRule(Use.REFUSED, _WHY[name])
    for name in FIELD_NAMES
}

MISSING_FEATURES: dict[Feature, str] = {
    Feature.RESUME: "a local job that was stopped is over; run it again instead",
    Feature.RANKS: "a local job is one process on this machine",
    Feature.QUEUE: "local jobs wait for this machine's GPU slots only",
    Feature.HISTORY: "local jobs are listed until they are deleted; there is no other history",
    Feature.ALERTS: "alerts are told while traindeck is open; a traindeck server sends them at any time",
    Feature.ACCOUNTING: "what local jobs have used is not recorded; a traindeck server does that",
    Feature.CODE: "a local job runs in the folder itself; no copy of it is kept",
    Feature.NAMESPACES: "local jobs have no namespaces but the machine",
}
