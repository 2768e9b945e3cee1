"""The features and fields of a server: those of its clusters, merged."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from backend_client.models.fields import FIELD_NAMES
from backend_client.protocol import Feature, FieldRule, Use
from backend_client.server.bodies import ClusterInfo

_ABSENT = "this server's clusters do not have it"


class Capabilities(Struct, frozen=True):
    """The features and field rules of a server; cached, so that a form can be drawn before it answers."""

    missing_features: Mapping[Feature, str] = field(name="lacks")
    fields: Mapping[str, FieldRule]

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
    return Capabilities(missing_features | _NOT_YET, {name: _rule(name, clusters) for name in FIELD_NAMES})


NOT_PASSED_ON = {
    Feature.FILES: "a traindeck server lists no files; a kubeconfig context of the same cluster does",
    Feature.EXEC: "a traindeck server opens no shells; a kubeconfig context of the same cluster does",
}
"""Features that a server passes on from no cluster of its own."""
_OF_THE_SERVER = frozenset({Feature.HISTORY, Feature.ALERTS, Feature.ACCOUNTING})
"""Features that a server has itself, whatever its clusters have."""

_NOT_YET: dict[Feature, str] = {
    Feature.PORTS: "a traindeck server passes no connections on; choose the cluster's own context",
}
"""What servers lack whatever their clusters have."""


def _is_absent(feature: Feature, clusters: Sequence[ClusterInfo]) -> bool:
    """Return True where no cluster has a feature, nor the server itself."""
    if feature in NOT_PASSED_ON:
        return True
    return feature not in _OF_THE_SERVER and all(feature not in cluster.features for cluster in clusters)


def _reason(feature: Feature, clusters: Sequence[ClusterInfo]) -> str:
    told = next((cluster.lacks[feature] for cluster in clusters if cluster.lacks.get(feature)), _ABSENT)
    return NOT_PASSED_ON.get(feature, told)


def _rule(name: str, clusters: Sequence[ClusterInfo]) -> FieldRule:
    rules = [cluster.fields.get(name, FieldRule(Use.OPTIONAL)) for cluster in clusters]
    uses = {rule.use for rule in rules}
    return rules[0] if len(uses) == 1 and name != "cluster" else FieldRule(Use.OPTIONAL)


UNKNOWN = Capabilities(NOT_PASSED_ON, {name: FieldRule(Use.OPTIONAL) for name in FIELD_NAMES})
"""Before a server has answered for the first time: nothing is refused for it, as a verb asks it but once."""
