"""The process that asks NVML: it is asked again and again, may hang, end, or never start."""

import contextlib
import os
import select
import signal
import sys

import pytest

from backend_client.local import devices
from backend_client.local.usage.reader import CardReader, NotTold, nvml_command
from tests.backend_client.local.usage import recorded_nvml

_CODE = """
import sys
from tests.backend_client.local.usage import recorded_nvml as r
sys.modules["pynvml"] = r.RecordedNvml({cards}, gate={gate!r})
sys.modules["pynvml"].NVMLError = r.pynvml.NVMLError
from backend_client.local.usage.nvml import main
main()
"""
PATIENCE = 20.0


def recorded(cards: str = "r.TRAINING", gate: str = "") -> list[str]:
    """The command that answers as nvml.py does, over recorded answers."""
    path = f"import sys; sys.path.insert(0, {devices.PACKAGES!r})"
    return [sys.executable, "-c", path + _CODE.format(cards=cards, gate=gate)]


def reading(command, patience=PATIENCE):
    return contextlib.closing(CardReader(command, patience))


def test_one_process_answers_again_and_again():
    with reading(recorded()) as reader:
        first = reader.read()
        process = reader._process
        second = reader.read()
        assert reader._process is process
        assert [card.utilisation for card in first.cards] == [0.97, 0.0]
        assert second.taken >= first.taken > 1.7e9
    assert process.returncode is not None


def test_one_that_has_ended_is_started_again():
    with reading(recorded()) as reader:
        reader.read()
        ended = reader._process
        os.kill(ended.pid, signal.SIGKILL)
        ended.wait()
        assert len(reader.read().cards) == 2
        assert reader._process is not ended


def test_a_driver_that_hangs_is_waited_for_once_and_its_late_answer_counts(tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with reading(recorded(gate=str(gate)), patience=0.05) as reader:
        with pytest.raises(NotTold, match="does not answer") as silent:
            reader.read()
        process = reader._process
        reader._patience = 1e9  # not waited for again: this would never come back
        with pytest.raises(NotTold) as still:
            reader.read()
        assert still.value.since == silent.value.since is not None
        answers = os.open(gate, os.O_RDWR)  # the driver lets go
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        assert len(reader.read().cards) == 2
        assert reader._process is process
        os.close(answers)


def test_a_driver_that_cannot_be_opened_says_why():
    path = f"import sys; sys.path.insert(0, {devices.PACKAGES!r})"
    command = [sys.executable, "-c", f"{path}; from backend_client.local.usage.nvml import main; main()"]
    if nvml_command():
        pytest.skip("there is an NVIDIA driver here")
    with reading(command) as reader, pytest.raises(NotTold, match="NVML Shared Library Not Found"):
        reader.read()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((), "no NVIDIA driver"),
        (["true"], "ends at once"),
        (["sh", "-c", "read x; echo no"], "prints something else"),
        (["/no/such/program"], "does not start: No such file"),
    ],
)
def test_no_reading_is_a_sentence(command, why):
    with reading(command) as reader:
        for _ in range(2):
            with pytest.raises(NotTold, match=why):
                reader.read()


def test_a_lost_card_is_told():
    with reading(recorded("r.FELL_OFF")) as reader:
        assert [card.lost for card in reader.read().cards] == [False, True, True]
    assert recorded_nvml.LOST.number == 15
