"""The types of a job: what a person asked for (JobSpec), what there is (Job), and the fields as text."""

from backend_client.models.job import (
    Attempt,
    Event,
    Eviction,
    Job,
    JobRef,
    JobUsage,
    Loss,
    Pause,
    Progress,
    QueuePlace,
    StartRange,
)
from backend_client.models.spec import JobSpec, Port, Sweep, Toleration, Volume
from backend_client.models.state import JobState

__all__ = [
    "Attempt",
    "Event",
    "Eviction",
    "Job",
    "JobRef",
    "JobSpec",
    "JobState",
    "JobUsage",
    "Loss",
    "Pause",
    "Port",
    "Progress",
    "QueuePlace",
    "StartRange",
    "Sweep",
    "Toleration",
    "Volume",
]
