"""`queue`: the tables, JSON, and the changes of a waiting job."""

import json

import pytest

from backend_client.models import JobState
from backend_client.protocol import Feature
from tests.support.scripted import make_job
from tests.tui.queue.test_queue_screen import BOARD


@pytest.fixture(autouse=True)
def _queued(backend):
    backend.board = BOARD
    backend.put(make_job("mine", JobState.QUEUED))


def test_the_queues_and_what_waits(cli):
    lines = cli("queue").out.splitlines()
    assert lines[0].split() == ["QUEUE", "FLAVOR", "USED", "ABOUT"]
    assert "24 of 16, 8 borrowed from team-b" in lines[1]
    assert lines[1].endswith("cohort lab; 3 waiting, 5 admitted")
    assert lines[2].split() == ["team-a", "l4", "0", "of", "2"]
    assert lines[5].split() == "POS NAME OWNER QUEUE PRIO GPUS AGE IN".split()
    assert lines[7].split() == ["*", "2", "mine", "ada", "q", "0", "8", "team-a"]
    assert cli("queue", "-o", "name").out.split() == ["mine", "theirs"]
    board = json.loads(cli("queue", "-o", "json").out)
    assert [job["position"] for job in board["waiting"]] == [1, 2, 3]
    wide = cli("queue", "-o", "wide").out
    assert "a100 nvidia.com/gpu" in wide
    assert "its jobs hold no GPUs" in wide


@pytest.mark.parametrize(
    ("words", "call", "told"),
    [
        (["hold", "mine"], ("hold", "mine"), "mine is held back; `traindeck queue release mine`"),
        (["release", "mine"], ("release", "mine"), "mine is in its queue again."),
        (["priority", "mine", "urgent"], ("priority", ("mine", "urgent")), "mine has the priority urgent."),
        (["move", "mine", "q2"], ("move", ("mine", "q2")), "mine is in the queue q2."),
    ],
)
def test_a_waiting_job_is_changed(cli, backend, words, call, told):
    done = cli("queue", *words, "-o", "name")
    assert (done.code, done.out) == (0, "mine\n")
    assert told in done.err
    assert call in backend.calls


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["hold"], "NAME: is missing"),
        (["priority", "mine"], "CLASS: is missing"),
        (["move", "mine"], "QUEUE: is missing"),
        (["hold", "mine", "more"], "NAME: name one job"),
    ],
)
def test_wrong_words(cli, backend, words, told):
    done = cli("queue", *words)
    assert done.code != 0
    assert told in done.err
    assert not {"hold", "priority", "move"} & {name for name, _ in backend.calls}


def test_read_only_and_absent(cli, backend):
    assert "read-only" in cli("queue", "hold", "mine", "--read-only").err
    assert cli("queue", "--read-only").code == 0
    backend.features -= {Feature.QUEUE}
    backend.missing_features[Feature.QUEUE] = "this machine has slots only"
    done = cli("queue")
    assert (done.code, "slots only" in done.err) == (1, True)
