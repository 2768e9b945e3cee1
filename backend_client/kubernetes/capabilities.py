"""What this context makes of each field of a JobSpec, and what it lacks, in words."""

from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import Feature, FieldRule, Use

FIELDS: dict[str, FieldRule] = {
    **{name: FieldRule(Use.REQUIRED if name == "image" else Use.OPTIONAL) for name in FIELD_NAMES},
    "cluster": FieldRule(Use.REFUSED, "this context is one cluster; choose another context instead"),
}
"""A cluster honours all others; what one cluster cannot (a GPU type it lacks) `plan` says."""

LACKS: dict[Feature, str] = {
    Feature.STOPPED_LOGS: "its pods go, and their logs with them",
    Feature.HISTORY: "a cluster forgets a job that is deleted; a traindeck server keeps the history",
    Feature.METRICS: "traindeck does not read the cluster's metrics yet; `kubectl top` shows CPU and memory",
}
