"""Copies of followed logs: what is kept, for how long, in which files, and what a query gets of it."""

import os
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs import LogBuffer, log_copies, log_copy
from backend_client.logs.block import Notice
from backend_client.logs.log_copies import LogCopies
from backend_client.logs.log_copy import HEAD, CopiedLine, CopyHead, clock, join, last_lines
from backend_client.models import JobRef
from backend_client.protocol import Gap, Lines, LogQuery, LogSource, Opened
from tests.support.disk import small_disk

SECOND = 10**9
THEN = 1_700_000_000 * SECOND
A, B, NEXT = LogSource(1, 0, "pod-a"), LogSource(1, 1, "pod-b"), LogSource(2, 0, "pod-c")
REF = JobRef("prod", "team", "job", "bert", "uid-1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "logs"


@pytest.fixture
def copies(folder: Path) -> LogCopies:
    return LogCopies(folder)


def lines(*texts: bytes, source: LogSource = A, at: int = 0) -> Lines:
    """Lines of one source, a second apart, the first `at` seconds after THEN."""
    times = [THEN + (at + n) * SECOND for n in range(len(texts))]
    return Lines(source=source, lines=list(texts), times=times)


def log(*items) -> LogBuffer:
    buffer = LogBuffer()
    buffer.append(items)
    return buffer


def read(copies: LogCopies, ref: JobRef = REF, attempt: int | None = None, **query) -> list[str]:
    """What is found again, a line of text for each, without the head."""
    copy = copies.find(ref, attempt)
    texts = []
    for item in copy.items(LogQuery(ref=ref, **query))[1:] if copy else []:
        texts += [f"-- {item.text}"] if isinstance(item, Notice) else [line.decode() for line in item.lines]
    return texts


def test_what_was_followed_is_found_again(copies):
    buffer = log(
        Opened(A), lines(b"one", b"\x1b[31mred\x1b[0m"), Gap(A, "it was rotated"), lines(b"two", at=9)
    )
    copies.keep(REF, buffer)
    copy = copies.find(REF)
    assert copy is not None
    assert copy.header.until == datetime.fromtimestamp(THEN / SECOND + 9, UTC)
    head, first, gap, second = copy.items(LogQuery(ref=REF))
    assert isinstance(head, CopyHead)
    assert head.text == f"{HEAD}; this is what was followed here until {clock(copy.header.until)}"
    assert first == lines(b"one", b"\x1b[31mred\x1b[0m")
    assert gap == Notice("lines are missing here: it was rotated")
    assert second == lines(b"two", at=9)


def test_nothing_is_found_of_what_was_not_followed(copies):
    assert copies.find(REF) is None
    copies.keep(REF, log(Opened(A)))
    assert copies.find(REF) is None


def test_each_attempt_has_its_copy(copies):
    copies.keep(REF, log(lines(b"first"), Opened(NEXT), lines(b"second", source=NEXT, at=5)))
    assert read(copies, attempt=1) == ["first", "-- attempt 2 on pod-c"]
    assert read(copies, attempt=2) == ["second"]
    assert read(copies, attempt=3) == []


def test_a_query_selects_rank_time_and_tail(copies):
    copies.keep(REF, log(lines(b"a0", b"a1", b"a2"), lines(b"b0", b"b1", source=B, at=1)))
    assert read(copies, rank=1) == ["b0", "b1"]
    assert read(copies, tail=1) == ["a2", "b1"]
    assert read(copies, since=datetime.fromtimestamp(THEN / SECOND + 2, UTC)) == ["a2", "b1"]
    copy = copies.find(REF)
    assert copy is not None
    assert copy.items(LogQuery(ref=REF, rank=7)) == []
    assert copy.items(LogQuery(ref=REF, tail=0)) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ((lines(b"a", b"b", b"c"),), (lines(b"b", b"c", b"d", at=1),), ["a", "b", "c", "d"]),
        ((lines(b"a", b"b"),), (lines(b"a", b"b"),), ["a", "b"]),
        ((lines(b"b", at=1),), (lines(b"a", b"b"),), ["a", "b"]),
        ((lines(b"a"),), (lines(b"z", at=9),), ["a", f"-- {log_copy._HOLE}", "z"]),
        (
            (lines(b"a", b"b"), lines(b"x", source=B)),
            (lines(b"b", at=1), lines(b"y", source=B, at=1)),
            ["a", "x", f"-- {log_copy._HOLE}", "b", "y"],
        ),
        (
            (lines(b"before"),),
            (lines(b"after", source=LogSource(1, 0, "pod-z"), at=4),),
            ["before", "-- attempt 1 on pod-z", "after"],
        ),
    ],
    ids=["a tail", "the same", "from further back", "a hole", "two ranks", "another pod of the same number"],
)
def test_a_second_copy_goes_on_behind_the_first(copies, before, after, found):
    copies.keep(REF, log(*before))
    copies.keep(REF, log(*after))
    assert read(copies) == found


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=30), st.data())
def test_parts_that_overlap_are_the_whole_again(texts, data):
    whole = [CopiedLine(A, n // 3, text) for n, text in enumerate(texts)]
    whole = list(dict.fromkeys(whole))  # of lines that are alike in all, any one may be the first
    begin = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(begin + 1, len(whole)))
    assert join(whole[:end], whole[begin:]) == whole


def test_the_head_of_a_copy_is_not_kept_again(copies):
    copies.keep(REF, log(lines(b"a")))
    copy = copies.find(REF)
    assert copy is not None
    shown = log(*copy.items(LogQuery(ref=REF)), Notice("here the job was started again"), lines(b"b", at=7))
    copies.keep(REF, shown)
    assert read(copies) == ["a", "-- here the job was started again", "b"]


def test_only_the_newest_part_of_a_long_log_is_kept(copies, monkeypatch):
    monkeypatch.setattr(log_copy, "LONGEST", 10_000)
    for start in range(0, 20_000, 1000):
        copies.keep(REF, log(*[lines(b"line %d" % n, at=n) for n in range(start, start + 1000)]))
    found = read(copies)
    assert found[-1] == "line 19999"
    assert found == [f"line {n}" for n in range(20_000 - len(found), 20_000)]
    assert 5_000 < sum(map(len, found)) + log_copy._PER_LINE * len(found) <= 10_000


def test_the_limit_counts_every_line():
    many = [CopiedLine(A, 0, b"")] * 1_000_000
    assert len(last_lines(many)) == log_copy.LONGEST // log_copy._PER_LINE
    assert last_lines(many[:10]) == many[:10]


def test_the_oldest_copies_go_first(copies, folder, monkeypatch):
    monkeypatch.setattr(log_copies, "MOST", 3)
    refs = [JobRef("prod", "team", "job", f"j{n}", f"uid-{n}") for n in range(6)]
    for age, ref in enumerate(refs):
        copies.keep(ref, log(lines(b"x" * 1000)))
        for path in folder.glob("*.log"):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60 * (age + 1)))
    assert [read(copies, ref) != [] for ref in refs] == [False, False, False, True, True, True]
    monkeypatch.setattr(log_copies, "LARGEST", 2500)
    copies.keep(refs[5], log(lines(b"x" * 1000)))
    assert [read(copies, ref) != [] for ref in refs[3:]] == [False, True, True]


def test_files_are_private_and_say_no_name(copies, folder):
    folder.mkdir(parents=True, mode=0o755)
    evil = JobRef("../../c", "/etc\n", "job", "\x1b]0;x\x07../..", "../" * 50 + "\udcff")
    for ref in (REF, evil):
        copies.keep(ref, log(lines(b"secret")))
    copies.forget(evil)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = sorted(path.name for path in folder.rglob("*"))
    assert [stat.S_IMODE((folder / name).stat().st_mode) for name in names] == [0o600] * 2
    for name in names:
        stem, _, end = name.partition("-") if name.endswith(".log") else name.partition(".")
        assert (len(stem), set(stem) <= set("0123456789abcdef"), end in ("1.log", "deleted")) == (
            32,
            True,
            True,
        )


def test_what_others_could_have_written_is_not_read(copies, folder, tmp_path):
    copies.keep(REF, log(lines(b"mine")))
    (path,) = folder.glob("*.log")
    path.chmod(0o644)
    assert copies.find(REF) is None
    path.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o600)
    path.symlink_to(tmp_path / "elsewhere")
    assert copies.find(REF) is None
    assert copies.find_ref("prod", "", "bert") is None


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"\xff" * 9000, b'{"ref":1}\n\x90'])
def test_a_broken_file_is_no_copy_and_is_replaced(copies, folder, content):
    copies.keep(REF, log(lines(b"a")))
    (path,) = folder.glob("*.log")
    whole = path.read_bytes()
    for broken in (content, whole[:-3], whole[:40]):
        path.write_bytes(broken)
        assert copies.find(REF) is None
    copies.keep(REF, log(lines(b"b")))
    assert read(copies) == ["b"]


def test_a_deleted_job_leaves_no_copy_and_gets_none(copies, folder):
    copies.keep(REF, log(lines(b"a"), lines(b"b", source=NEXT)))
    namesake = JobRef("prod", "team", "job", "bert", "uid-2")
    copies.keep(namesake, log(lines(b"other")))
    copies.forget(REF)
    LogCopies(folder).keep(REF, log(lines(b"a")))  # a screen that still shows it
    assert (copies.find(REF), copies.find(REF, 2)) == (None, None)
    assert read(copies, namesake) == ["other"]
    assert copies.find_ref("prod", "team", "bert") == namesake


def test_a_job_that_is_gone_is_found_by_name(copies):
    copies.keep(REF, log(lines(b"a")))
    assert copies.find_ref("prod", "", "bert") == copies.find_ref("prod", "team", "bert") == REF
    assert copies.find_ref("prod", "other", "bert") is None
    assert copies.find_ref("stage", "", "bert") is None
    assert copies.find_ref("prod", "", "ber") is None


def test_a_full_disk_costs_the_copy_and_nothing_else(tmp_path):
    with small_disk(tmp_path / "disk", 200) as disk:
        copies = LogCopies(disk.path / "logs")
        copies.keep(REF, log(lines(b"before")))
        disk.fill()
        copies.keep(REF, log(lines(*[b"x" * 1000] * 50, at=1)))
        assert read(copies) == ["before"]
        assert len(list((disk.path / "logs").iterdir())) == 1
        copies.forget(REF)
        assert read(copies) == []
        disk.make_room()
        copies.keep(JobRef("c", "", "job", "n", "u"), log(lines(b"after")))
        assert read(copies, JobRef("c", "", "job", "n", "u")) == ["after"]


def test_a_folder_that_cannot_be_costs_the_copy_and_nothing_else(tmp_path):
    (tmp_path / "cache").write_text("a file")
    copies = LogCopies(tmp_path / "cache" / "logs")
    copies.keep(REF, log(lines(b"a")))
    copies.forget(REF)
    assert copies.find(REF) is None
    assert copies.find_ref("prod", "", "bert") is None


def test_what_a_killed_process_left_half_written_goes(copies, folder):
    copies.keep(REF, log(lines(b"a")))
    old, new = folder / ".x.log.00ff", folder / ".y.log.00ff"
    for draft in (old, new):
        draft.write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * log_copies._DRAFT_SECONDS))
    copies.keep(REF, log(lines(b"a", b"b")))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_clock_ahead_is_not_believed(copies):
    copies.keep(REF, log(lines(b"a", at=10**10)))
    copy = copies.find(REF)
    assert copy is not None
    assert copy.header.until <= datetime.now(UTC)


def test_a_time_of_another_day_has_its_day():
    assert clock(datetime.fromtimestamp(THEN / SECOND, UTC)).count(" ") == 2
    assert clock(datetime.now(UTC)).count(" ") == 0
