"""Real lines of programs that failed, what is said of them, and which of them is the cause."""

import pytest

from backend_client.logs import LogBuffer
from backend_client.logs.failures import AFTERMATH, CAUSE, SIGN, classify, failures, first_failure
from backend_client.protocol import Lines, LogSource

LINES = [
    ("Traceback (most recent call last):", SIGN, "traceback"),
    ("[rank3]: Traceback (most recent call last):", SIGN, "traceback"),
    ("KeyError: 'input_ids'", CAUSE, "exception"),
    ("AssertionError", CAUSE, "exception"),
    ("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)", CAUSE, "exception"),
    ("[rank1]: RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x8 and 16x2)", CAUSE, "exception"),
    ("[default0]:ValueError: not enough values to unpack (expected 2, got 1)", CAUSE, "exception"),
    ("hydra.errors.ConfigCompositionException: Could not override 'lr'.", CAUSE, "exception"),
    ("RuntimeError: DataLoader worker (pid 1823) is killed by signal: Killed. ", CAUSE, "exception"),
    (
        (
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 39.39 GiB"
            " total capacity)"
        ),
        CAUSE,
        "out of GPU memory",
    ),
    (
        "[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
        CAUSE,
        "out of GPU memory",
    ),
    (
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate",
        CAUSE,
        "out of GPU memory",
    ),
    (
        "MemoryError: Unable to allocate 8.00 GiB for an array with shape (32768, 32768)",
        CAUSE,
        "out of memory",
    ),
    (
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=11.0. Some of your processes",
        CAUSE,
        "out of memory",
    ),
    ("  what():  std::bad_alloc", CAUSE, "out of memory"),
    (
        (
            "RuntimeError: DataLoader worker (pid 27) is killed by signal: Bus error. It is possible that"
            " dataloader's workers are out of shared memory."
        ),
        CAUSE,
        "crash",
    ),
    ("RuntimeError: CUDA error: device-side assert triggered", CAUSE, "CUDA"),
    ("RuntimeError: CUDA error: an illegal memory access was encountered", CAUSE, "CUDA"),
    (
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        CAUSE,
        "CUDA",
    ),
    ("RuntimeError: cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", CAUSE, "CUDA"),
    ("RuntimeError: Found no NVIDIA driver on your system.", CAUSE, "CUDA"),
    (
        (
            "../aten/src/ATen/native/cuda/Loss.cu:250: nll_loss_forward: block: [0,0,0],"
            " thread: [4,0,0] Assertion `t >= 0 && t < n_classes` failed."
        ),
        CAUSE,
        "failed assertion",
    ),
    ("train: solver.c:88: step: Assertion `n > 0' failed.", CAUSE, "failed assertion"),
    (
        (
            "[rank2]:[E ProcessGroupNCCL.cpp:616] [Rank 2] Watchdog caught collective operation timeout:"
            " WorkNCCL(SeqNum=42, OpType=ALLREDUCE) ran for 600029 milliseconds before timing out."
        ),
        CAUSE,
        "NCCL",
    ),
    (
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1333, unhandled cuda error",
        CAUSE,
        "NCCL",
    ),
    ("gpu-7:4242:4242 [0] enqueue.cc:1013 NCCL WARN Cuda failure 'invalid argument'", SIGN, "NCCL's warning"),
    (
        "[Mon Nov 23 03:12:09 2026] NVRM: Xid (PCI:0000:17:00): 79, GPU has fallen off the bus.",
        CAUSE,
        "GPU fault (Xid)",
    ),
    ("Segmentation fault (core dumped)", CAUSE, "crash"),
    ("Fatal Python error: Segmentation fault", CAUSE, "crash"),
    ("traceback : Signal 11 (SIGSEGV) received by PID 4242", CAUSE, "crash"),
    ("terminate called after throwing an instance of 'c10::Error'", CAUSE, "crash"),
    ("OSError: [Errno 28] No space left on device", CAUSE, "disk full"),
    ("bash: line 1: pyhton: command not found", CAUSE, "program or file not found"),
    (
        "python: can't open file '/work/trian.py': [Errno 2] No such file or directory",
        CAUSE,
        "program or file not found",
    ),
    ("train.py: error: unrecognized arguments: --lrr 3e-4", CAUSE, "wrong arguments"),
    ("FileNotFoundError: [Errno 2] No such file or directory: '/data/x'", CAUSE, "exception"),
    ("cat: /etc/motd: No such file or directory", SIGN, "no such file"),
    ("Killed", SIGN, "killed"),
    ("/job/run.sh: line 3:    41 Killed                  python train.py", SIGN, "killed"),
    ("2026-11-24 10:00:00,123 ERROR trainer: giving up", SIGN, "error"),
    ("2026-11-24 10:00:00,123 ERROR trainer: loss is nan, giving up", CAUSE, "the loss is no number"),
    ("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ", AFTERMATH, "torchrun's summary"),
    (
        "ERROR:torch.distributed.elastic.multiprocessing.api:failed (exitcode: 1) local_rank: 3 (pid: 91)",
        AFTERMATH,
        "an exit code",
    ),
    ("ConnectionResetError: [Errno 104] Connection reset by peer", AFTERMATH, "another rank went away"),
    (
        "gpu-3:88:120 [1] misc/socket.cc:49 NCCL WARN socketProgress: Connection closed by remote peer gpu-7",
        AFTERMATH,
        "another rank went away",
    ),
    (
        (
            "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1970, remote process"
            " exited or there was a network error, NCCL version 2.21.5"
        ),
        AFTERMATH,
        "another rank went away",
    ),
    ("KeyboardInterrupt", AFTERMATH, "interrupted"),
]

HARMLESS = [
    "step 120 loss 0.4127 error 0.03",
    "UserWarning: Error bars are not shown",
    "Exception ignored in: <function _ConnectionBase.__del__>",
    "During handling of the above exception, another exception occurred:",
    "cuda_dnn.cc:8310] Unable to register cuDNN factory: Attempting to register factory for plugin cuDNN",
    "ERROR: pip's dependency resolver does not currently take into account all the packages",
    "gpu-7:42:42 [0] NCCL INFO Connected all rings",
    "saving to /ckpt/Killed-by-a-name.pt",
    "",
]


@pytest.mark.parametrize(("line", "weight", "words"), LINES)
def test_what_a_line_says(line, weight, words):
    rule = classify(line.encode())
    assert rule is not None
    assert (rule.message, rule.weight) == (words, weight)


@pytest.mark.parametrize("line", HARMLESS)
def test_what_says_nothing(line):
    assert classify(line.encode()) is None


def test_lines_are_counted_from_the_start_of_the_block():
    block = b"\n".join([b"one", b"", b"KeyError: 1", b"two", b"KeyError: 2 Error", b"Killed"])
    assert [(found.number, found.message) for found in failures(block)] == [
        (2, "exception"),
        (4, "exception"),
        (5, "killed"),
    ]


def buffer_of(*said: tuple[int, str]) -> LogBuffer:
    buffer = LogBuffer()
    for rank, text in said:
        buffer.append([Lines(source=LogSource(1, rank), lines=[text.encode()], times=[1])])
    return buffer


RUN = buffer_of(
    (0, "ConnectionResetError: [Errno 104] Connection reset by peer"),
    (3, "[rank3]: Traceback (most recent call last):"),
    (3, '[rank3]:   File "train.py", line 9, in step'),
    (3, "[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."),
    (1, "[rank1]: RuntimeError: CUDA error: unspecified launch failure"),
    (0, "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: "),
)


@pytest.mark.parametrize(
    ("rank", "number"),
    [(None, 3), (0, 0), (1, 4), (3, 3), (7, None)],
)
async def test_the_first_cause_counts_not_what_it_led_to(rank, number):
    found = await first_failure(RUN, rank)
    assert (found.number if found else None) == number


async def test_without_a_cause_the_first_sign_counts():
    found = await first_failure(buffer_of((0, "fine"), (0, "ChildFailedError"), (0, "Killed"), (0, "Killed")))
    assert (found.number, found.message) == (2, "killed")
