"""Text of clusters: how fresh what is shown of them is, where figures of their GPUs come from. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend_client.protocol import FreshnessState
from backend_client.text.sanitize import clean
from backend_client.usage import Measure, UsageSource

if TYPE_CHECKING:  # a list of clusters at the prompt needs none
    from backend_client.server.wire import ClusterLink

_OF_GPUS = frozenset(Measure) - {Measure.CPU, Measure.RSS}


def gpu_use_source(sources: Sequence[UsageSource] | None) -> str:
    """Return what tells of a cluster's GPUs; where nothing does, why not. An older server says neither."""
    if sources is None:
        return ""
    given = [source.name for source in sources if not _OF_GPUS.isdisjoint(source.gives)]
    why = [f"{source.name}: {source.missing}" for source in sources if source.missing]
    none = "nothing tells of GPUs now" if sources else "nobody is asked while no job runs"
    return ", ".join(given) or "; ".join(why) or none


def link_sentence(link: "ClusterLink") -> str:
    """Say that what a list shows of a cluster may be old, and why; "" where it is as it is there."""
    if link.state is FreshnessState.LIVE:
        return ""
    why = f": {clean(link.why, 300)}" if link.why else ""
    return f"{clean(link.cluster, 60)} is {link.state.value}{why}"
