"""The words everybody uses: what was asked (JobSpec), what is (Job), and what a backend says about both."""

from backend_client.models.job import Attempt, Event, Job, JobRef, Progress
from backend_client.models.spec import JobSpec, Port, Volume
from backend_client.models.state import JobState

__all__ = ["Attempt", "Event", "Job", "JobRef", "JobSpec", "JobState", "Port", "Progress", "Volume"]
