"""What is read of the lines of known libraries (lines.jsonl), and of what some truly printed (recorded/)."""

# ruff: noqa: E501  real lines stay as they are

import json
import re
from pathlib import Path

import pytest

from backend_client.progress.parser import Tracker

HERE = Path(__file__).parent
LINES = [json.loads(line) for line in (HERE / "lines.jsonl").read_text().splitlines()]
RECORDED = json.loads((HERE / "recorded" / "want.json").read_text())


def read(data: bytes) -> dict[str, object] | None:
    tracker = Tracker(lambda: 0.0)
    for start in range(0, len(data), 4096):
        tracker.feed(data[start : start + 4096])
    tracker.feed(b"\n")
    return tracker.read()


@pytest.mark.parametrize("case", LINES, ids=lambda case: f"{case.get('library', '')}: {case['text'][:40]!r}")
def test_known_lines(case):
    assert read(case["text"].encode()) == (case["want"] and pytest.approx(case["want"]))


@pytest.mark.parametrize("name", RECORDED)
def test_what_a_library_truly_prints(name):
    want = RECORDED[name]["want"]
    assert read((HERE / "recorded" / f"{name}.log").read_bytes()) == (want and pytest.approx(want))


@pytest.mark.parametrize("name", RECORDED)
def test_no_loss_of_a_validation_is_ever_read(name):
    data = (HERE / "recorded" / f"{name}.log").read_bytes()
    validations = {float(found) for found in re.findall(rb"(?:val|eval)_loss[\"'=: ]+([\d.]+)", data)}
    tracker, steps, losses = Tracker(lambda: 0.0), [0], set()
    for piece in re.split(rb"[\r\n]", data):
        tracker.feed(piece + b"\n")
        figures = tracker.read() or {}
        losses.add(figures.get("loss"))
        steps.append(figures.get("step", steps[-1]))
    assert not losses & validations
    if "total" in (tracker.read() or {}) and "tqdm" not in name:  # Lightning's counts one epoch
        assert steps == sorted(steps)


def test_every_recording_has_what_must_be_read():
    assert {file.stem for file in (HERE / "recorded").glob("*.log")} == RECORDED.keys()


PREFIXES = [
    "[rank0]:",
    "[rank3]: ",
    "[default0]:",
    "0: ",
    " 7: ",
    "[1,0]<stdout>:",
    "[1,mpirank:0,algo-1]<stdout>:",
    "(RayTrainWorker pid=812, ip=10.1.2.3) ",
    "worker-1: ",
    "10.0.0.7: ",
    "node7: ",
    "trainer-1  | ",
    "app  | ",
    "[pod/bert-0/main] ",
    "INFO:root:",
    "INFO:trainer.loop:",
    "2026-05-01 10:11:12,345 - root - INFO - ",
    "2026-05-01 10:11:12,345 INFO train.py:88 ",
    "05/01/2026 10:11:12 - INFO - __main__ - ",
    "2026-05-01 10:11:12.345 | INFO     | __main__:train:45 - ",
    "[2026-05-01 10:11:12,345][train][INFO] - ",
    "[2026-05-01 10:11:12,345] [INFO] [logging.py:69:log_dist] [Rank 0] ",
    "[INFO|trainer.py:123] 2026-05-01 10:11:12,345 >> ",
    "I0501 10:11:12.345678  140 solver.cpp:228] ",
    "INFO 05-01 10:11:12 train.py:12] ",
    "2026-05-01T10:11:12.345Z ",
    "[10:11:12] ",
    "May 01 10:11:12 ",
    "2026-05-01 10:11:12 [info     ] ",
    "node7: [rank0]: 2026-05-01 10:11:12,345 - root - INFO - ",
    "[rank0]:[titan] 2026-05-01 10:11:12,345 - root - INFO - ",
    "\x1b[32m2026-05-01 10:11:12\x1b[0m \x1b[1mINFO\x1b[0m ",
]
BEHIND = [
    ("{'loss': 1.71, 'grad_norm': 0.9, 'epoch': 0.12}", {"loss": 1.71}),
    (
        "train:  30%|###   | 60/200 [00:30<01:10,  2.00it/s, loss=0.71]",
        {"step": 60, "total": 200, "rate": 2.0, "seconds_left": 70.0, "loss": 0.71},
    ),
    (
        " 30%|###   | 60/200 [00:30<01:10,  2.00it/s]",
        {"step": 60, "total": 200, "rate": 2.0, "seconds_left": 70.0},
    ),
    ("step=30 loss=0.5", {"step": 30, "loss": 0.5}),
    ('{"step": 30, "loss": 0.5, "max_steps": 90}', {"step": 30, "total": 90, "loss": 0.5}),
    ("Epoch 3/10 loss 0.5", {"step": 3, "total": 10, "loss": 0.5}),
    ("val step 30 loss 0.9", None),
    ("[val] epoch 3 loss 0.9", None),
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("line", "want"), BEHIND)
def test_what_a_launcher_writes_before_a_line_hides_nothing(prefix, line, want):
    assert read(f"{prefix}{line}\n".encode()) == want


WORDS = (
    "val",
    "Val",
    "valid",
    "VALID",
    "validation",
    "eval",
    "Evaluation",
    "test",
    "dev",
    "holdout",
    "hold-out",
    "Validate",
    "testing",
    "benchmark",
)
VALIDATIONS = [
    "{} step 900 loss 0.9",
    "{}: epoch 3 step 901 loss 0.9",
    "[{}] step 901/1000 loss 0.9",
    "({}) step 901/1000 loss 0.9",
    "{} | step 901 | loss 0.9",
    "step 901/1000 | {} | loss 0.9",
    "step 901/1000 {} loss 0.9",
    "step 901/1000 [{}] loss: 0.9",
    "phase={} step=901 loss=0.9",
    "step=901 loss=0.9 split={}",
    "mode: {}, step: 901, loss: 0.9",
    'stage="{}" step=901 loss=0.9',
    '{{"split": "{}", "step": 901, "loss": 0.9}}',
    '{{"step": 901, "loss": 0.9, "phase": "{}"}}',
    '{{"event": "{}", "step": 901, "loss": 0.9}}',
    '{{"step": 901, "{}": {{"loss": 0.9}}}}',
    "{}:\n  step 900 loss 0.9\n  loss 0.8",
    "--- {} ---\nloss 0.9 step 450",
    "INFO:root:{} step 901 loss 0.9",
    "[rank0]: {} step 901 loss 0.9",
    "{} | loss 0.9 | step 5/10",
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("line", VALIDATIONS)
def test_a_validation_changes_nothing(word, line):
    before = "step 900/1000 loss 0.5\n"
    assert read((before + line.format(word) + "\n").encode()) == {"step": 900, "total": 1000, "loss": 0.5}
    assert read((line.format(word) + "\n").encode()) in (None, {"step": 901})


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 901, "loss": 0.9, "is_training": false}',
        "step=901 loss=0.9 training=False",
        "step 901 train: false loss: 0.9",
        "step 901/1000 loss 0,9123",
    ],
)
def test_what_says_that_it_is_no_training_or_no_figure_changes_no_loss(line):
    known = read(f"step 900/1000 loss 0.5\n{line}\n".encode())
    assert known is not None
    assert known["loss"] == 0.5


@pytest.mark.parametrize("word", WORDS)
def test_below_a_heading_the_training_goes_on_where_it_speaks_again(word):
    lines = f"step 900/1000 loss 0.5\n{word}:\nstep 900 loss 0.9\nstep 910/1000 loss 0.4\nstep 920/1000 loss 0.3\n"
    assert read(lines.encode()) == {"step": 920, "total": 1000, "loss": 0.3}


@pytest.mark.parametrize(
    "key",
    [
        "total_steps",
        "max_steps",
        "num_steps",
        "n_steps",
        "total_iters",
        "max_iters",
        "num_iterations",
        "total",
        "num_training_steps",
        "total_train_steps",
        "max_train_steps",
        "total-steps",
    ],
)
def test_a_total_may_have_a_key_of_its_own(key):
    name = key.replace("-", " ")
    assert read(f"step=30 {name}=90 loss=0.5\n".encode()) == {"step": 30, "total": 90, "loss": 0.5}
    assert read(f'{{"loss": 0.5, "{name}": 90, "step": 30}}\n'.encode()) == {
        "step": 30,
        "total": 90,
        "loss": 0.5,
    }


def test_a_total_stays_while_the_steps_agree():
    assert read(b"step 30/90 loss 0.5\nstep 31 loss 0.4\n") == {"step": 31, "total": 90, "loss": 0.4}
    assert read(b"step 30/90 loss 0.5\nstep 31000 loss 0.4\n") == {"step": 31000, "loss": 0.4}
    assert read(b"Epoch 3/10 loss 0.5\nstep 7 loss 0.4\n") == {"step": 7, "loss": 0.4}
    bar = "  8%|#    | 159/2000 [09:12<1:47:23,  3.50s/it]\n"
    both = {"step": 160, "total": 2000, "rate": 1 / 3.5, "seconds_left": 1840 * 3.5, "loss": 0.4}
    assert read(f"{bar}step=160 loss=0.4\n".encode()) == pytest.approx(both)
    assert read(f"step=158 loss=0.4\n{bar}".encode())["total"] == 2000
    assert read(f"{bar}step=1400 loss=0.4\n".encode()) == {"step": 1400, "loss": 0.4}


BAR = "{}%|##   | {}/{} [00:05<00:05,  {}it/s]\n"


def test_a_second_bar_without_a_name_is_shown_where_it_is_as_slow_as_the_first():
    first = BAR.format(100, 700, 700, 1.8)
    assert read((first + BAR.format(10, 36, 364, 1.9)).encode())["total"] == 364
    assert read((first + BAR.format(10, 36, 364, 9.5)).encode()) is None
    assert read((first + BAR.format(10, 1, 10, 1.8)).encode()) is None
    loss = "{'loss': 0.5, 'epoch': 0.3}\n"
    again = first + BAR.format(1, 1, 20, 90) + loss + BAR.format(10, 2, 20, 90)
    assert read(again.encode())["step"] == 2
    assert read((BAR.format(50, 350, 700, 1.8) + BAR.format(10, 36, 364, 1.9)).encode())["step"] == 350


@pytest.mark.parametrize(
    "line",
    [
        "seen 3/4 of the data, loss 0.5",
        "version 1/2 loss 0.5",
        "11/29 loss 0.5",
        "see http://a.b/step/3/4?loss=0.5",
        "loaded 12/12 shards",
        "Downloading: 34%|###  | 34/100 [00:01<00:02, 30.0it/s]",
        "train.bin:  45%|###  | 1.20G/2.50G [00:01<00:02, 400MB/s]",
        "Step 3/10 : RUN pip install torch",
        "train: Scanning labels:  50%|##  | 64/128 [00:00<00:00, 1000it/s]",
        "load train data 50%|# | 1/2 [00:00<00:00, 1it/s]",
        "best loss 0.3 at step 900",
        "Best epoch 3 loss 0.3",
        "Loaded checkpoint of step 900, loss 0.5",
        "Namespace(step=3, loss=0.5)",
        "loss scale 128 at step 3",
        "step 50% loss",
        "max_steps: 100, lr: 0.1",
    ],
)
def test_words_that_tell_no_progress(line):
    assert read(f"{line}\n".encode()) is None


@pytest.mark.parametrize(
    "line",
    [
        "[test-run] step 30/90 loss 0.5",
        "/data/val/x step 30/90 loss 0.5",
        "valnet: step 30/90 loss 0.5",
        "step 30/90 loss 0.5 eval_every 100",
        "step 30/90 loss 0.5 val_acc 0.7",
        "step 30/90 loss 0.5 test_mode=0",
        "device=cuda:0 step 30/90 loss 0.5",
        "step 30/90 loss 0.5 next eval at 40",
        "testbed-3: step 30/90 loss 0.5",
        "step 30/90 loss 0.5 loss_scale 128 from 1.2.3 on 11/29",
    ],
)
def test_words_that_hide_no_progress(line):
    assert read(f"{line}\n".encode()) == {"step": 30, "total": 90, "loss": 0.5}
