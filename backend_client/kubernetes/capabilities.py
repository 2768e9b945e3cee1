"""Capabilities of a cluster as a backend: the rule of each JobSpec field, and the features it lacks."""

from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import Feature, FieldRule, Use

FIELDS: dict[str, FieldRule] = {
    **{name: FieldRule(Use.REQUIRED if name == "image" else Use.OPTIONAL) for name in FIELD_NAMES},
    "cluster": FieldRule(Use.REFUSED, "this context is one cluster; choose another context instead"),
}
"""A cluster honours all other fields; what one cluster cannot (a GPU type that it lacks) `plan` reports."""

LACKS: dict[Feature, str] = {
    Feature.STOPPED_LOGS: "its pods go, and their logs with them",
    Feature.UNFINISHED_LINES: "a node may keep a line back until it ends or is 16 KiB long",
    Feature.HISTORY: "a cluster forgets a job that is deleted; a traindeck server keeps the history",
    Feature.ALERTS: "alerts are told while traindeck is open; a traindeck server sends them at any time",
    Feature.ACCOUNTING: "a cluster forgets what a job has used; a traindeck server records it",
}
