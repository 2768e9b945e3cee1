import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.models.names import suggest_name
from backend_client.models.parsers import PARSERS


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python train.py --epochs 3", "train"),
        ("python3.12 -u src/Fine_Tune.py", "fine-tune"),
        ("python -m axolotl.cli.train config.yaml", "train"),
        ("torchrun --nproc-per-node 8 finetune_llama.py", "finetune-llama"),
        ("accelerate launch --config_file a.yaml run_clm.py", "run-clm"),
        ("uv run train.py", "train"),
        ("env LR=1 ./launch_all.sh", "launch-all"),
        ("bash -c 'cd x && python train.py'", "train"),
        ("sh -c 'unclosed", "unclosed"),
        ("python3 -c 'import time; time.sleep(1)'", "python3"),
        ("nvidia-smi", "nvidia-smi"),
        ("sleep 100", "sleep"),
        ("", "job"),
        ("python 2nd_try.py", "job-2nd-try"),
    ],
)
def test_a_name_out_of_the_command(command: str, name: str):
    words = command.split(" ", 2) if "unclosed" in command else PARSERS["command"](command)
    assert suggest_name(words) == name


def test_a_taken_name_is_counted_on():
    assert suggest_name(["train.py"], {"train", "train-2", "other"}) == "train-3"


@given(st.lists(st.text()), st.sets(st.sampled_from(["job", "job-2", "a", "b"])))
def test_always_a_free_name_that_is_valid(command: list[str], taken: set[str]):
    name = suggest_name(command, taken)
    assert name not in taken
    assert PARSERS["name"](name) == name
    assert not name[0].isdigit()
