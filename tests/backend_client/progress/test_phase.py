"""What a log says that a job does instead of training."""

import pytest

from backend_client.progress.log_progress import LogProgress
from backend_client.progress.phase import named_phase
from backend_client.protocol import Lines, LogSource


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("Saving model checkpoint to /out/checkpoint-500", "saving"),
        ("INFO:root:Epoch 3: saving checkpoint", "saving"),
        ("Loading checkpoint shards:  33%|###      | 1/3 [00:10<00:20, 10.1s/it]", "loading"),
        ("Resuming from checkpoint /out/checkpoint-500", "loading"),
        ("Downloading data files: 33%", "loading"),
        ("***** Running Evaluation *****", "evaluating"),
        ("Validation:", "evaluating"),
        ("val step 3 loss 3.2", "evaluating"),
        ("Saved checkpoint to /out", ""),
        ("Finished saving model", ""),
        ("step 10/100 loss 0.3", ""),
        ("step 10/100 train loss 0.3 | val loss 0.4", ""),
        ("***** Running training *****", ""),
        ("using device cuda", ""),
        ("data loading is slow today", ""),
    ],
)
def test_a_line_names_a_phase(line: str, phase: str):
    assert named_phase(line) == phase


def phases(*lines: str) -> list[str | None]:
    """The phase after each line; None where nothing was told."""
    log, found = LogProgress(), []
    for number, line in enumerate(lines, 1):
        log.feed(Lines(source=LogSource(1), lines=[line.encode()], times=[number * 10**9]))
        progress = log.poll()
        found.append(progress.phase if progress else None)
    return found


def test_a_phase_lasts_until_the_next_step():
    lines = ("step 1/9 loss 0.5", "Saving model checkpoint to /out", "disk is slow", "step 2/9 loss 0.4")
    assert phases(*lines) == ["", "saving", None, ""]


def test_a_phase_without_any_progress_is_none():
    assert phases("Loading checkpoint shards: 33%", "step 1/9 loss 0.5") == [None, ""]
