"""The spec of an old job, used again."""

import pytest

from backend_client.models import JobSpec
from backend_client.spec_file import next_name


@pytest.mark.parametrize(
    ("name", "names", "suggested"),
    [
        ("bert-ft", ["bert-ft"], "bert-ft-2"),
        ("bert-ft", ["bert-ft", "bert-ft-2"], "bert-ft-3"),
        ("bert-ft-2", ["bert-ft-2", "bert-ft"], "bert-ft-3"),
        ("train", ["train"], ""),
        ("train-7", ["train-7"], ""),
        ("", [], ""),
    ],
)
def test_a_chosen_name_is_carried_on(name: str, names: list[str], suggested: str):
    assert next_name(JobSpec(name=name, command=("python", "train.py")), names) == suggested
