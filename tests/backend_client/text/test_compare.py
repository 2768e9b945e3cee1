"""What is said of jobs that stand over one another."""

import pytest

from backend_client.models import JobSpec
from backend_client.progress.points import Points
from backend_client.text.compare import best_end, figure_cells, series_names
from backend_client.text.spec_differences import spec_differences, who_has


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("loss", "lowest"),
        ("val_loss", "lowest"),
        ("eval/loss", "lowest"),
        ("ppl", "lowest"),
        ("wer", "lowest"),
        ("val_accuracy", "highest"),
        ("acc", "highest"),
        ("acc1", "highest"),
        ("eval/f1", "highest"),
        ("mean_reward", "highest"),
        ("tokens_per_sec", "highest"),
        ("lr", ""),
        ("grad_norm", ""),
        ("loss_scale", ""),
        ("power", ""),
        ("accumulated", ""),
    ],
)
def test_which_end_is_the_best(name: str, end: str):
    assert best_end(name) == end


def test_the_loss_comes_first_and_then_what_most_jobs_tell():
    some = Points()
    assert series_names([{"acc": some, "lr": some, "a": some}, {"lr": some, "loss": some}]) == [
        "loss",
        "lr",
        "a",
        "acc",
    ]


def test_a_row_has_the_last_and_the_best_figure():
    points = Points()
    for step, figure in ((10, 0.5), (1000, 0.25), (2000, 0.3)):
        points.add(step, figure, 0.0)
    assert figure_cells("loss", points) == ["0.3 (2k)", "0.25 (1k)"]
    assert figure_cells("lr", points) == ["0.3 (2k)", "0.25 (1k)", "0.5 (10)"]
    points.add(3000, float("inf"), 0.0)
    assert figure_cells("loss", points)[0] == "inf since 3k"
    assert figure_cells("loss", None) == ["", ""]


def spec(*command: str, **more: object) -> JobSpec:
    return JobSpec(command=command, **more)


@pytest.mark.parametrize(
    ("specs", "differences"),
    [
        ([spec("a", name="x"), spec("a", name="y")], {}),
        (
            [
                spec("t", "--lr", "1", "--n", "5", "--seed", "1"),
                spec("t", "--lr", "2", "--n", "5", "--seed", "3"),
            ],
            {"command": ["--lr 1 --seed 1", "--lr 2 --seed 3"]},
        ),
        ([spec("t", "a.py"), spec("t", "b.py")], {"command": ["a.py", "b.py"]}),
        ([spec("t", "--lr", "1"), spec("t", "--big", "--lr", "1")], {"command": ["-", "--big"]}),
        ([spec("t"), spec()], {"command": ["t", "-"]}),
        (
            [spec("t", gpus=1), spec("t", gpus=8, env={"A": "1"}), spec("t", gpus=1, env={"A": "\x1b[2J"})],
            {"gpus": ["1", "8", "1"], "env A": ["-", "1", "\ufffd[2J"]},
        ),
        ([spec("t")], {}),
    ],
)
def test_only_what_differs_is_told(specs: list[JobSpec], differences: dict[str, list[str]]):
    assert spec_differences(specs) == differences


def test_jobs_that_have_the_same_stand_together():
    assert who_has(["1", "8", "1"], "ABC") == [("A,C", "1"), ("B", "8")]
