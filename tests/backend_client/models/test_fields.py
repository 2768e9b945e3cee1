"""The small words: states, references, progress, secrets."""

import pickle

import pytest

from backend_client.errors import BackendError, Invalid
from backend_client.models import JobRef, JobState, Progress
from backend_client.models.secret import Secret
from backend_client.models.state import ENDED, STATE_STYLES


def test_every_state_has_a_look_of_its_own():
    assert set(STATE_STYLES) == set(JobState)
    assert sorted(look.rank for look in STATE_STYLES.values()) == list(range(len(JobState)))
    assert len({look.symbol for look in STATE_STYLES.values()}) == len(JobState)
    assert all(len(look.symbol) == 1 and look.symbol.isascii() for look in STATE_STYLES.values())


def test_the_order_of_a_list():
    order = sorted(JobState, key=lambda state: state.style.rank)
    words = "Failed Unknown Stopping Running Starting Pending Queued Succeeded Stopped"
    assert [str(state) for state in order] == words.split()
    assert {state for state in JobState if state.ended} == ENDED


@pytest.mark.parametrize(
    ("step", "total", "fraction"),
    [(5, 10, 0.5), (None, 10, None), (5, None, None), (5, 0, None), (12, 10, 1.0), (-1, 10, 0.0)],
)
def test_fraction(step, total, fraction):
    assert Progress(step=step, total=total).fraction == fraction


def test_a_reference_reads_well():
    assert str(JobRef("local", "gpu-7", "job", "bert", "1")) == "gpu-7/bert"
    assert str(JobRef("local", "", "job", "bert", "1")) == "bert"


def test_a_secret_is_not_seen():
    secret = Secret("s3cr3t")
    assert secret.reveal() == "s3cr3t"
    assert secret == Secret("s3cr3t")
    shown = f"{secret} {secret!r} {[secret]}"
    assert "s3cr3t" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_errors_are_sentences():
    assert str(BackendError("It failed", "Do this")) == "It failed\nDo this"
    wrong = Invalid({"gpus": "too many", "name": "bad"})
    assert str(wrong) == "gpus: too many; name: bad"
    assert wrong.fields == {"gpus": "too many", "name": "bad"}
