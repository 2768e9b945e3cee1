"""What stands in the cells of a list of jobs."""

from backend_client.models import JobState, Progress
from backend_client.text.job_cells import progress_or_reason
from tests.support.scripted import make_job


def test_the_reason_stands_where_there_is_no_progress():
    assert progress_or_reason(make_job(state=JobState.QUEUED, reason="waits")) == "waits"
    assert progress_or_reason(make_job(reason="slow", progress=Progress(step=1, total=2))) == "1/2  50%"
    assert progress_or_reason(make_job(reason="slow")) == "slow"
