"""Real lines of training libraries, each with where it comes from, and what must be read out of them."""

# ruff: noqa: E501, ISC004  real lines stay as they are

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.progress.parser import Tracker

BAR = "███▏      "

POSITIVE = [
    # (source, output, what is read)
    (
        "tqdm, tqdm/std.py format_meter",
        f"Training:  31%|{BAR}| 3118/10000 [26:51<59:12,  1.94it/s, loss=0.412, lr=3e-5]",
        {"step": 3118, "total": 10000, "rate": 1.94, "seconds_left": 3552.0, "loss": 0.412},
    ),
    (
        "tqdm, slow: seconds a step",
        f"train:  50%|{BAR}| 5/10 [00:20<00:20,  4.00s/it]",
        {"step": 5, "total": 10, "rate": 0.25, "seconds_left": 20.0},
    ),
    (
        "tqdm, unit_scale=True",
        f"train:  31%|{BAR}| 3.12k/10.0k [00:01<00:03, 1.94kit/s]",
        {"step": 3120, "total": 10000, "rate": 1940.0, "seconds_left": 3.0},
    ),
    (
        "tqdm, ncols=0 and hours left",
        "train:  10% 100/1000 [1:02:03<9:18:27, 37.2s/it]",
        {"step": 100, "total": 1000, "rate": 1 / 37.2, "seconds_left": 33507.0},
    ),
    (
        "tqdm, no rate yet",
        "train:   0%|          | 0/10000 [00:00<?, ?it/s]",
        {"step": 0, "total": 10000},
    ),
    (
        "tqdm, total unknown",
        "1234it [02:03, 10.02it/s, loss=0.3]",
        {"step": 1234, "rate": 10.02, "loss": 0.3},
    ),
    (
        "tqdm, colour='green'",
        "train:  50%|\x1b[32m█████     \x1b[0m| 5/10 [00:05<00:05,  1.00it/s]",
        {"step": 5, "total": 10, "rate": 1.0, "seconds_left": 5.0},
    ),
    (
        "transformers, trainer_callback.py ProgressCallback",
        f"\r 31%|{BAR}| 3118/10000 [26:51<59:12,  1.94it/s]\n"
        "{'loss': 2.3145, 'grad_norm': 1.25, 'learning_rate': 3.441e-05, 'epoch': 0.93}\n",
        {"step": 3118, "total": 10000, "rate": 1.94, "seconds_left": 3552.0, "loss": 2.3145},
    ),
    (
        "transformers 5 and axolotl: figures as strings",
        "{'loss': '1.234', 'grad_norm': '0.5', 'learning_rate': '2e-05', 'epoch': '0.12'}\n",
        {"loss": 1.234},
    ),
    (
        "transformers, the prediction bar of an evaluation inside training",
        f"\r 31%|{BAR}| 3118/10000 [26:51<59:12,  1.94it/s]\n\r 50%|{BAR}| 5/10 [00:01<00:01,  4.5it/s]\x1b[A",
        {"step": 3118, "total": 10000, "rate": 1.94, "seconds_left": 3552.0},
    ),
    (
        "Lightning 1 and 2, TQDMProgressBar: counts one epoch",
        f"Epoch 3:  45%|{BAR}| 450/1000 [00:12<00:15, 36.1it/s, v_num=0, train_loss=0.412]",
        {"step": 450, "total": 1000, "rate": 36.1, "loss": 0.412},
    ),
    (
        "Lightning, loss_step beside loss_epoch",
        f"Epoch 0:  45%|{BAR}| 450/1000 [00:12<00:15, 36.1it/s, v_num=0, train_loss_step=0.5, train_loss_epoch=0.6]",
        {"step": 450, "total": 1000, "rate": 36.1},
    ),
    (
        "Lightning, RichProgressBar",
        "Epoch 3/9  ━━━━━━━━╸━━━━━━━━━━━ 450/1000 0:00:12 • 0:00:15 36.10it/s v_num: 0.000 train_loss: 0.412",
        {"step": 3450, "total": 10000, "rate": 36.1, "seconds_left": 6550 / 36.1, "loss": 0.412},
    ),
    (
        "Keras 2, generic_utils.py Progbar",
        "Epoch 3/10\n\x08\x08\x08\r 450/1563 [=======>......] - ETA: 5s - loss: 1.2345 - accuracy: 0.5541\r",
        {"step": 3576, "total": 15630, "loss": 1.2345},
    ),
    (
        "Keras 3, progbar.py",
        "Epoch 3/10\n\r\x1b[1m 450/1563\x1b[0m \x1b[32m━━━━━\x1b[0m\x1b[37m━━━━━━━━━\x1b[0m \x1b[1m5s\x1b[0m 4ms/step"
        " - accuracy: 0.4123 - loss: 1.6021\r",
        {"step": 3576, "total": 15630, "rate": 250.0, "seconds_left": 12054 / 250, "loss": 1.6021},
    ),
    (
        "Keras, verbose=2",
        "Epoch 2/10\n1563/1563 - 12s - 8ms/step - accuracy: 0.5541 - loss: 1.2345 - val_loss: 1.1\n",
        {"step": 3126, "total": 15630, "rate": 125.0, "seconds_left": 12504 / 125, "loss": 1.2345},
    ),
    (
        "a plain loop",
        "step 3118/10000 loss 0.4127 lr 3.0e-05 1.9 it/s\n",
        {"step": 3118, "total": 10000, "rate": 1.9, "seconds_left": 6882 / 1.9, "loss": 0.4127},
    ),
    ("a plain loop", "step=1200 loss=0.35 lr=0.001\n", {"step": 1200, "loss": 0.35}),
    (
        "a plain loop through logging",
        "2026-11-24 10:00:00,123 INFO train.py:88 Step 1,200 of 10,000 | loss: 3.5e-01 | 2.00 s/it\n",
        {"step": 1200, "total": 10000, "rate": 0.5, "seconds_left": 17600.0, "loss": 0.35},
    ),
    (
        "nanoGPT, train.py",
        "iter 100: loss 2.1033, time 12.50ms, mfu 1.20%\n",
        {"step": 100, "rate": 80.0, "loss": 2.1033},
    ),
    (
        "nanoGPT, train.py, estimate_loss",
        "step 250: train loss 2.5012, val loss 2.6120\n",
        {"step": 250, "loss": 2.5012},
    ),
    (
        "pytorch-tutorial, feedforward_neural_network",
        "Epoch [2/10], Step [100/600], Loss: 0.2512\n",
        {"step": 700, "total": 6000, "loss": 0.2512},
    ),
    (
        "pytorch/examples, mnist/main.py",
        "Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.137585\n",
        {"step": 640, "total": 60000, "loss": 2.137585},
    ),
    (
        "pytorch/examples, imagenet/main.py",
        "Epoch: [0][ 10/5005]\tTime  0.512 ( 0.913)\tData  0.001 ( 0.2)\tLoss 6.9121e+00 (6.95e+00)\n",
        {"step": 10, "total": 5005, "loss": 6.9121},
    ),
    (
        "Megatron-LM, training.py training_log",
        " iteration      100/    5000 | consumed samples:        25600 | elapsed time per iteration (ms): 125.0 |"
        " learning rate: 1.500E-04 | global batch size:   256 | lm loss: 2.303251E+00 | loss scale: 1.0 |\n",
        {"step": 100, "total": 5000, "rate": 8.0, "seconds_left": 612.5, "loss": 2.303251},
    ),
    (
        "DeepSpeed, engine.py log_dist",
        "[2026-05-01 10:00:00,123] [INFO] [logging.py:96:log_dist] [Rank 0] step=100, skipped=0, lr=[1e-05],"
        " mom=[(0.9, 0.95)]\n",
        {"step": 100},
    ),
    (
        "DeepSpeed, pipe/engine.py",
        "steps: 100 loss: 2.3012 iter time (s): 0.500 samples/sec: 12.000\n",
        {"step": 100, "rate": 2.0, "loss": 2.3012},
    ),
    (
        "torchtune, recipes/full_finetune_single_device.py: counts one epoch",
        f"1|450|Loss: 1.234:  45%|{BAR}| 450/1000 [01:00<01:10, 7.8it/s]",
        {"step": 450, "total": 1000, "rate": 7.8, "loss": 1.234},
    ),
    (
        "torchtune, metric logger",
        "Step 450 | loss:1.234 lr:2e-05 tokens_per_second_per_gpu:3012.1\n",
        {"step": 450, "loss": 1.234},
    ),
    (
        "fairseq, logging/progress_bar.py JsonProgressBar",
        '2026-01-01 10:00:00 | INFO | train_inner | {"epoch": 1, "update": 0.05, "loss": "10.2", "ppl": "1177",'
        ' "wps": "20000", "num_updates": "100", "lr": "1e-05"}\n',
        {"step": 100, "loss": 10.2},
    ),
    (
        "mmengine, LoggerHook",
        "11/24 10:00:00 - mmengine - INFO - Epoch(train)  [1][100/600]  lr: 1.0e-02  eta: 0:12:32  loss: 0.2512\n",
        {"step": 100, "total": 600, "loss": 0.2512},
    ),
    (
        "detectron2, events.py CommonMetricPrinter",
        "[11/24 10:00:00 d2.utils.events]:  eta: 0:12:32  iter: 99  total_loss: 1.234  time: 0.51  lr: 0.00025\n",
        {"step": 99, "seconds_left": 752.0, "loss": 1.234},
    ),
    ("a loop over epochs", "Epoch 3/10, Loss: 0.4\n", {"step": 3, "total": 10, "loss": 0.4}),
    (
        "a loop over epochs, another way",
        "Epoch [3/10] train_loss=0.4\n",
        {"step": 3, "total": 10, "loss": 0.4},
    ),
]

NEGATIVE = [
    ("datasets, arrow_dataset.py map", f"Map:  45%|{BAR}| 450/1000 [00:01<00:02, 400.12 examples/s]"),
    ("datasets, builder.py", f"Generating train split: 45%|{BAR}| 450/1000 [00:01<00:02, 400 examples/s]"),
    ("datasets, map(num_proc=8)", f"Running tokenizer on dataset:  45%|{BAR}| 4/10 [00:01<00:02, 4.0ba/s]"),
    ("huggingface_hub", f"model.safetensors:  45%|{BAR}| 1.20G/2.50G [00:01<00:02, 400MB/s]"),
    ("huggingface_hub", f"Fetching 12 files:  50%|{BAR}| 6/12 [00:01<00:02, 4.0it/s]"),
    ("torch.hub", f"{BAR[:0]} 45%|{BAR}| 44.7M/97.8M [00:01<00:02, 40.1MB/s]"),
    ("a download", f"Downloading:  45%|{BAR}| 450/1000 [00:01<00:02, 400it/s]"),
    ("transformers", f"Loading checkpoint shards:  50%|{BAR}| 1/2 [00:01<00:01, 1.2s/it]"),
    ("vllm", f"Capturing CUDA graph shapes:  50%|{BAR}| 17/35 [00:01<00:01, 12.2it/s]"),
    ("Lightning", f"Sanity Checking DataLoader 0:  50%|{BAR}| 1/2 [00:01<00:01, 1.2it/s]"),
    ("Lightning", f"Validation DataLoader 0:  50%|{BAR}| 10/20 [00:01<00:01, 1.2it/s]"),
    ("Lightning", f"Testing DataLoader 0:  50%|{BAR}| 10/20 [00:01<00:01, 1.2it/s]"),
    ("a validation loop", f"Epoch 3 [valid]:  50%|{BAR}| 10/20 [00:01<00:01, 1.2it/s]"),
    ("a bar of something", f"Rendering:  50%|{BAR}| 10/20 [00:01<00:01, 1.2it/s]"),
    (
        "transformers",
        "{'eval_loss': 0.31, 'eval_runtime': 12.1, 'eval_steps_per_second': 4.1, 'epoch': 1.0}\n",
    ),
    ("transformers, the end", "{'train_runtime': 12.1, 'train_steps_per_second': 4.1, 'train_loss': 1.0}\n"),
    ("Keras evaluate", "313/313 ━━━━━━━━━━━━━━━━━━━━ 1s 2ms/step - accuracy: 0.9 - loss: 0.31\n"),
    ("Keras predict", "313/313 [==============================] - 1s 2ms/step\n"),
    ("Megatron-LM", " validation loss at iteration 100 | lm loss value: 2.3E+00 | lm loss PPL: 1.0E+01 |\n"),
    ("pytorch/examples, imagenet", "Test: [ 10/196]\tTime  0.512 ( 0.913)\tLoss 6.9121e+00 (6.95e+00)\n"),
    ("pytorch/examples, mnist", "Test set: Average loss: 0.0512, Accuracy: 9831/10000 (98%)\n"),
    ("mmengine", "mmengine - INFO - Epoch(val)  [1][10/50]  eta: 0:12:32  loss: 0.2512\n"),
    (
        "fairseq",
        '2026-01-01 | INFO | valid | {"epoch": 1, "valid_loss": "9.1", "valid_num_updates": "100"}\n',
    ),
    ("docker build", "Step 3/10 : RUN pip install torch\n"),
    ("pip", "   ━━━━━━━━━━━━━━━━━━━━ 450.1/780.4 MB 12.1 MB/s eta 0:00:28\n"),
    ("ping", "step 3: packet loss: 5%\n"),
    ("words", "stop the loss of data at step 3 of 4\n"),
    ("words", "a step towards a lower loss 5 minutes later\n"),
    ("a date", "2026/11/24 10:00:00 loss function: CrossEntropyLoss\n"),
    ("pytest", "tests/test_steps.py::test_loss[3/4] PASSED [ 50%]\n"),
    ("half a bar", f"train:  50%|{BAR}| 10/2"),
]


def read(output: str) -> dict[str, float] | None:
    tracker = Tracker(lambda: 0.0)
    tracker.feed(output.encode())
    tracker.feed(b"\n")
    return tracker.read()


@pytest.mark.parametrize(
    ("source", "output", "expected"), POSITIVE, ids=[f"{p[0]}-{i}" for i, p in enumerate(POSITIVE)]
)
def test_real_lines(source, output, expected):
    assert read(output) == pytest.approx(expected)


@pytest.mark.parametrize(("source", "output"), NEGATIVE, ids=[f"{n[0]}-{i}" for i, n in enumerate(NEGATIVE)])
def test_what_is_no_training(source, output):
    assert read(output) is None


NOT_FINITE = [
    (word, spelling)
    for word, spellings in {
        "nan": (
            "nan",
            "NaN",
            "NAN",
            "-nan",
            "nan(ind)",
            "1.#QNAN",
            "-1.#IND",
            "tensor(nan, device='cuda:0')",
        ),
        "inf": ("inf", "Inf", "+inf", "Infinity", "1.#INF", "1e999", "tensor(inf)"),
        "-inf": ("-inf", "-Infinity", "-1.#INF"),
    }.items()
    for spelling in spellings
]


@pytest.mark.parametrize(("word", "spelling"), NOT_FINITE)
def test_a_loss_that_is_no_number_is_told_as_a_word(word, spelling):
    after = {"step": 3, "total": 10, "loss": word}
    assert read(f"step 2/10 loss 0.5\nstep 3/10 loss {spelling}\n") == after
    assert read(f"step 2/10 loss 0.5\nstep 3/10 train_loss={spelling}\n") == after
    assert read(f"{{'loss': {spelling}, 'epoch': 0.1}}\n") == {"loss": word}
    assert read(f"step 2/10 loss {spelling}\nstep 3/10 loss 0.5\n") == after | {"loss": 0.5}


def test_a_nested_bar_leaves_the_outer_one():
    tracker = Tracker(lambda: 0.0)
    tracker.feed(f"Epochs:  30%|{BAR}| 3/10 [05:00<11:40, 100.00s/it]\n".encode())
    tracker.feed(f"\rtrain:  50%|{BAR}| 5/10 [00:05<00:05,  1.00it/s, loss=0.5]\x1b[A".encode())
    assert tracker.read() == {"step": 3, "total": 10, "rate": 0.01, "seconds_left": 700.0, "loss": 0.5}


def test_a_bar_that_starts_again_tells_no_time_left():
    tracker = Tracker(lambda: 0.0)
    for step in (5, 10):
        tracker.feed(f"\r 50%|{BAR}| {step}/10 [00:05<00:05,  1.00it/s]".encode())
        assert "seconds_left" in tracker.read()
    tracker.feed(f"\n\r 10%|{BAR}| 1/10 [00:05<00:09,  1.00it/s]".encode())
    assert tracker.read() == {"step": 1, "total": 10, "rate": 1.0}


def test_a_nameless_validation_bar_is_not_the_training():
    tracker = Tracker(lambda: 0.0)
    tracker.feed(f"\r100%|{BAR}| 1000/1000 [00:05<00:00,  1.00it/s]\n".encode())
    tracker.feed(f"\r 50%|{BAR}| 5/10 [00:05<00:05,  1.00it/s]\r".encode())
    assert tracker.read() is None
    tracker.feed(f"\r  1%|{BAR}| 10/1000 [00:05<00:05,  1.00it/s]\r".encode())
    assert tracker.read() == {"step": 10, "total": 1000, "rate": 1.0}


def test_steps_over_all_epochs_are_not_multiplied():
    assert read("Epoch 3/10 step 2500/10000 loss 0.5\n") == {"step": 2500, "total": 10000, "loss": 0.5}
    assert read("Epoch 3/10 step 10/1000 loss 0.5\n") == {"step": 2010, "total": 10000, "loss": 0.5}


def test_an_evaluation_does_not_move_the_step():
    tracker = Tracker(lambda: 0.0)
    tracker.feed(b"Epoch 1/1\n 50/100 [==>..] - ETA: 5s - loss: 1.5\r")
    tracker.feed(b"7/31 [==>..] - ETA: 5s - loss: 9.5\r")
    assert tracker.read() == {"step": 50, "total": 100, "loss": 1.5}


def test_our_clock_gives_a_rate_where_the_line_has_none():
    now = [0.0]
    tracker = Tracker(lambda: now[0])
    for step in range(10):
        tracker.feed(b"step %d/100 loss 0.5\n" % step)
        if step < 2:
            assert "rate" not in tracker.read()
        now[0] += 3
    assert tracker.read() == pytest.approx(
        {"step": 9, "total": 100, "rate": 1 / 3, "seconds_left": 273, "loss": 0.5}
    )


def test_a_cut_does_not_make_a_number_out_of_its_rest():
    tracker = Tracker(lambda: 0.0)
    tracker.feed(b"step 31")
    tracker.feed(b"18/10000 loss 0.4\nstep 18/10000 ", cut=True)
    tracker.feed(b"loss 0.3\n")
    assert tracker.read() == {"step": 18, "total": 10000, "loss": 0.3}


@given(st.lists(st.sampled_from([p[1] for p in POSITIVE] + [n[1] for n in NEGATIVE])), st.integers(1, 40))
def test_chunks_do_not_matter(outputs, size):
    data = "\n".join(outputs).encode() + b"\n"
    whole, parts = Tracker(lambda: 0.0), Tracker(lambda: 0.0)
    whole.feed(data)
    for start in range(0, len(data), size):
        parts.feed(data[start : start + size])
    if len(data) < 60_000 and len(outputs) < 50:
        assert parts.read() == whole.read()


PIECES = ["step", "loss", " ", "1", "9" * 30, "/", "%|", "|", "[", "]", "<", "it/s", "s/it", "Epoch", ": ", "=", "e", "\r",
          "\n", "\x1b[A", ".", ",", "-", "nan", "━", "eta: ", " • ", "'", "ms/step", "k", "\x00", "é"]  # fmt: skip


@given(
    st.lists(st.sampled_from(PIECES), max_size=120).map("".join) | st.text(max_size=300),
    st.binary(max_size=50),
)
def test_never_raises(text, junk):
    tracker = Tracker(lambda: 0.0)
    for data in (text.encode() + junk, b"\n"):
        tracker.feed(data)
        json.dumps(tracker.read(), allow_nan=False)


@pytest.mark.parametrize(
    "piece",
    [
        " ",
        "1",
        "1%",
        "%|",
        "step ",
        "loss ",
        "1%|a| 1/1 ",
        "a" * 900 + "\n",
        "epoch 1 [",
        "a/a ",
        "[1/1] ",
        "val ",
        "val step ",
        "epoch 1 ",
        "Epoch 1 - ",
        "1/1 1 ",
        "1/1 1G 1 1 ",
        "0: ",
        "a-1: ",
        "[a] ",
        "(a pid=1 ",
        "loss",
        "loss tensor(",
        "train loss ",
        "lr 1 ",
        "| a ",
        "total steps ",
        "10:11:12 ",
        "phase=",
        "split: ",
        "running ",
        "set ",
        "=",
        "[1/1] 1%|",
        "Progress on:a ",
        "step 1 of ",
        "_step",
        "{'loss' ",
        "1, ",
        "-",
        "/",
    ],
)
def test_time_and_memory_are_bounded(piece):
    tracker = Tracker(lambda: 0.0)
    for unit in (piece, piece * (990 // len(piece)) + "\n"):
        data = (unit * (100_000 // len(unit) + 1)).encode()
        start = time.process_time()
        tracker.feed(data)
        tracker.read()
        assert time.process_time() - start < 0.5
        assert len(tracker._rest) < 8192
