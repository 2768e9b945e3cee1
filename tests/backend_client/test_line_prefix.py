"""What stands before the words of a line, and the rank that it names."""

# ruff: noqa: E501  real lines stay as they are

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.line_prefix import rank_of, strip_launcher, strip_prefix
from tests.backend_client.progress.test_libraries import PREFIXES

WORDS = ["step 3", "{'loss': 0.4}", "train: 3%|", "Epoch 3/10", "[1200] loss=0.4", "[10]\ttrain-rmse:0.3", "val: x",
         "[val] x", "[ 10/196] x", "Epoch: [3]  [ 1/9]", "loss: 0.4 [ 64/60000]", "Train: 3 [ 1/9]", "eval | step 3",
         "Traceback (most recent call last):", "iteration 3/ 9 | x"]  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("prefix", ["", *(prefix for prefix in PREFIXES if "\x1b" not in prefix)])
def test_the_words_stay_and_what_stands_before_them_goes(prefix, words):
    assert strip_prefix(f"{prefix}{words}".encode()).decode() == words


@pytest.mark.parametrize(
    ("line", "rank"),
    [("[rank3]: x", 3), ("[default7]:x", 7), ("[Rank 2] x", 2), ("[rank: 1] x", 1), ("[1,5]<stderr>:x", 5), ("6: x", 6),
     ("x rank3", 0), ("rank 3 is slow", 0), ("worker-1: x", 0), ("x", 0), ("2026-05-01 10:11:12 [rank4]: x", 4)],
)  # fmt: skip
def test_the_rank_that_a_prefix_names(line, rank):
    assert rank_of(line.encode()) == rank


@pytest.mark.parametrize(
    "words", ["KeyError: 'x'", "torch.OutOfMemoryError: x", "ERROR: x", "F0501 10:11:12.3 1 a.cc:1] x"]
)
@pytest.mark.parametrize(
    "prefix", ["[rank0]: ", "node-3: [rank1]:", "0: ", "2026-05-01 10:11:12 ", "app-1  | ", "(f pid=1) "]
)
def test_before_an_error_the_logger_stays(prefix, words):
    assert strip_launcher(f"{prefix}{words}".encode()).decode() == words


@given(st.binary(max_size=200))
def test_any_bytes_keep_their_end(line):
    assert line.endswith(strip_prefix(line))
    rank_of(line)


@pytest.mark.parametrize(
    "piece",
    [b"[", b"[a", b"(a pid=1", b"0: ", b" ", b"a-", b"a.1", b"[rank", b"2026-05-01 ", b"INFO ", b"a | ", b"a:b:", b"10:11:12 ",
     b"1.1.1.1", b"[a]", b"-", b"[0,", b"/a.py:1"],
)  # fmt: skip
def test_a_hostile_line_costs_little(piece):
    line = piece * (100_000 // len(piece))
    start = time.process_time()
    strip_prefix(line)
    rank_of(line)
    assert time.process_time() - start < 0.2
