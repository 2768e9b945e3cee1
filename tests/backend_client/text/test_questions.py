"""What is asked before something is done to jobs."""

from backend_client.models import JobState
from backend_client.protocol import Verb
from backend_client.text.questions import job_names, question
from tests.support.scripted import make_job


def test_namesakes_are_told_apart():
    jobs = [make_job("a", namespace="x"), make_job("a", namespace="x", kind="deployment"), make_job("b")]
    assert job_names(jobs) == "x/a (job), x/a (deployment), b"


def test_the_question_says_what_becomes_of_the_logs():
    jobs = [make_job("a"), make_job("b", JobState.FAILED)]
    assert question(Verb.STOP, jobs, [], "Its pods go.")[1] == "a, b\n\nIts pods go."
    asked = question(Verb.DELETE, jobs, [], "")[1]
    assert asked == "a, b\n\n1 of them still run: deleting stops them first. Their logs go too."
