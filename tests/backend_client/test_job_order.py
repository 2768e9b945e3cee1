"""Which jobs match a filter."""

from backend_client.job_order import matches
from backend_client.models import JobState
from tests.support.scripted import make_job


def test_all_words_must_be_there():
    job = make_job("bert", owner="ada", labels={"team": "nlp"}, state=JobState.QUEUED)
    assert matches(job, ("ada", "bert", "queued", "team=nlp"))
    assert not matches(job, ("ada", "gpt"))
