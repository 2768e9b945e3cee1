"""The features and fields of a server: those of its clusters, merged."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from backend_client.models.code import LARGEST
from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import Feature, FieldRule, Use
from backend_client.server.bodies import ClusterInfo

_ABSENT = "this server's clusters do not have it"


class Capabilities(Struct, frozen=True):
    """The features and field rules of a server; cached, so that a form can be drawn before it answers."""

    missing_features: Mapping[Feature, str] = field(name="lacks")
    fields: Mapping[str, FieldRule]
    code_limit: int = LARGEST
    """Bytes that packed code may have; before the server has said it, what no server exceeds."""

    @property
    def features(self) -> frozenset[Feature]:
        return frozenset(Feature) - frozenset(self.missing_features)


def merge(clusters: Sequence[ClusterInfo]) -> Capabilities:
    """Merge the capabilities of clusters: something is absent or refused where every cluster says so.

    Where they differ, `plan` says what one of them refuses.
    """
    missing_features = {
        feature: _reason(feature, clusters) for feature in Feature if _is_absent(feature, clusters)
    }
    fields = {name: _rule(name, clusters) for name in FIELD_NAMES}
    limit = max((cluster.code_limit for cluster in clusters), default=0)
    return Capabilities(missing_features, fields, limit)


_OF_THE_SERVER = frozenset({Feature.HISTORY, Feature.ALERTS, Feature.ACCOUNTING})
"""Features that a server has itself, whatever its clusters have."""


def _is_absent(feature: Feature, clusters: Sequence[ClusterInfo]) -> bool:
    """Return True where no cluster has a feature, nor the server itself."""
    return feature not in _OF_THE_SERVER and all(feature not in cluster.features for cluster in clusters)


def _reason(feature: Feature, clusters: Sequence[ClusterInfo]) -> str:
    return next((cluster.lacks[feature] for cluster in clusters if cluster.lacks.get(feature)), _ABSENT)


def _rule(name: str, clusters: Sequence[ClusterInfo]) -> FieldRule:
    rules = [cluster.fields.get(name, FieldRule(Use.OPTIONAL)) for cluster in clusters]
    uses = {rule.use for rule in rules}
    return rules[0] if len(uses) == 1 and name != "cluster" else FieldRule(Use.OPTIONAL)


UNKNOWN = Capabilities({}, {name: FieldRule(Use.OPTIONAL) for name in FIELD_NAMES})
"""Before a server has answered for the first time: nothing is refused for it, as a verb asks it but once."""
