"""The card of a failure: the exit in words, which rank it was, what it said, and what is not known."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from backend_client.errors import NotFound
from backend_client.logs import failure_card
from backend_client.logs.failure_card import with_failure
from backend_client.logs.failure_kinds import kind_of_line
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, Progress
from backend_client.protocol import Closed, Gap, Lines, LogItem, LogQuery, LogSource, Opened
from backend_client.why import Explanation, Failure

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
REF = JobRef("c", "ns", "job", "bert", "u")

LINES = [
    (
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total"
            " capacity of 79.15 GiB of which 1.19 GiB is free. Process 1 has 77.9 GiB memory in use."
        ),
        "gpu-memory",
        ("tried to allocate 20.00 GiB", "the GPU has 79.15 GiB, of which 1.19 GiB were free"),
    ),
    (
        (
            "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 39.39 GiB total capacity;"
            " 36.90 GiB already allocated; 1.20 GiB free; 37.00 GiB reserved in total by PyTorch)"
        ),
        "gpu-memory",
        ("tried to allocate 2.00 GiB", "the GPU has 39.39 GiB, of which 1.20 GiB were free"),
    ),
    (
        (
            "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate"
            " 17179869184 bytes."
        ),
        "gpu-memory",
        ("tried to allocate 17179869184 bytes",),
    ),
    (
        "MemoryError: Unable to allocate 8.00 GiB for an array with shape (32768, 32768)",
        "memory",
        ("tried to allocate 8.00 GiB",),
    ),
    (
        (
            "RuntimeError: DataLoader worker (pid 27) is killed by signal: Bus error. It is possible that"
            " dataloader's workers are out of shared memory. Please try to raise your shared memory limit."
        ),
        "shm",
        (),
    ),
    (
        "ERROR: Unexpected bus error in worker. This might be caused by insufficient shared memory (shm).",
        "shm",
        (),
    ),
    ("NCCL WARN Error: failed to extend /dev/shm/nccl-abc to 4194660 bytes", "shm", ()),
    ("OSError: [Errno 28] No space left on device: '/data/ckpt.pt'", "disk", ()),
    (
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1275, unhandled error",
        "nccl",
        (),
    ),
    ("[Rank 2] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=12)", "nccl", ()),
    (
        "ModuleNotFoundError: No module named 'flash_attn'",
        "module",
        ("the Python module flash_attn is not installed there",),
    ),
    (
        "/usr/bin/python: No module named acme.train",
        "module",
        ("the Python module acme.train is not installed there",),
    ),
    ("ValueError: loss is nan, stopping training", "nan", ()),
    (
        "FileNotFoundError: [Errno 2] No such file or directory: '/data/train.csv'",
        "file",
        ("there was no /data/train.csv",),
    ),
    (
        "python: can't open file '/app/trian.py': [Errno 2] No such file or directory",
        "file",
        ("there was no /app/trian.py",),
    ),
    ("Bus error (core dumped)", "", ()),
    ("KeyError: 'input_ids'", "", ()),
]


@pytest.mark.parametrize(("line", "kind", "facts"), LINES)
def test_what_a_line_tells(line: str, kind: str, facts: tuple[str, ...]) -> None:
    assert kind_of_line(line) == (kind, facts)


def ended(rank: int = 0, code: int | None = 1, seconds: float = 60, **more: Any) -> Attempt:
    reason = more.pop("reason", f"exit {code}")
    finished = START + timedelta(seconds=seconds)
    made = Attempt(
        number=1,
        rank=rank,
        pod=f"bert-{rank}",
        exit_code=code,
        started=START,
        finished=finished,
        reason=reason,
    )
    return replace(made, **more)


def failed(*attempts: Attempt, reason: str = "", **more: Any) -> Job:
    why = reason or next((a.reason for a in reversed(attempts) if a.reason), "")
    fields = {"spec": JobSpec(nodes=max(1, len(attempts))), "attempts": attempts, **more}
    return Job(ref=REF, state=JobState.FAILED, created=START, reason=why, **fields)


class Log:
    """The logs of ranks; `asked` are the queries."""

    def __init__(self, texts: dict[int, str], gap: str = "") -> None:
        self.texts, self.gap = texts, gap
        self.asked: list[LogQuery] = []

    async def __call__(self, query: LogQuery) -> AsyncGenerator[Sequence[LogItem]]:
        self.asked.append(query)
        source = LogSource(query.attempt or 1, query.rank or 0)
        text = self.texts.get(source.rank, "")
        yield [Opened(source)]
        if text:
            lines = text.encode().split(b"\n")
            for at in range(0, len(lines), 10):
                part = lines[at : at + 10]
                last = at + 10 >= len(lines)
                yield [Lines(source=source, lines=part, times=[1] * len(part), open=last)]
        if self.gap:
            yield [Gap(source, self.gap)]
        yield [Closed("Failed: exit 1")]


async def card_of(job: Job, log: Log) -> tuple[Failure | None, tuple[str, ...]]:
    found = await with_failure(Explanation(sentence=job.reason), job, log)
    return found.failure, found.unknown


async def test_one_rank() -> None:
    log = Log({0: "step 1 loss 2.0\nTraceback (most recent call last):\nKeyError: 'x'"})
    card, unknown = await card_of(failed(ended()), log)
    assert card == Failure(exit="exit 1", where="bert-0", said="KeyError: 'x'")
    assert unknown == ()
    assert [(q.attempt, q.rank, q.follow) for q in log.asked] == [(1, 0, False)]


async def test_the_rank_that_failed_first_and_no_other_log() -> None:
    log = Log({0: "NCCL error", 2: "ValueError: loss is nan, stopping"})
    job = failed(
        ended(0, 143, 66, reason="exit 143 (SIGTERM)"), ended(1, None, 70, reason=""), ended(2, 1, 60)
    )
    card, _ = await card_of(job, log)
    assert card
    assert (card.rank, card.where, card.kind) == (2, "bert-2", "nan")
    assert [query.rank for query in log.asked] == [2]


async def test_of_ranks_that_failed_in_one_second_the_one_that_tells_the_cause() -> None:
    texts = {
        0: "torch.distributed.DistBackendError: NCCL error: remote process exited",
        1: "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 GiB.",
        2: "ConnectionResetError: connection reset by peer",
    }
    card, _ = await card_of(failed(*(ended(rank) for rank in range(3))), Log(texts))
    assert card
    assert (card.rank, card.kind, card.facts) == (1, "gpu-memory", ("tried to allocate 1.00 GiB",))


async def test_the_newest_attempt_of_a_job_that_was_tried_again() -> None:
    log = Log({0: "boom"})
    job = failed(ended(), ended(number=2, seconds=90, code=3), spec=JobSpec(retries=1))
    card, _ = await card_of(job, log)
    assert card
    assert (card.exit, card.said, card.rank) == ("exit 3", "boom", None)
    assert [query.attempt for query in log.asked] == [2]


EXITS = [
    (ended(code=137, reason="exit 137 (SIGKILL)"), "", "exit 137 (SIGKILL): it was killed", ""),
    (ended(code=139, reason="exit 139 (SIGSEGV)"), "", "exit 139 (SIGSEGV): it crashed in native code", ""),
    (ended(code=127, reason="command not found: trian"), "", "command not found: trian", ""),
    (ended(code=127, reason=""), "failed", "exit 127: its command was not found", ""),
    (ended(reason="exit 1: KeyError: 'x'"), "", "exit 1", "KeyError: 'x'"),
    (
        ended(code=137, reason="ran out of memory (limit 64Gi, OOMKilled)"),
        "",
        "ran out of memory (limit 64Gi, OOMKilled)",
        "",
    ),
    (
        ended(code=143, reason="exit 143 (SIGTERM)"),
        "ran longer than its max_runtime of 2h",
        "ran longer than its max_runtime of 2h",
        "",
    ),
    (ended(code=None, reason="was evicted by its node gpu-1"), "", "was evicted by its node gpu-1", ""),
]


@pytest.mark.parametrize(("attempt", "reason", "words", "said"), EXITS)
async def test_the_exit_in_words(attempt: Attempt, reason: str, words: str, said: str) -> None:
    card, unknown = await card_of(failed(attempt, reason=reason), Log({}))
    assert card
    assert (card.exit, card.said) == (words, said)
    assert unknown == ()  # an empty log is one that said nothing


async def test_out_of_memory_stays_so_whatever_the_log_says() -> None:
    attempt = ended(code=137, reason="ran out of memory (limit 64Gi, OOMKilled)")
    card, _ = await card_of(failed(attempt), Log({0: "Killed"}))
    assert card
    assert (card.kind, card.said) == ("memory", "Killed")


async def test_a_log_that_is_gone() -> None:
    log = Log({}, gap="the log went with its pod")
    assert (await card_of(failed(ended(log_gone=True)), log))[1] == (
        "its log went with its pod, so what it said is not known",
    )
    assert log.asked == []
    assert (await card_of(failed(ended()), log))[1] == (
        "the log went with its pod, so what it said is not known",
    )


async def test_a_log_that_may_not_be_read() -> None:
    async def refused(query: LogQuery) -> AsyncGenerator[Sequence[LogItem]]:
        yield [Opened(LogSource(query.attempt or 1))]
        raise NotFound("There is no job bert.")

    found = await with_failure(Explanation(), failed(ended()), refused)
    assert found.failure == Failure(exit="exit 1", where="bert-0")
    assert found.unknown == ("there is no job bert, so what it said is not known",)


async def test_a_log_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_card, "_SECONDS", 0.01)

    async def silent(_: LogQuery) -> AsyncGenerator[Sequence[LogItem]]:
        await asyncio.Event().wait()
        yield []

    found = await with_failure(Explanation(), failed(ended()), silent)
    assert found.unknown == ("its log did not come within 0.01 s, so what it said is not known",)


async def test_no_more_than_the_end_of_a_long_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_card, "_BYTES", 1_000)
    long = "KeyError: 'early'\n" + "\n".join(["x" * 10_000] * 60) + "\nValueError: late"
    card, _ = await card_of(failed(ended()), Log({0: long}))
    assert card
    assert card.said == "ValueError: late"


async def test_what_never_started_has_no_log() -> None:
    log = Log({})
    attempt = ended(code=None, reason="was refused by its node gpu-1", started=None)
    card, unknown = await card_of(failed(attempt), log)
    assert card
    assert (card.exit, unknown, log.asked) == ("was refused by its node gpu-1", (), [])
    assert await card_of(failed(reason="given up"), log) == (Failure(exit="given up"), ())


async def test_a_loss_that_is_no_number() -> None:
    job = failed(ended(), progress=Progress(step=3, loss="nan"))
    card, _ = await card_of(job, Log({0: "boom"}))
    assert card
    assert card.facts == ("its last loss was nan",)


@pytest.mark.parametrize("state", [s for s in JobState if s is not JobState.FAILED])
async def test_what_did_not_fail_has_no_card(state: JobState) -> None:
    job = replace(failed(ended()), state=state)
    before = Explanation(sentence="x")
    assert await with_failure(before, job, Log({})) == before


async def test_what_is_started_again_has_one() -> None:
    job = replace(failed(ended()), state=JobState.STARTING, next_try=START)
    card, _ = await card_of(job, Log({0: "boom"}))
    assert card
    assert card.said == "boom"
