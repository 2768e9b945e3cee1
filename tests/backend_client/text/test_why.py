"""Why a job waits, in sentences: its place in the queue, offers, and that all is well."""

from datetime import UTC, datetime

import pytest

from backend_client.models import JobState
from backend_client.models.job import QueuePlace
from backend_client.text.why import all_well, changed_fields, headline, queue_sentences
from backend_client.why import Explanation, Offer
from tests.support.scripted import make_job

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
JOB = make_job("bert", JobState.PENDING, gpus=8)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState.RUNNING, "It runs, and nothing is known to be wrong."),
        (JobState.SUCCEEDED, "It ended well."),
        (JobState.STOPPED, "A person stopped it."),
        (JobState.STARTING, "Nothing is known that keeps it."),
    ],
)
def test_where_all_is_well_it_says_so(state: JobState, said: str):
    job = make_job("bert", state)
    assert all_well(job) == said
    assert headline(job, Explanation()) == said


PLACES = [
    (QueuePlace(queue="team-a"), ["team-a"]),
    (QueuePlace(queue="team-a", position=3), ["3rd in team-a"]),
    (
        QueuePlace(
            queue="team-a",
            cluster_queue="research",
            position=11,
            waiting=12,
            priority=100,
            priority_class="high",
        ),
        ["11th of 12 in team-a (ClusterQueue research), priority 100 (high)"],
    ),
    (QueuePlace(queue="a", position=21, priority=0), ["21st in a, priority 0"]),
    (QueuePlace(queue="a", held=True), ["a", "a person holds it back"]),
    (QueuePlace(queue="a", requeues=1), ["a", "put back into the queue once"]),
    (
        QueuePlace(queue="a", priority_class="low", requeues=2),
        ["a, priority low", "put back into the queue 2 times"],
    ),
    (QueuePlace(queue="a", flavors=("h100", "a100")), ["a", "admitted with h100, a100"]),
]


@pytest.mark.parametrize(("place", "said"), PLACES)
def test_the_place_in_a_queue_in_words(place: QueuePlace, said: list[str]):
    assert list(queue_sentences(place, NOW)) == said


def test_what_an_offer_changes():
    both = Offer(id="x", sentence="", changes={"gpus": "4", "gpu_type": "A100", "nope": "x"})
    assert changed_fields(JOB.spec, both) == "gpus 8 -> 4, gpu_type none -> A100, nope none -> x"
