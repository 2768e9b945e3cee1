"""Text of clusters: where figures of their GPUs come from. Pure."""

from collections.abc import Sequence

from backend_client.usage import Measure, UsageSource

_OF_GPUS = frozenset(Measure) - {Measure.CPU, Measure.RSS}


def gpu_use_source(sources: Sequence[UsageSource] | None) -> str:
    """Return what tells of a cluster's GPUs; where nothing does, why not. An older server says neither."""
    if sources is None:
        return ""
    given = [source.name for source in sources if not _OF_GPUS.isdisjoint(source.gives)]
    why = [f"{source.name}: {source.missing}" for source in sources if source.missing]
    none = "nothing tells of GPUs now" if sources else "nobody is asked while no job runs"
    return ", ".join(given) or "; ".join(why) or none
