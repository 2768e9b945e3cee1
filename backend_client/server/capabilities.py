"""What a server makes of features and fields: that of its clusters, put together."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import Feature, FieldRule, Use
from backend_client.server.bodies import ClusterInfo

_ABSENT = "this server's clusters do not have it"


class Capabilities(Struct, frozen=True):
    """What is kept of a server, so that a form can be drawn before it has answered."""

    lacks: Mapping[Feature, str]
    fields: Mapping[str, FieldRule]

    @property
    def features(self) -> frozenset[Feature]:
        return frozenset(Feature) - frozenset(self.lacks)


def merged(clusters: Sequence[ClusterInfo]) -> Capabilities:
    """Something is absent or refused where every cluster says so; of one that differs, `plan` tells."""
    lacks = {feature: _why(feature, clusters) for feature in Feature if _is_absent(feature, clusters)}
    return Capabilities(lacks, {name: _rule(name, clusters) for name in FIELD_NAMES})


def _is_absent(feature: Feature, clusters: Sequence[ClusterInfo]) -> bool:
    """The history is the server's own."""
    return feature is not Feature.HISTORY and all(feature not in cluster.features for cluster in clusters)


def _why(feature: Feature, clusters: Sequence[ClusterInfo]) -> str:
    return next((cluster.lacks[feature] for cluster in clusters if cluster.lacks.get(feature)), _ABSENT)


def _rule(name: str, clusters: Sequence[ClusterInfo]) -> FieldRule:
    found = [cluster.fields.get(name, FieldRule(Use.OPTIONAL)) for cluster in clusters]
    same = {rule.use for rule in found}
    return found[0] if len(same) == 1 and name != "cluster" else FieldRule(Use.OPTIONAL)


UNKNOWN = Capabilities(
    {Feature.METRICS: "whether this server tells of metrics is not known yet"},
    {name: FieldRule(Use.OPTIONAL) for name in FIELD_NAMES},
)
"""Before a server has answered for the first time."""
